internal import Synchronization

/// How long something took: how many of them were at most so long, for fixed bounds. An observation is two atomic additions,
/// from any thread.
public final class Histogram: Sendable {
    /// What a histogram had counted at a moment.
    public struct Snapshot: Sendable, Hashable {
        /// Upper bounds in seconds, ascending, without the last, which is infinite.
        public var bounds: [Double]
        /// Observations at most as long as each bound; the last element is that of all.
        public var cumulative: [UInt64]
        /// Of all observations, in seconds.
        public var sum: Double
        public var count: UInt64 { cumulative.last ?? 0 }
    }

    /// For what takes a disk's time: half a millisecond to ten seconds.
    public static let diskSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
    /// For what takes another server's time: 25 milliseconds to half an hour.
    public static let networkSeconds = [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]

    /// An atomic number is not copyable, and an array wants what is.
    private final class Cell: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private let bounds: [Double]
    private let cells: [Cell]
    private let nanoseconds = Atomic<UInt64>(0)

    /// - Parameter bounds: in seconds, ascending.
    public init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds ascend")
        self.bounds = bounds
        cells = (0...bounds.count).map { _ in Cell() }
    }

    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let value = max(0, Double(seconds) + Double(attoseconds) * 1e-18)
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        cells[place].count.wrappingAdd(1, ordering: .relaxed)
        nanoseconds.wrappingAdd(UInt64(min(value, 1e9) * 1e9), ordering: .relaxed)
    }

    public var snapshot: Snapshot {
        var total: UInt64 = 0
        let cumulative = cells.map { cell in
            total &+= cell.count.load(ordering: .relaxed)
            return total
        }
        return Snapshot(
            bounds: bounds, cumulative: cumulative, sum: Double(nanoseconds.load(ordering: .relaxed)) / 1e9)
    }
}
