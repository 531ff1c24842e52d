public import DeliveryPolicy
public import MailStore
public import SMTPProtocol

/// What an operator may set of the SMTP, submission and LMTP services. All have defaults.
public struct SMTPServerConfiguration: Sendable {
    /// The name in greeting and Received: the host's full name.
    public var hostname = "localhost"
    /// Bounds of sessions and messages.
    public var limits = SMTPLimits()
    /// Octets of a message's header: 552 5.3.4.
    public var maximumHeaderSize = 1 << 20
    /// Received fields with which a message counts as going in circles (RFC 5321 §6.3): 554 5.4.6.
    public var maximumReceived = 100
    /// Silence between commands (RFC 5321 §4.5.3.2.7): 421 4.4.2.
    public var commandTimeout = Duration.seconds(300)
    /// Silence within a message (RFC 5321 §4.5.3.2.5): 421 4.4.2.
    public var dataTimeout = Duration.seconds(300)
    /// Octets a second that a message must come at after `slowGrace`; 0: any. Slower ones get 421 4.4.2.
    public var minimumDataRate = 100
    public var slowGrace = Duration.seconds(60)
    /// How long a message that is under way has to end once the server is shutting down: 421 4.3.2.
    public var closingGrace = Duration.seconds(4)
    /// Octets of input that wait while a message is stored; then reading stops.
    public var readAheadBytes = 65_536
    /// How mail leaves; nil: it does not, and addresses elsewhere are refused.
    public var outbound: Outbound?

    /// What the queue is told of messages for other servers.
    public struct Outbound: Sendable {
        /// After it a message that is still waiting comes back to its sender (RFC 5321 §4.5.4.1).
        public var lifetime = Duration.seconds(5 * 86_400)
        /// Rewrites senders of forwarded mail.
        public var senderRewriting: SenderRewriting?
        /// Told of work that was committed.
        public var arrived: @Sendable (Set<QueueLane>) -> Void
        public init(senderRewriting: SenderRewriting?, arrived: @escaping @Sendable (Set<QueueLane>) -> Void) {
            self.senderRewriting = senderRewriting
            self.arrived = arrived
        }
    }

    public init() {}
}
