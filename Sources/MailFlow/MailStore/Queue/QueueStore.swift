public import MartletCore
public import Records

/// The queue's rows. Every writing call returns after its change is durable.
///
/// Who works on a recipient has a lease on it; when that ends without an answer, anybody may take it up again.
public protocol QueueStore: Sendable {
    /// Lanes with something due at `now`, the longest due first, without those in `excluded`; at most `limit`.
    /// Costs O(limit + due lanes of excluded), however long the queue is.
    func dueLanes(now: Instant, excluding excluded: QueueExclusion, limit: Int) async throws(StoreError) -> [QueueLane]
    /// When the next lane that is not in `excluded` becomes due; nil when nothing waits.
    func nextDue(excluding excluded: QueueExclusion) async throws(StoreError) -> Instant?
    /// Leases at most `request.messages` deliveries of a lane, the longest due first, each with at most `request.recipients` of
    /// a message's due recipients. A message whose recipients do not go with each other makes several. Postponement is not
    /// asked: who claims knows of the lane.
    func claim(_ requests: [QueueClaim], now: Instant) async throws(StoreError) -> [QueuedDelivery]
    /// Prolongs leases. Returns those that are still their owner's, with all their recipients; the others are lost.
    func renew(_ leases: [QueueLease], until instant: Instant) async throws(StoreError) -> [QueueLease]
    /// Leases messages by name, due or not, held or not, for an administrator: one delivery a message, whatever its recipients
    /// have in common. Leased ones are left out.
    func claim(_ query: QueueQuery, owner: Int64, leaseUntil: Instant, now: Instant) async throws(StoreError)
        -> [QueuedDelivery]
    /// Writes what became of leased recipients, with record and ledger, and the notices to their sender, in one commit.
    /// A settlement of which `owner` has lost a lease is left out whole: somebody else has taken the work up. 0 asks for no check.
    /// What was spooled for the notices is used up, also when it fails: who tries again makes them anew.
    func settle(_ settlements: [QueueSettlement], owner: Int64) async throws(StoreError)
    /// Nothing of a destination becomes due before `instant` for `dueLanes` and `nextDue`: its server is known to be down. Holds
    /// for what comes later too, while anything waits; a later instant stands. Costs O(lanes of the destination).
    func postpone(destination: String, until instant: Instant) async throws(StoreError)
    /// Ends the leases of processes that are known to be dead: with one process at a time, of all others.
    func endLeases(exceptOf owner: Int64, now: Instant) async throws(StoreError)

    func queued(_ query: QueueQuery) async throws(StoreError) -> [QueuedDelivery]
    func queueStatistics() async throws(StoreError) -> QueueStatistics
    /// Holds, releases or brings forward recipients, whatever `query.limit`. Leased ones are left alone. Returns how many changed.
    func change(_ change: QueueChange, of query: QueueQuery, now: Instant) async throws(StoreError) -> Int
    /// Bytes of a queued message.
    func content(of blob: BlobID) async throws(StoreError) -> any MessageReading
}

public struct QueueClaim: Sendable, Hashable {
    public var lane: QueueLane
    public var messages: Int
    /// Of each message.
    public var recipients: Int
    /// Of the process; never 0.
    public var owner: Int64
    public var leaseUntil: Instant
    /// Waiting recipients of messages past `expiresAt`, due or not, of all lanes of the destination; `lane.lane` says nothing.
    public var isForExpired: Bool
    public init(
        lane: QueueLane, messages: Int, recipients: Int, owner: Int64, leaseUntil: Instant, isForExpired: Bool = false
    ) {
        self.lane = lane
        self.messages = messages
        self.recipients = recipients
        self.owner = owner
        self.leaseUntil = leaseUntil
        self.isForExpired = isForExpired
    }
}

/// What became of the recipients of one attempt.
public struct QueueSettlement: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// The other side has taken responsibility.
        case relayed(reply: String)
        /// Is tried again.
        case retry(at: Instant, reply: String, hasDelayNotice: Bool)
        /// Failed for good, and one of `notices` tells its sender.
        case failed(reply: String)
        /// Failed for good, and nobody is told, by a rule: `NOTIFY=NEVER`, `null sender`, `cancelled`.
        case discarded(reply: String, rule: String)
        /// Not tried: becomes due again as if it had not been leased, attempts not counted.
        case returned(at: Instant)
    }

    public var code: LookupCode
    /// By recipient number.
    public var outcomes: [(number: Int, outcome: Outcome)]
    /// What happened on the wire; kept with the message's record. nil when nothing did.
    public var attempt: DeliveryAttempt?
    /// Bounces, delay and success notices that these outcomes ask for, ready to be committed with them.
    public var notices: [AcceptedMessage]
    public init(
        code: LookupCode, outcomes: [(number: Int, outcome: Outcome)], attempt: DeliveryAttempt?,
        notices: [AcceptedMessage] = []
    ) {
        self.code = code
        self.outcomes = outcomes
        self.attempt = attempt
        self.notices = notices
    }
}

/// Which queued recipients. All that is given must hold.
public struct QueueQuery: Sendable, Hashable {
    public var code: LookupCode?
    /// The domain that it goes to.
    public var destination: String?
    /// A sender or recipient.
    public var address: String?
    public var state: QueuedRecipient.State?
    /// Messages; oldest first.
    public var limit: Int
    public init(
        code: LookupCode? = nil, destination: String? = nil, address: String? = nil,
        state: QueuedRecipient.State? = nil, limit: Int = 100
    ) {
        self.code = code
        self.destination = destination
        self.address = address
        self.state = state
        self.limit = limit
    }
}

public enum QueueChange: Sendable, Hashable {
    case hold
    case release
    /// Due now, whatever its schedule; its lane is no longer postponed. Held recipients stay so.
    case retry
}

public struct QueueStatistics: Sendable, Hashable {
    public struct Destination: Sendable, Hashable {
        public var destination: String
        public var recipients: Int64
        /// When it is tried next.
        public var nextDue: Instant?
        public init(destination: String, recipients: Int64, nextDue: Instant?) {
            self.destination = destination
            self.recipients = recipients
            self.nextDue = nextDue
        }
    }
    public var messages: Int64
    public var recipients: Int64
    public var held: Int64
    public var oldest: Instant?
    /// The largest first; at most 100.
    public var destinations: [Destination]
    public init(messages: Int64, recipients: Int64, held: Int64, oldest: Instant?, destinations: [Destination]) {
        self.messages = messages
        self.recipients = recipients
        self.held = held
        self.oldest = oldest
        self.destinations = destinations
    }
}
