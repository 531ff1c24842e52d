public import MartletCore

/// One attempt to hand a message to another server, as it is kept with the message's record (DESIGN.md §6).
public struct DeliveryAttempt: Sendable, Hashable {
    /// What became of one recipient in it.
    public struct Recipient: Sendable, Hashable {
        public enum Outcome: String, Sendable, Hashable, CaseIterable {
            case relayed
            case delayed
            case failed
        }
        public var address: String
        public var outcome: Outcome
        /// The answer that decided it, or what went wrong, as one line.
        public var reply: String
        /// When it is tried next; for `delayed`.
        public var nextAttempt: Instant?
        public init(address: String, outcome: Outcome, reply: String, nextAttempt: Instant? = nil) {
            self.address = address
            self.outcome = outcome
            self.reply = reply
            self.nextAttempt = nextAttempt
        }
    }

    public var at: Instant
    public var duration: Duration
    /// The domain that it was for.
    public var destination: String
    /// The server's name and numeric address that were spoken to last; nil where none was reached.
    public var host: String?
    public var address: String?
    /// nil for an attempt in clear, or one that came to no connection.
    public var tls: TLSParameters?
    /// The route: MX records asked for, hosts passed over and why.
    public var decisions: [Decision]
    /// Lines of both sides, ours with `> `, theirs with `< `, notes with `* `. No message content, no secrets; bounded.
    public var transcript: [String]
    public var recipients: [Recipient]

    public init(
        at: Instant, duration: Duration, destination: String, host: String? = nil, address: String? = nil,
        tls: TLSParameters? = nil, decisions: [Decision] = [], transcript: [String] = [], recipients: [Recipient] = []
    ) {
        self.at = at
        self.duration = duration
        self.destination = destination
        self.host = host
        self.address = address
        self.tls = tls
        self.decisions = decisions
        self.transcript = transcript
        self.recipients = recipients
    }
}
