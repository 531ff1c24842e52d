public import MailStore
public import MartletCore

/// What the shell is asked to do, in this order. Each answer comes back as a `QueueEvent`.
public enum QueueAction: Sendable, Hashable {
    /// `QueueStore.dueLanes`; when it brings fewer than the limit, `nextDue` too, with what it
    /// brought excluded as well. One at a time.
    case lookForDue(excluding: QueueExclusion, limit: Int)
    /// `QueueStore.claim`. One at a time.
    case claim([QueueClaim])
    /// Hand this to its destination.
    case attempt(AttemptID, QueuedDelivery)
    /// `QueueStore.settle`, with what belongs to the attempt, its notices, and our name as owner. Also for work that was never
    /// attempted (`isWithoutAttempt`): `QueueEngine.delivery(of:)` has what notices are made of.
    case settle(AttemptID, SettlementPlan)
    /// `QueueStore.postpone`.
    case postpone(destination: String, until: Instant)
    /// `QueueStore.renew`. No answer is needed when the store fails.
    case renew([AttemptID: QueueLease], until: Instant)
    /// The work is no longer ours or soon will not be: drop the connection. Ends with `attemptEnded` all the same.
    case cancel(AttemptID)
    /// Send `QueueEvent.wake` then. Takes the place of the one before.
    case wake(at: Instant)
    /// After `stop`: nothing is in flight any more.
    case stopped
}
