internal import MailStore

/// A writing call that waits for the committer.
class Operation: @unchecked Sendable {
    /// What it does with segment files beside storing what is new.
    enum SegmentUse {
        case storesNew
        /// Its content is stored though it is there already: compaction moves it. Goes alone.
        case storesAgain
        /// What comes next goes to a new file. Goes alone.
        case beginsFile
    }

    // Unchecked: made by the caller, then handed through the queue to the committer's thread, which alone touches it.

    /// Messages whose bytes have to be stored before `run`.
    let content: [SpooledMessage]
    /// Whether it is alone in its batch: changes that others of the batch must not be checked against too early.
    let isExclusive: Bool
    let segmentUse: SegmentUse

    init(content: [SpooledMessage], isExclusive: Bool, segmentUse: SegmentUse = .storesNew) {
        self.content = content
        self.isExclusive = isExclusive || segmentUse != .storesNew
        self.segmentUse = segmentUse
    }

    /// Makes the change. Throws before the first row is written, or the whole batch is done again one by one.
    func run(in transaction: WriteTransaction) throws {}
    /// Tells the caller.
    func complete(with error: StoreError?) {}
}

/// An operation somebody waits for.
final class WaitingOperation<Value: Sendable>: Operation, @unchecked Sendable {
    typealias Continuation = UnsafeContinuation<Result<Value, StoreError>, Never>
    private let body: (WriteTransaction) throws -> Value
    private let continuation: Continuation
    private var value: Value?

    init(
        content: [SpooledMessage], isExclusive: Bool, segmentUse: SegmentUse, continuation: Continuation,
        body: @escaping (WriteTransaction) throws -> Value
    ) {
        self.body = body
        self.continuation = continuation
        super.init(content: content, isExclusive: isExclusive, segmentUse: segmentUse)
    }

    override func run(in transaction: WriteTransaction) throws { value = try body(transaction) }

    override func complete(with error: StoreError?) {
        if let error {
            continuation.resume(returning: .failure(error))
        } else if let value {
            continuation.resume(returning: .success(value))
        } else {
            continuation.resume(returning: .failure(.unavailable(reason: "the operation did not run")))
        }
    }
}

/// An operation nobody waits for.
final class BackgroundOperation: Operation, @unchecked Sendable {
    private let body: (WriteTransaction) throws -> Void
    private let failed: @Sendable (StoreError) -> Void

    init(failed: @escaping @Sendable (StoreError) -> Void, body: @escaping (WriteTransaction) throws -> Void) {
        self.body = body
        self.failed = failed
        super.init(content: [], isExclusive: false)
    }

    override func run(in transaction: WriteTransaction) throws { try body(transaction) }
    override func complete(with error: StoreError?) { if let error { failed(error) } }
}
