internal import MailStore
internal import MartletCore

/// What is known of one destination: how many attempts it bears, how it fared, and the lanes that wait for it.
/// Exists while something is in flight or the destination is remembered as failing.
struct DestinationState: Sendable {
    /// The work of one sender.
    struct Lane: Sendable {
        /// Leased by us, waiting for a turn; first come first.
        var buffer: [AttemptID] = []
        /// The store has more of it that is due.
        var isReady = false
        var isClaimed = false
        /// More arrived while a claim was on its way.
        var hasArrivals = false

        var isIdle: Bool { buffer.isEmpty && !isReady && !isClaimed }
    }

    // Concurrency
    /// Attempts that it bears at once.
    var window: Int
    /// Attempts that worked since the window last grew.
    private var credit = 0
    var inFlight = 0

    // Standing
    /// Connections that failed since one last worked.
    private(set) var failures = 0
    /// How often in a row it was left alone.
    private(set) var pauses = 0
    private(set) var pausedUntil: Instant?
    private(set) var lastFailure = ""
    private(set) var isSlow = false
    private(set) var hasWorked = false

    // Lanes
    var lanes: [String: Lane] = [:]
    /// Lanes with something in their buffer.
    var startTurns = TurnQueue<String>()
    /// Lanes to claim of.
    var claimTurns = TurnQueue<String>()
    var buffered = 0
    /// Lanes known to have something due in the store, or with a claim on its way.
    var readyLanes = 0
    /// A look passed over it, or its lanes were more than are kept.
    var mayHaveMore = false
    var isBeingPostponed = false

    init(window: Int) { self.window = window }

    var isSuspect: Bool { failures > 0 || pauses > 0 || isSlow }
    var isForgettable: Bool { lanes.isEmpty && inFlight == 0 && pauses == 0 && failures == 0 && !isBeingPostponed }
    func isPaused(_ now: Instant) -> Bool { pausedUntil.map { now < $0 } ?? false }

    /// Leased work that it is good to have at hand: what can start now, and for one that works a window more.
    func wanted(maximum: Int) -> Int {
        let bound = min(window, maximum)
        return max(0, (hasWorked && !isSuspect ? 2 * bound : bound) - inFlight - buffered)
    }

    /// - wasFull: as many were in flight as it was allowed; only then is it known to bear more.
    mutating func connectionWorked(wasFull: Bool, isSlow: Bool, maximum: Int) {
        failures = 0
        pauses = 0
        pausedUntil = nil
        hasWorked = true
        self.isSlow = isSlow
        guard wasFull, window < maximum else { return }
        credit += 1
        if credit >= window {
            window += 1
            credit = 0
        }
    }

    mutating func connectionFailed(reply: String) {
        failures += 1
        credit = 0
        window = max(1, window / 2)
        lastFailure = reply
    }

    /// Whether a failure just noted asks for a pause.
    func needsPause(_ now: Instant, failuresBeforePause: Int) -> Bool {
        !isPaused(now) && (pauses > 0 || failures >= failuresBeforePause)
    }

    /// It is tried again before its time; when that fails too, it is left alone for longer.
    mutating func endPause() { pausedUntil = nil }

    mutating func pause(until instant: Instant) {
        pauses += 1
        pausedUntil = instant
        window = 1
    }
}
