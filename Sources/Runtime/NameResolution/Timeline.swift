/// Questions in the order of their deadlines, which is the order in which they come, since all may take equally long.
struct Timeline {
    private var entries: [(id: UInt64, deadline: ContinuousClock.Instant)] = []
    /// Entries before it are done with.
    private var start = 0

    var first: ContinuousClock.Instant? { start < entries.count ? entries[start].deadline : nil }

    mutating func append(_ id: UInt64, _ deadline: ContinuousClock.Instant) { entries.append((id, deadline)) }

    /// The next one whose deadline is over. Costs O(1), spread over the calls.
    mutating func popExpired(at now: ContinuousClock.Instant) -> UInt64? { pop { $0.deadline <= now } }

    /// Passes over those at the head that are no longer waited for.
    mutating func drop(while isDone: (UInt64) -> Bool) {
        while pop({ isDone($0.id) }) != nil {}
    }

    private mutating func pop(_ isWanted: ((id: UInt64, deadline: ContinuousClock.Instant)) -> Bool) -> UInt64? {
        guard start < entries.count, isWanted(entries[start]) else { return nil }
        let id = entries[start].id
        start += 1
        if start > 64, start * 2 > entries.count {
            entries.removeFirst(start)
            start = 0
        }
        return id
    }
}
