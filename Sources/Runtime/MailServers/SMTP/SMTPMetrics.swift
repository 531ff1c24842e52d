public import ServerMetrics

/// What one SMTP service has counted since the start.
public final class SMTPMetrics: Sendable {
    /// What was said to a sender, as a label.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case accepted
        /// 5yz: it does not come again.
        case refused
        /// 4yz: it comes again.
        case deferred

        init(code: UInt16) { self = code < 400 ? .accepted : code < 500 ? .deferred : .refused }
    }

    /// Messages, by the reply to their end.
    public let messages = CounterFamily<Outcome>()
    /// Octets of messages that were accepted, trace included.
    public let acceptedBytes = Counter()
    /// MAIL and RCPT that were not accepted.
    public let envelopes = CounterFamily<Outcome>()

    public init() {}
}
