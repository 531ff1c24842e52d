internal import Synchronization

/// Tells an idling session of changes: watchers call `changed` from any thread after each commit. While the session does not
/// idle that costs one atomic load; while it does, the first call wakes it and the ones until it has looked are swallowed.
final class IdleSignal: Sendable {
    private static let quiet = 0
    private static let armed = 1
    private static let fired = 2

    private let state = Atomic<Int>(IdleSignal.quiet)

    /// Whether the caller has to wake the session.
    func changed() -> Bool {
        state.load(ordering: .acquiring) == IdleSignal.armed
            && state.compareExchange(
                expected: IdleSignal.armed, desired: IdleSignal.fired, ordering: .acquiringAndReleasing
            ).exchanged
    }

    /// From now on `changed` wakes. To be called before the session looks for changes, so that none falls between.
    func arm() { state.store(IdleSignal.armed, ordering: .sequentiallyConsistent) }
    func disarm() { state.store(IdleSignal.quiet, ordering: .sequentiallyConsistent) }
}
