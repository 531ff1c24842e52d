import MartletCore

/// What happens next: the earliest first, and of one moment in the order in which it was added.
struct EventHeap<Payload> {
    private struct Entry {
        var at: Int64
        var sequence: Int
        var slot: Int
    }

    private var entries: [Entry] = []
    private var slots: [Payload?] = []
    private var free: [Int] = []
    private var sequence = 0

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    mutating func add(_ payload: Payload, at instant: Instant) {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            slots[slot] = payload
        } else {
            slot = slots.count
            slots.append(payload)
        }
        sequence += 1
        entries.append(Entry(at: instant.microseconds, sequence: sequence, slot: slot))
        var index = entries.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            entries.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    var nextTime: Instant? { entries.first.map { Instant(microseconds: $0.at) } }

    mutating func popFirst() -> (at: Instant, payload: Payload)? {
        guard let first = entries.first else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count && isBefore(child, least) {
                least = child
            }
            if least == index { break }
            entries.swapAt(index, least)
            index = least
        }
        guard let payload = slots[first.slot] else { return nil }
        slots[first.slot] = nil
        free.append(first.slot)
        return (Instant(microseconds: first.at), payload)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (entries[left], entries[right])
        return a.at != b.at ? a.at < b.at : a.sequence < b.sequence
    }
}

/// A small generator (SplitMix64): the same seed gives the same run on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    mutating func seconds(_ range: ClosedRange<Double>) -> Duration {
        .microseconds(Int64(Double.random(in: range, using: &self) * 1_000_000))
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &self) }
}
