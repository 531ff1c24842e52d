public import MailStore
public import MartletCore
internal import Synchronization

/// The conformance suite of the store protocols: every engine passes every case. Written against the protocols alone; a test
/// target runs the cases with its engine (`for case in StoreConformance.all`).
public enum StoreConformance {
    public static let all: [ConformanceCase] =
        mailboxes + messages + changes + delivery + directory + records
        + queueing + claims + leases + settlements + lanes + queueAdministration
}

/// One property of a store, as a sentence.
public struct ConformanceCase: Sendable, CustomStringConvertible {
    public let description: String
    let body: @Sendable (StoreUnderTest) async throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (StoreUnderTest) async throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Throws a `ConformanceFailure` when the store does not behave so.
    public func run(on store: StoreUnderTest) async throws { try await body(store) }
}

/// A fresh, empty store, its clock, and what of it is there.
public struct StoreUnderTest: Sendable {
    public typealias Store = MailboxStore & DeliveryStore & DirectoryStore & QueueStore

    public let store: any Store
    /// Nil for a store without records.
    public let records: (any RecordStore)?
    public let clock: TestClock

    public init(store: any Store, records: (any RecordStore)?, clock: TestClock) {
        self.store = store
        self.records = records
        self.clock = clock
    }
}

/// A clock that stands until it is moved.
public final class TestClock: WallClock {
    private let time: Mutex<Instant>
    public init(_ time: Instant = Instant(year: 2026, month: 3, day: 1)) { self.time = Mutex(time) }
    public func now() -> Instant { time.withLock { $0 } }
    public func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

public struct ConformanceFailure: Error, CustomStringConvertible {
    public let description: String
}

func expect(_ claim: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line)
    throws
{
    if !claim { throw ConformanceFailure(description: "\(file):\(line): \(message())") }
}

func expectEqual<Value: Equatable>(_ left: Value, _ right: Value, file: StaticString = #fileID, line: UInt = #line)
    throws
{
    if left != right { throw ConformanceFailure(description: "\(file):\(line): \(left) is not \(right)") }
}

func require<Value>(_ value: Value?, _ what: String, file: StaticString = #fileID, line: UInt = #line) throws -> Value {
    guard let value else { throw ConformanceFailure(description: "\(file):\(line): no \(what)") }
    return value
}

/// The call has to fail with an error that `matches`.
func expectError(
    _ name: String, _ matches: (StoreError) -> Bool, file: StaticString = #fileID, line: UInt = #line,
    _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as StoreError {
        guard matches(error) else {
            throw ConformanceFailure(description: "\(file):\(line): \(error) instead of \(name)")
        }
        return
    }
    throw ConformanceFailure(description: "\(file):\(line): no error instead of \(name)")
}

func expectError(
    _ error: StoreError, file: StaticString = #fileID, line: UInt = #line, _ body: () async throws -> Void
) async throws {
    try await expectError("\(error)", { $0 == error }, file: file, line: line, body)
}
