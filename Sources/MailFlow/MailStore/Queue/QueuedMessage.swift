public import MartletCore
public import Records

/// What the queue keeps of a message whose recipients are elsewhere: the envelope that all of them share.
public struct QueuedMessage: Sendable, Hashable {
    /// The code of the message's record; the queue's own name for it too.
    public var code: LookupCode
    public var blob: BlobID
    /// Octets.
    public var size: Int
    /// What the next server has to be able to take.
    public var body: BodyType
    /// An address or a header field is not ASCII (RFC 6531 §3.2).
    public var needsSMTPUTF8: Bool
    /// ENVID, decoded from xtext.
    public var envelopeID: String?
    public var returnContent: ReturnContent?
    /// Who shares a turn: the account that submitted, the address of who forwards. Two bulk mails of one sender wait for each
    /// other; two senders do not.
    public var lane: String
    public var queuedAt: Instant
    /// After it the next failure is the last one.
    public var expiresAt: Instant

    public init(
        code: LookupCode, blob: BlobID, size: Int, body: BodyType, needsSMTPUTF8: Bool, envelopeID: String? = nil,
        returnContent: ReturnContent? = nil, lane: String, queuedAt: Instant, expiresAt: Instant
    ) {
        self.code = code
        self.blob = blob
        self.size = size
        self.body = body
        self.needsSMTPUTF8 = needsSMTPUTF8
        self.envelopeID = envelopeID
        self.returnContent = returnContent
        self.lane = lane
        self.queuedAt = queuedAt
        self.expiresAt = expiresAt
    }
}

/// One recipient of a queued message: the unit of the ledger's `queued`.
public struct QueuedRecipient: Sendable, Hashable {
    public enum State: String, Sendable, Hashable {
        /// Is tried at `nextAttempt`.
        case waiting
        /// Somebody tries it now, until its lease ends.
        case leased
        /// Waits until an administrator releases it.
        case held
    }

    /// From 0, unique within the message.
    public var number: Int
    public var address: EmailAddress
    /// As given in RCPT, before aliases.
    public var original: String
    /// ORCPT as given: `rfc822;user@example.test`, decoded from xtext.
    public var originalRecipient: String?
    public var notify: NotifyConditions
    /// Who bounces go to; nil for `<>`. Forwarded recipients have another one than the message's other recipients (SRS).
    public var reversePath: EmailAddress?
    /// The address that bounces reach in the end, before it was rewritten for forwarding; nil for `<>`.
    public var sender: EmailAddress?
    /// The alias of ours that forwards: named in the copy's Delivered-To, so that a circle ends (RFC 5321 §6.3).
    public var deliveredTo: EmailAddress?
    /// What connections are counted by: the domain in A-labels, or an address literal in brackets.
    public var destination: String
    public var state: State
    public var nextAttempt: Instant
    /// Attempts that ended with a failure.
    public var attempts: Int
    /// The last answer of the other side, or what kept it from answering; one line.
    public var lastReply: String?
    public var hasDelayNotice: Bool

    public init(
        number: Int, address: EmailAddress, original: String, originalRecipient: String? = nil,
        notify: NotifyConditions = .standard, reversePath: EmailAddress?, sender: EmailAddress?,
        deliveredTo: EmailAddress? = nil, destination: String, state: State = .waiting, nextAttempt: Instant,
        attempts: Int = 0, lastReply: String? = nil,
        hasDelayNotice: Bool = false
    ) {
        self.number = number
        self.address = address
        self.original = original
        self.originalRecipient = originalRecipient
        self.notify = notify
        self.reversePath = reversePath
        self.sender = sender
        self.deliveredTo = deliveredTo
        self.destination = destination
        self.state = state
        self.nextAttempt = nextAttempt
        self.attempts = attempts
        self.lastReply = lastReply
        self.hasDelayNotice = hasDelayNotice
    }
}

/// Work for one transaction: a message with those of its due recipients that have destination, reverse path and forwarding alias in common.
public struct QueuedDelivery: Sendable, Hashable {
    public var message: QueuedMessage
    /// At least one.
    public var recipients: [QueuedRecipient]
    public init(message: QueuedMessage, recipients: [QueuedRecipient]) {
        self.message = message
        self.recipients = recipients
    }
}

/// Recipients that wait for one destination and belong to one sender.
public struct QueueLane: Sendable, Hashable {
    public var destination: String
    public var lane: String
    public init(destination: String, lane: String) {
        self.destination = destination
        self.lane = lane
    }
}
