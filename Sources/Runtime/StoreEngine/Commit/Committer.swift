internal import Foundation
internal import Logging
internal import MailStore
internal import MartletCore
internal import ServerMetrics
internal import Synchronization

/// The one writer (DESIGN.md §4, group commit). A thread takes everything that waits, stores the new blobs with one
/// `fdatasync`, makes all changes in one SQL transaction, and only then answers. There is no timer: a batch is what arrived
/// while the last one was being written.
///
/// An operation that is refused throws before its first row and fails alone. When rows were written, or a statement fails, the
/// transaction is rolled back and the batch is done again with a savepoint around each operation: the common case pays for
/// none. When the disk fails, everyone in the batch is told so, and the next batch tries again.
///
/// A COMMIT that failed may be on disk all the same: after a crash its rows would come back, though their clients were told no.
/// So its bytes are never written over, and an empty commit in the place of its frames comes before any other (`settle`).
final class Committer: @unchecked Sendable {
    // Unchecked: all but the queue and the counters is touched by the committer's thread alone once it runs.
    private let queue = WorkQueue<Operation>()
    private let connection: SQLiteConnection
    private let checkpoints: Checkpointer
    private let segments: SegmentWriter
    private let accounts: AccountCache
    private let indexes: IndexCache
    private let directory: DirectoryState
    private let clock: any WallClock
    private let logger: Logger
    private let ended = DispatchSemaphore(value: 0)
    /// A COMMIT failed, and nothing has been committed since.
    private var isUnsettled = false
    let batches = Atomic<Int>(0)
    let operations = Atomic<Int>(0)
    /// Of batches that were committed, from the first octet to the moment when all is durable.
    let durations = Histogram(bounds: Histogram.diskSeconds)
    /// Batches that could not be written.
    let failures = Counter()
    /// When messages could not be put into segment files, in microseconds; 0 when the last that came could.
    let contentTrouble = Atomic<Int64>(0)

    init(
        connection: SQLiteConnection, checkpoints: Checkpointer, segments: SegmentWriter, accounts: AccountCache,
        indexes: IndexCache,
        directory: DirectoryState, clock: any WallClock, logger: Logger
    ) {
        self.connection = connection
        self.checkpoints = checkpoints
        self.segments = segments
        self.accounts = accounts
        self.indexes = indexes
        self.directory = directory
        self.clock = clock
        self.logger = logger
    }

