internal import MartletCore

/// What a look for due work passes over, since whoever looks cannot take it now.
public struct QueueExclusion: Sendable, Hashable {
    public var lanes: Set<QueueLane>
    /// All lanes of these.
    public var destinations: Set<String>
    public init(lanes: Set<QueueLane> = [], destinations: Set<String> = []) {
        self.lanes = lanes
        self.destinations = destinations
    }

    public func contains(_ lane: QueueLane) -> Bool {
        destinations.contains(lane.destination) || lanes.contains(lane)
    }
}
