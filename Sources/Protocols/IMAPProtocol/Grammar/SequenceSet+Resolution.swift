/// Places of messages in a mailbox that is sorted by UID: ascending ranges that do not touch. Place p has sequence number p + 1.
public struct PositionSet: Sendable, Equatable {
    public private(set) var ranges: [Range<Int>]

    /// Ranges in any order; overlaps are joined.
    public init(_ ranges: [Range<Int>] = []) {
        if ranges.count <= 1 {
            self.ranges = ranges.filter { !$0.isEmpty }
            return
        }
        var joined: [Range<Int>] = []
        for range in ranges.filter({ !$0.isEmpty }).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        self.ranges = joined
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }
    public var first: Int? { ranges.first?.lowerBound }
    public var last: Int? { ranges.last.map { $0.upperBound - 1 } }

    /// O(log n).
    public func contains(_ position: Int) -> Bool {
        if ranges.count == 1 { return ranges[0].contains(position) }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= position { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(position)
    }

    /// Positions of both.
    public func intersection(_ other: PositionSet) -> PositionSet {
        var result: [Range<Int>] = []
        var left = 0
        var right = 0
        while left < ranges.count, right < other.ranges.count {
            let a = ranges[left]
            let b = other.ranges[right]
            let low = max(a.lowerBound, b.lowerBound)
            let high = min(a.upperBound, b.upperBound)
            if low < high { result.append(low..<high) }
            if a.upperBound < b.upperBound { left += 1 } else { right += 1 }
        }
        return PositionSet(result)
    }

    /// All positions, ascending.
    public var positions: [Int] { ranges.flatMap { Array($0) } }

    /// The UIDs at the positions.
    public func uids(in uids: [UInt32]) -> [UInt32] {
        if let only = ranges.first, ranges.count == 1, only == uids.indices { return uids }
        var result: [UInt32] = []
        result.reserveCapacity(count)
        for range in ranges { result.append(contentsOf: uids[range.clamped(to: uids.indices)]) }
        return result
    }
}

extension SequenceSet {
    /// The messages whose UID is in the set. Numbers that no message has are passed over (RFC 9051 §6.4.9).
    ///
    /// - Parameters:
    ///   - uids: the mailbox's UIDs, ascending.
    ///   - saved: UIDs that SEARCH RETURN (SAVE) kept, ascending (RFC 5182).
    /// - Complexity: O(r log n) for r ranges.
    public func positions(ofUIDsIn uids: [UInt32], saved: [UInt32]) -> PositionSet {
        switch self {
        case .savedResult:
            return SequenceSet.positions(of: saved, in: uids)
        case .ranges(let ranges):
            guard let highest = uids.last else { return PositionSet() }
            return PositionSet(
                ranges.map { range in
                    let bounds = range.bounds(star: highest)
                    let start = uids.firstPosition { $0 >= bounds.lowerBound }
                    let end = uids.firstPosition { $0 > bounds.upperBound }
                    return start..<max(start, end)
                })
        }
    }

    /// The messages whose sequence number is in the set. nil when a number is above `uids.count`: answer BAD
    /// (RFC 9051 §9 `seq-number`).
    public func positions(ofSequencesIn uids: [UInt32], saved: [UInt32]) -> PositionSet? {
        switch self {
        case .savedResult:
            return SequenceSet.positions(of: saved, in: uids)
        case .ranges(let ranges):
            // `1:*` in an empty mailbox is what fetchmail and others send without looking at EXISTS; Dovecot answers OK with
            // nothing, and so do we. A set of plain numbers is an error.
            if uids.isEmpty {
                let isOpen = ranges.allSatisfy { $0.first == SequenceRange.star || $0.last == SequenceRange.star }
                return isOpen ? PositionSet() : nil
            }
            guard let highest = UInt32(exactly: uids.count) else { return nil }
            guard ranges.allSatisfy({ $0.first <= highest && $0.last <= highest }) else { return nil }
            return clampedPositions(count: uids.count)
        }
    }

    /// As SEARCH takes it: numbers above the count match nothing.
    func clampedPositions(count: Int) -> PositionSet {
        guard case .ranges(let ranges) = self, count > 0 else { return PositionSet() }
        let highest = UInt32(clamping: count)
        return PositionSet(
            ranges.map { range in
                let bounds = range.bounds(star: highest)
                let start = Int(bounds.lowerBound) - 1
                return min(start, count)..<min(Int(bounds.upperBound), count)
            })
    }

    /// Where these UIDs (ascending) are; what is gone is left out.
    public static func positions(of wanted: [UInt32], in uids: [UInt32]) -> PositionSet {
        var ranges: [Range<Int>] = []
        var from = 0
        for uid in wanted {
            let position = uids.firstPosition(from: from) { $0 >= uid }
            guard position < uids.count else { break }
            from = position
            guard uids[position] == uid else { continue }
            if let last = ranges.last, last.upperBound == position {
                ranges[ranges.count - 1] = last.lowerBound..<position + 1
            } else {
                ranges.append(position..<position + 1)
            }
        }
        return PositionSet(ranges)
    }
}

extension SequenceRange {
    /// In order, `*` replaced: `559:*` includes the highest even when it is below 559 (RFC 9051 §9 `seq-range`).
    func bounds(star: UInt32) -> ClosedRange<UInt32> {
        let a = first == SequenceRange.star ? star : first
        let b = last == SequenceRange.star ? star : last
        return min(a, b)...max(a, b)
    }
}

extension [UInt32] {
    /// The first position whose element meets an ascending condition; `count` when none does.
    fileprivate func firstPosition(from: Int = 0, where condition: (UInt32) -> Bool) -> Int {
        var low = from
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