    func start() {
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.name = "store-commit"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Commits what waits, refuses what comes later, and ends the thread.
    func stop() {
        queue.close()
        ended.wait()
        checkpoints.stop()
    }

    /// Runs `body` in a transaction and returns after it is durable.
    func submit<Value: Sendable>(
        content: [SpooledMessage] = [], isExclusive: Bool = false, segmentUse: Operation.SegmentUse = .storesNew,
        _ body: @escaping (WriteTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        let result = await withUnsafeContinuation { (continuation: WaitingOperation<Value>.Continuation) in
            let operation = WaitingOperation(
                content: content, isExclusive: isExclusive, segmentUse: segmentUse, continuation: continuation,
                body: body)
            if !queue.append(operation) { continuation.resume(returning: .failure(.closed)) }
        }
        return try result.get()
    }

    /// Runs `body` with the next batch; nobody waits.
    func submitInBackground(_ body: @escaping (WriteTransaction) throws -> Void) throws(StoreError) {
        let operation = BackgroundOperation(
            failed: { [logger] error in logger.error("a record could not be written", metadata: ["error": "\(error)"])
            }, body: body)
        guard queue.append(operation) else { throw .closed }
    }

    // MARK: Batches

    private func run() {
        while true {
            var waiting = queue.takeAll()[...]
            // Closed: what was only noted so far, such as the use of a credential, is written.
            if waiting.isEmpty { return commit([]) }
            while let first = waiting.first {
                // An exclusive operation goes alone; others go together up to the next of these.
                let count =
                    first.isExclusive
                    ? 1 : waiting.firstIndex { $0.isExclusive }.map { $0 - waiting.startIndex } ?? waiting.count
                commit(Array(waiting.prefix(count)))
                waiting = waiting.dropFirst(count)
            }
            checkpoints.didCommit(on: connection)
        }
    }

    private func commit(_ batch: [Operation]) {
        batches.wrappingAdd(1, ordering: .relaxed)
        operations.wrappingAdd(batch.count, ordering: .relaxed)
        let began = ContinuousClock.now
        var failures: [ObjectIdentifier: StoreError] = [:]
        if isUnsettled, !settle() {
            self.failures.add()
            for operation in batch { operation.complete(with: .unavailable(reason: "the database cannot be written")) }
            return
        }
        let newBlobs = storeBlobs(of: batch, &failures)
        let ready = failures.isEmpty ? batch : batch.filter { failures[ObjectIdentifier($0)] == nil }
        var committed: WriteTransaction?
        do {
            do {
                committed = try attempt(ready, newBlobs, isIsolated: false, &failures)
            } catch let error as SQLiteError where error.isDiskFailure {
                throw error
            } catch {
                logger.debug("a batch is done again one by one", metadata: ["error": "\(error)"])
                committed = try attempt(ready, newBlobs, isIsolated: true, &failures)
            }
            segments.didCommit(keeping: committed?.pending.namesSegments == true)
            durations.observe(ContinuousClock.now - began)
        } catch {
            self.failures.add()
            logger.error(
                "a batch could not be committed", metadata: ["error": "\(error)", "operations": "\(ready.count)"])
            segments.rollBack(isUncertain: isUnsettled)
            for operation in ready { failures[ObjectIdentifier(operation)] = StoreError(error) }
            if isUnsettled { _ = settle() }
        }
        if let committed { publish(committed.pending) }
        for operation in batch {
            operation.complete(with: failures.isEmpty ? nil : failures[ObjectIdentifier(operation)])
        }
    }

    private func attempt(
        _ batch: [Operation], _ newBlobs: [BlobID: BlobLocation], isIsolated: Bool,
        _ failures: inout [ObjectIdentifier: StoreError]
    ) throws -> WriteTransaction {
        let transaction = WriteTransaction(
            connection: connection, cache: accounts, directory: directory, newBlobs: newBlobs, now: clock.now())
        try connection.execute(.begin)
        do {
            for operation in batch {
                if isIsolated {
                    failures[ObjectIdentifier(operation)] = try runIsolated(operation, transaction)
                    continue
                }
                let writes = transaction.writes
                do {
                    try operation.run(in: transaction)
                } catch let error as StoreError where transaction.writes == writes {
                    failures[ObjectIdentifier(operation)] = error
                }
            }
            if transaction.pending.namesSegments {
                for (segment, tail) in segments.touched {
                    try transaction.writing(.putSegment).add(Schema.shard).add(segment).add(tail).run()
                }
            }
            try transaction.writeCredentialUses()
            try transaction.finish()
            isUnsettled = true
            try connection.execute(.commit)
            isUnsettled = false
        } catch {
            if connection.isInTransaction { try? connection.execute(.rollback) }
            throw error
        }
        return transaction
    }

    /// Commits nothing of meaning, over the frames of the COMMIT that failed. False while the disk still fails.
    private func settle() -> Bool {
        do {
            try connection.execute(.begin)
            try connection(.putSetting).add(Schema.shard).add("commits failed").add(clock.now().microseconds).run()
            try connection.execute(.commit)
            isUnsettled = false
        } catch {
            if connection.isInTransaction { try? connection.execute(.rollback) }
            logger.error("the database cannot be written", metadata: ["error": "\(error)"])
        }
        return !isUnsettled
    }

    private func runIsolated(_ operation: Operation, _ transaction: WriteTransaction) throws -> StoreError? {
        let before = transaction.pending
        try connection.execute(.savepoint)
        do {
            try operation.run(in: transaction)
            try connection.execute(.release)
            return nil
        } catch let error as SQLiteError where error.isDiskFailure {
            throw error
        } catch {
            transaction.pending = before
            try connection.execute(.rollbackToSavepoint)
            try connection.execute(.release)
            return StoreError(error)
        }
    }

    /// Caches first, then those who watch; the callers come after both, so that they read what they wrote.
    private func publish(_ pending: WriteTransaction.Pending) {
        directory.count(pending.usage)
        for action in pending.afterCommit { action() }
        accounts.commit(accounts: pending.accounts, rows: pending.rows)
        for watcher in indexes.commit(pending.changes, rows: pending.rows) { watcher() }
    }

    // MARK: Blobs

    /// Appends blobs that are not there yet and makes them durable. Operations whose bytes could not be stored have failed.
    private func storeBlobs(of batch: [Operation], _ failures: inout [ObjectIdentifier: StoreError]) -> [BlobID:
        BlobLocation]
    {
        var stored: [BlobID: BlobLocation] = [:]
        do {
            if batch.first?.segmentUse == .beginsFile { segments.beginFile() }
            for operation in batch where !operation.content.isEmpty {
                do {
                    for message in operation.content where stored[message.blob] == nil {
                        if operation.segmentUse != .storesAgain, try isKept(message.blob) { continue }
                        stored[message.blob] = try segments.append(message)
                    }
                } catch let error as StoreError {
                    failures[ObjectIdentifier(operation)] = error
                }
            }
            if !stored.isEmpty {
                try segments.sync()
                contentTrouble.store(0, ordering: .relaxed)
            }
            return stored
        } catch {
            contentTrouble.store(max(1, clock.now().microseconds), ordering: .relaxed)
            self.failures.add()
            logger.error("messages could not be stored", metadata: ["error": "\(error)"])
            segments.rollBack(isUncertain: false)
            for operation in batch where !operation.content.isEmpty {
                failures[ObjectIdentifier(operation)] = StoreError(error)
            }
            return [:]
        }
    }

    private func isKept(_ blob: BlobID) throws -> Bool {
        let statement = try connection(.getBlob).add(Schema.shard).add(blob.bytes)
        defer { statement.finish() }
        return try statement.step()
    }
}
