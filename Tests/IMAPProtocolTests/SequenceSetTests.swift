import IMAPProtocol
import Testing

@Suite struct SequenceSetTests {
    @Test func `UIDs resolve to positions, in either order and with *`() {
        let uids: [UInt32] = [5, 7, 8, 100]
        func positions(_ set: SequenceSet) -> [Int] { set.positions(ofUIDsIn: uids, saved: [7, 9, 100]).positions }
        #expect(positions(set((1, star))) == [0, 1, 2, 3])
        #expect(positions(set((star, star))) == [3])
        // RFC 9051 §9: 559:* includes the highest UID even when it is lower.
        #expect(positions(set((559, star))) == [3])
        #expect(positions(set((8, 6))) == [1, 2])
        #expect(positions(set((7, 7), (5, 8), (9, 99))) == [0, 1, 2])
        #expect(positions(set((UInt32.max, UInt32.max))) == [])
        #expect(positions(.savedResult) == [1, 3])
        #expect(set((1, star)).positions(ofUIDsIn: [], saved: []).isEmpty)
    }

    @Test func `Sequence numbers above the count are an error, but * in an empty mailbox is nothing`() {
        let uids: [UInt32] = [5, 7, 8]
        #expect(set((1, star)).positions(ofSequencesIn: uids, saved: [])?.positions == [0, 1, 2])
        #expect(set((3, 2), (1, 1)).positions(ofSequencesIn: uids, saved: [])?.positions == [0, 1, 2])
        #expect(set((1, 4)).positions(ofSequencesIn: uids, saved: []) == nil)
        #expect(set((1, star)).positions(ofSequencesIn: [], saved: []) == PositionSet())
        #expect(set((1, 1)).positions(ofSequencesIn: [], saved: []) == nil)
        #expect(SequenceSet.savedResult.positions(ofSequencesIn: uids, saved: [8])?.positions == [2])
    }

    @Test func `Resolution agrees with a count by hand on random sets`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        for _ in 0..<2_000 {
            let uids = Array(Set((0..<Int(random.next() % 20)).map { _ in UInt32(random.next() % 40) + 1 })).sorted()
            let ranges = (0...Int(random.next() % 4)).map { _ in
                SequenceRange(UInt32(random.next() % 45), UInt32(random.next() % 45))
            }
            let top = uids.last
            let expected = uids.indices.filter { index in
                ranges.contains { range in
                    guard let top else { return false }
                    let a = range.first == 0 ? top : range.first
                    let b = range.last == 0 ? top : range.last
                    return (min(a, b)...max(a, b)).contains(uids[index])
                }
            }
            let found = SequenceSet.ranges(ranges).positions(ofUIDsIn: uids, saved: [])
            #expect(found.positions == Array(expected), "seed \(seed)")
            #expect(found.uids(in: uids) == expected.map { uids[$0] })
            #expect(uids.indices.allSatisfy { found.contains($0) == expected.contains($0) })
            #expect(SequenceSet.positions(of: found.uids(in: uids), in: uids) == found)
            let other = PositionSet([0..<3, 5..<9])
            #expect(
                found.intersection(other).positions == expected.filter { (0..<3).contains($0) || (5..<9).contains($0) })
        }
    }

    @Test(
        arguments: [
            ([], ""), ([7], "7"), ([1, 2, 3, 5, 7, 8, 9], "1:3,5,7:9"), ([1, 3], "1,3"),
            ([4_294_967_294, 4_294_967_295], "4294967294:4294967295"),
        ] as [([UInt32], String)])
    func `Numbers are written in their shortest form`(_ numbers: [UInt32], _ wire: String) {
        #expect(written { $0.numberSet(numbers) } == wire)
    }
}
