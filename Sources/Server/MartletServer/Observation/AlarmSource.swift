internal import Observation
internal import Synchronization

/// Where the administration of a running server learns of its alarms. Empty while there is none.
package final class AlarmSource: Sendable {
    private let source = Mutex<(@Sendable () async -> Readiness)?>(nil)
    package init() {}
    func connect(_ source: @escaping @Sendable () async -> Readiness) { self.source.withLock { $0 = source } }
    func callAsFunction() async -> Readiness? { await source.withLock { $0 }?() }
}
