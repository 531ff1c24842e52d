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
