public import MartletCore
public import Records
internal import Synchronization

/// Makes lookup codes for one process: a shared counter that starts at a random place. One for all services.
public final class LookupCodes: Sendable {
    private let counter = Atomic<UInt32>(UInt32.random(in: 0...UInt32.max))

    public init() {}

    /// A code that differs from all others of this process within some 8 million codes of one millisecond.
    public func next(at now: Instant) -> LookupCode {
        LookupCode(at: now, counter: counter.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}
