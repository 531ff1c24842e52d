public import MartletCore

/// What happened to one connection, one recipient that was refused, or one message, and why (Docs/architecture.md).
///
/// Built from decisions and nothing else, written in the same commit as what it explains, content-free: addresses, sizes
/// and identifiers, never a subject or a body.
public struct Record: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A connection that was refused or ended badly.
        case connection
        /// A recipient (or sender) that was refused in a transaction.
        case refusal
        /// A message that was taken, or refused after DATA.
        case message
        /// A login that failed.
        case login
    }

    /// Who spoke to us, and how.
    public struct Peer: Sendable, Hashable {
        /// Numeric, without port: `192.0.2.7`, `2001:db8::7`.
        public var address: String
        /// What it called itself in HELO or EHLO.
        public var helo: String?
        public var tls: TLSParameters?
        /// The login name, when it had authenticated.
        public var login: String?
        public init(address: String, helo: String? = nil, tls: TLSParameters? = nil, login: String? = nil) {
            self.address = address
            self.helo = helo
            self.tls = tls
            self.login = login
        }
    }

    /// What became of one recipient.
    public struct Delivery: Sendable, Hashable {
        /// As given in RCPT.
        public var recipient: String
        /// The address whose mailbox it reached, after aliases; nil when it reached none.
        public var finalAddress: String?
        public var mailbox: String?
        /// The UID that it got there.
        public var uid: UInt32?
        public var outcome: Decision.Outcome
        public init(
            recipient: String, finalAddress: String? = nil, mailbox: String? = nil, uid: UInt32? = nil,
            outcome: Decision.Outcome
        ) {
            self.recipient = recipient
            self.finalAddress = finalAddress
            self.mailbox = mailbox
            self.uid = uid
            self.outcome = outcome
        }
    }

    public var code: LookupCode
    public var kind: Kind
    public var at: Instant
    /// `smtp`, `submission`, `submissions`, `lmtp`, `imap`, `imaps`, `pop3`, `pop3s`, `command`.
    public var service: String
    public var peer: Peer
    /// The reverse path without brackets; empty for `<>`; nil where there was no MAIL.
    public var sender: String?
    /// Recipients that were taken or refused, as given in RCPT.
    public var recipients: [String]
    /// With angle brackets, as in the header.
    public var messageID: String?
    /// Octets of the message.
    public var size: Int?
    public var decisions: [Decision]
    public var deliveries: [Delivery]
    /// How its outside recipients were tried since, the oldest first. Kept beside the record, which is not written again.
    public var attempts: [DeliveryAttempt] = []
    /// The reply that the peer got, as one line.
    public var reply: String?

    public init(
        code: LookupCode, kind: Kind, at: Instant, service: String, peer: Peer, sender: String? = nil,
        recipients: [String] = [],
        messageID: String? = nil, size: Int? = nil, decisions: [Decision] = [], deliveries: [Delivery] = [],
        reply: String? = nil
    ) {
        self.code = code
        self.kind = kind
        self.at = at
        self.service = service
        self.peer = peer
        self.sender = sender
        self.recipients = recipients
        self.messageID = messageID
        self.size = size
        self.decisions = decisions
        self.deliveries = deliveries
        self.reply = reply
    }

    /// Whether some of it went, or has to go, to other servers.
    public var isQueued: Bool { deliveries.contains { $0.outcome == .queue } }

    /// The outcome for the list: the last decision that was more than `pass`.
    public var outcome: Decision.Outcome { decisions.last { $0.outcome != .pass }?.outcome ?? .pass }
}
