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
