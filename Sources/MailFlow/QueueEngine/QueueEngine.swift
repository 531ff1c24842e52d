public import MailStore
public import MartletCore
internal import Records

/// Outbound delivery as a machine: (state, event, now) to actions.
///
/// It holds a working set and never the queue: leased work in flight or about to start, the lanes known to have something due,
/// and the destinations that are failing. Each of these has a bound in its configuration, and an event costs O(what it
/// touches), so that a queue of a million costs what a queue of a thousand does.
///
/// - Turns: free attempts go round the destinations, and within a destination round its lanes (senders). Destinations that are
///   failing or slow share a part of all attempts. A destination's window starts small, grows by one for each window of
///   attempts that worked, and halves when a connection fails.
/// - Dead destinations: after failures in a row the whole destination is left alone for a growing while, then tried with one
///   attempt. Its messages keep their attempt counts; those past their time end with its failure as their last attempt.
/// - Leases: work in flight is renewed; what can no longer be is cancelled before its lease ends. A recipient that is claimed
///   again while we still work on it is not attempted a second time.
///
/// States: not started, running, stopping, stopped. RFC 5321 §4.5.4, RFC 3461 §5.2.
public struct QueueEngine: Sendable {
    enum Phase: Sendable {
        case created
        case running
        case stopping
        case stopped
    }

    public let configuration: QueueEngineConfiguration
    var phase = Phase.created
    var destinations: [String: DestinationState] = [:]
    /// All work whose lease is ours.
    var work: [AttemptID: Work] = [:]
    /// Who works on a recipient.
    var held: [RecipientKey: AttemptID] = [:]
    var lastID: UInt64 = 0

    var inFlight = 0
    var suspectsInFlight = 0
    /// Attempts that are over and not yet committed; they count as running, so that a slow store slows delivery.
    var settling = 0
    var buffered = 0
    var readyLanes = 0

    /// Destinations with something to start, and with something to claim.
    var startTurns = StandingTurns()
    var claimTurns = StandingTurns()
    var sweepTurns = TurnQueue<String>()
    /// Remembered as failing, the longest first.
    var failing = TurnQueue<String>()

    var isClaiming = false
    var isLooking = false
    /// The store may have something due that is not known here.
    var mayHaveDue = false
    var lastLook: Instant?
    var claimsFrom: Instant?

    // Timers
    var dueAt: Instant?
    var leaseCheckAt: Instant?
    var settleRetryAt: Instant?
    var timer: Instant?

    public init(configuration: QueueEngineConfiguration) { self.configuration = configuration }

    /// Tells the engine what happened, and returns what is to be done.
    /// - Parameters:
    ///   - now: never before the `now` of an earlier call by more than clocks are set back.
    ///   - generator: for jitter.
    public mutating func handle(
        _ event: QueueEvent, now: Instant, using generator: inout some RandomNumberGenerator
    ) -> [QueueAction] {
        var actions: [QueueAction] = []
        switch event {
        case .started:
            if case .created = phase { phase = .running }
            mayHaveDue = true
        case .arrived(let lanes):
            if lanes.isEmpty { mayHaveDue = true }
            for lane in lanes { note(lane, now: now, &actions) }
        case .askedAgain(let names):
            for name in names ?? Array(destinations.keys) { destinations[name]?.endPause() }
            mayHaveDue = true
        case .arrivedLeased(let deliveries, let leaseUntil):
            for delivery in deliveries { admitFresh(delivery, leaseUntil: leaseUntil, now: now, &actions) }
        case .dueLanes(let lanes, let next):
            looked(lanes, next: next, now: now, &actions)
        case .lookFailed:
            isLooking = false
            mayHaveDue = false
            dueAt = now + configuration.storeRetry
        case .claimed(let claims, let deliveries):
            claimed(claims, deliveries, now: now, &actions)
        case .claimFailed(let claims):
            claimFailed(claims, now: now)
        case .attemptEnded(let id, let report):
            attemptEnded(id, report, now: now, &actions, using: &generator)
        case .settled(let id):
            settled(id)
        case .settleFailed(let id):
            settleFailed(id, now: now)
        case .postponed(let destination):
            destinations[destination]?.isBeingPostponed = false
            review(destination)
        case .renewed(let ids, let until, let lost):
            for id in ids { work[id]?.leaseUntil = until }
            for id in lost { leaseLost(id, &actions) }
        case .wake:
            timer = nil
            timeCame(now, &actions)
        case .stop:
            stop(now, &actions)
        }
        schedule(now, &actions)
        return actions
    }

    /// Whether a message that is about to be committed for a destination could be attempted at once: then it is committed
    /// leased and handed over with `arrivedLeased`, which saves a claim.
    public func canTakeLeased(_ destination: String, now: Instant) -> Bool {
        guard case .running = phase, buffered < configuration.maximumBuffered else { return false }
        guard let state = destinations[destination] else { return true }
        return !state.isPaused(now) && state.buffered < freshRoom(state)
    }

    /// The work that an action names, until it is settled: who makes notices needs it for work that was never attempted too.
    public func delivery(of id: AttemptID) -> QueuedDelivery? { work[id]?.delivery }

    /// What is in the working set now, for metrics.
    public var load: Load {
        Load(
            attempts: inFlight, settling: settling, buffered: buffered, lanes: readyLanes,
            destinations: destinations.count)
    }

    /// Sizes of the working set.
    public struct Load: Sendable, Hashable {
        public var attempts: Int
        public var settling: Int
        public var buffered: Int
        public var lanes: Int
        public var destinations: Int
        public init(attempts: Int = 0, settling: Int = 0, buffered: Int = 0, lanes: Int = 0, destinations: Int = 0) {
            self.attempts = attempts
            self.settling = settling
            self.buffered = buffered
            self.lanes = lanes
            self.destinations = destinations
        }
    }

    /// The window of a destination and what is in flight to it; nil when nothing is known of it.
    public func window(of destination: String) -> (size: Int, inFlight: Int)? {
        destinations[destination].map { (min($0.window, configuration.maximumWindow), $0.inFlight) }
    }
}
