internal import MailStore
internal import MartletCore
internal import Records

/// A message with recipients whose lease is ours.
struct Work: Sendable {
    enum State: Sendable {
        /// For its destination's turn.
        case waiting
        case attempting(since: Instant)
        /// - failures: of the store in a row.
        case settling(SettlementPlan, failures: Int, retryAt: Instant?)
    }

    var delivery: QueuedDelivery
    var destination: String
    var leaseUntil: Instant
    var state: State
    /// Somebody else may have it: only what the other side has taken is still told to the store.
    var isLost = false
    var isCancelled = false
    /// Counts as running until it is settled.
    var isAttempt = false
    /// Was in the share of suspects when it started.
    var isSuspect = false

    func lease(of owner: Int64) -> QueueLease {
        QueueLease(code: delivery.message.code, numbers: delivery.recipients.map(\.number), owner: owner)
    }
}

struct RecipientKey: Sendable, Hashable {
    var code: LookupCode
    var number: Int
}
