public import MailStore
public import MartletCore

/// What the engine is told.
public enum QueueEvent: Sendable, Hashable {
    /// The store is open, and leases of dead processes were ended where they are known to be dead.
    case started
    /// New work was committed for these lanes; none: somewhere, the store knows.
    case arrived([QueueLane])
    /// An administrator wants what waits for these destinations tried now, also where they are left alone; nil: for all.
    case askedAgain([String]?)
    /// The same, committed with our lease on it.
    case arrivedLeased([QueuedDelivery], leaseUntil: Instant)
    /// The answer to `lookForDue`. - next: when more becomes due; asked for when fewer than the limit came.
    case dueLanes([QueueLane], next: Instant?)
    /// The store could not answer `lookForDue`.
    case lookFailed
    /// The answer to `claim`, with what was asked. Deliveries are told apart by destination and lane.
    case claimed([QueueClaim], [QueuedDelivery])
    case claimFailed([QueueClaim])
    case attemptEnded(AttemptID, AttemptReport)
    /// The settlement is durable, or was left out since others have the work now.
    case settled(AttemptID)
    /// Nothing was committed; it is tried again.
    case settleFailed(AttemptID)
    /// `postpone` is done, or could not be done.
    case postponed(destination: String)
    /// The answer to `renew`. - lost: work that is no longer ours.
    case renewed([AttemptID], until: Instant, lost: [AttemptID])
    /// The timer that `wake` set.
    case wake
    /// No new attempts; ends with `stopped`.
    case stop
}
