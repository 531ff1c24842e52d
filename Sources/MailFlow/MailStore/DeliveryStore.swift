public import MartletCore
public import Records

/// A message that was accepted, with all that its commit writes: one blob, a row for each recipient, record and ledger.
public struct AcceptedMessage: Sendable {
    public struct Recipient: Sendable {
        public var account: AccountID
        /// A mailbox name; INBOX is used when it does not exist.
        public var mailbox: String
        /// Header lines that only this recipient's copy has, with their CRLFs: Return-Path, Delivered-To.
        public var prefix: [UInt8]
        /// As given in RCPT and after expansion, for the record.
        public var original: String
        public var final: EmailAddress
        public init(account: AccountID, mailbox: String, prefix: [UInt8], original: String, final: EmailAddress) {
            self.account = account
            self.mailbox = mailbox
            self.prefix = prefix
            self.original = original
            self.final = final
        }
    }

    /// A lease that is written with what it is on.
    public struct OutboundLease: Sendable, Hashable {
        /// Of the process; never 0.
        public var owner: Int64
        public var until: Instant
        public init(owner: Int64, until: Instant) {
            self.owner = owner
            self.until = until
        }
    }

    public var content: SpooledMessage
    public var summary: StoredSummary
    public var internalDate: Instant
    public var recipients: [Recipient]
    /// What goes to other servers: queued in the same commit.
    public var outbound: QueuedDelivery?
    /// Whose the recipients of `outbound` are from the start that are `leased`: who delivers need not claim them. Without it
    /// they wait.
    public var outboundLease: OutboundLease?
    /// Recipients that were taken and are left out by a rule that the record names: counted as discarded.
    public var discarded: Int
    /// Without `deliveries`: the store adds them with UIDs as it commits.
    public var record: Record
    /// LMTP asks for an answer for each recipient: one over quota fails alone. SMTP has answered at RCPT already.
    public var enforcesQuota: Bool

    public init(
        content: SpooledMessage, summary: StoredSummary, internalDate: Instant, recipients: [Recipient],
        outbound: QueuedDelivery? = nil, outboundLease: OutboundLease? = nil, discarded: Int = 0, record: Record,
        enforcesQuota: Bool
    ) {
        self.content = content
        self.summary = summary
        self.internalDate = internalDate
        self.recipients = recipients
        self.outbound = outbound
        self.outboundLease = outboundLease
        self.discarded = discarded
        self.record = record
        self.enforcesQuota = enforcesQuota
    }
}

/// The outcome for one recipient of an `AcceptedMessage`.
public enum RecipientResult: Sendable, Hashable {
    case delivered(mailbox: String, uid: UInt32)
    case overQuota
    case noSuchAccount
}

public protocol DeliveryStore: Sendable {
    func makeSpool() throws(StoreError) -> any SpoolWriter
    /// Commits blob, rows, record and ledger together. Returns after all of it is durable; results are in the order of
    /// `recipients`. Throws when nothing was committed.
    func deliver(_ message: AcceptedMessage) async throws(StoreError) -> [RecipientResult]
}

/// What a query for records asks. All that is given must hold.
public struct RecordQuery: Sendable, Hashable {
    public var code: LookupCode?
    /// With or without angle brackets.
    public var messageID: String?
    /// Sender or recipient.
    public var address: String?
    public var since: Instant?
    public var until: Instant?
    public var kind: Record.Kind?
    public var outcome: Decision.Outcome?
    /// Newest first; at most this many.
    public var limit: Int
    public init(
        code: LookupCode? = nil, messageID: String? = nil, address: String? = nil, since: Instant? = nil,
        until: Instant? = nil,
        kind: Record.Kind? = nil, outcome: Decision.Outcome? = nil, limit: Int = 20
    ) {
        self.code = code
        self.messageID = messageID
        self.address = address
        self.since = since
        self.until = until
        self.kind = kind
        self.outcome = outcome
        self.limit = limit
    }
}

public protocol RecordStore: Sendable {
    /// Writes a record that goes with no other change (a refusal). Durable with the next group commit; the caller need not wait.
    func write(_ record: Record) async throws(StoreError)
    func records(_ query: RecordQuery) async throws(StoreError) -> [Record]
    /// The ledger as counted, and as recounted from the rows that it stands for.
    func ledger() async throws(StoreError) -> LedgerReport
    /// Removes records older than `instant`. Returns how many.
    func purgeRecords(before instant: Instant) async throws(StoreError) -> Int
}

public struct LedgerReport: Sendable, Hashable {
    public var ledger: Ledger
    /// The same entries, counted again from the records and rows that they stand for, as far as these are kept.
    public var recounted: Ledger
    public init(ledger: Ledger, recounted: Ledger) {
        self.ledger = ledger
        self.recounted = recounted
    }
    public var holds: Bool { ledger.holds && recounted.holds && ledger == recounted }
}
