public import ServerMetrics

/// Mail to other servers since the start.
public final class RelayMetrics: Sendable {
    /// What became of a recipient in an attempt, as a label.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case relayed
        case deferred
        /// For good: its sender is told.
        case bounced
        /// For good, and nobody is told.
        case discarded
    }

    public let recipients = CounterFamily<Outcome>()
    /// How long attempts took, from the look for a route to the answer.
    public let attempts = Histogram(bounds: Histogram.networkSeconds)

    public init() {}
}
