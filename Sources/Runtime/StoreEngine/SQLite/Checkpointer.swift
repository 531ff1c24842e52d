internal import Foundation
internal import Synchronization

/// Copies the write-ahead log into the database beside the committer, which then does not wait for it.
///
/// A log that never rests is never begun anew: when it has grown beyond a bound, the committer itself copies the rest.
final class Checkpointer: Sendable {
    /// Commits between two checkpoints.
    private static let interval = 200
    /// Pages of the log after which the committer finishes the checkpoint itself.
    private static let maximumLog = 48_000

    private let queue = WorkQueue<Bool>()
    private let commits = Atomic<Int>(0)
    private let isRunning = Atomic<Bool>(false)
    private let logPages = Atomic<Int>(0)
    private let ended = DispatchSemaphore(value: 0)

    init(path: String) {
        let thread = Thread { [self] in
            var connection: SQLiteConnection?
            while queue.takeFirst() != nil {
                if connection == nil { connection = try? SQLiteConnection(path: path, role: .checkpointer) }
                if let result = connection?.checkpoint(restart: false) {
                    logPages.store(result.log, ordering: .relaxed)
                }
                isRunning.store(false, ordering: .releasing)
            }
            connection?.close()
            ended.signal()
        }
        thread.name = "store-checkpoint"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Called by the committer between batches, with its own connection.
    func didCommit(on connection: SQLiteConnection) {
        guard commits.wrappingAdd(1, ordering: .relaxed).newValue >= Checkpointer.interval else { return }
        guard !isRunning.exchange(true, ordering: .acquiring) else { return }
        commits.store(0, ordering: .relaxed)
        if logPages.load(ordering: .relaxed) > Checkpointer.maximumLog {
            // What is left is little: the log begins anew with the next commit.
            logPages.store(0, ordering: .relaxed)
            connection.checkpoint(restart: false)
            isRunning.store(false, ordering: .releasing)
        } else if !queue.append(true) {
            isRunning.store(false, ordering: .releasing)
        }
    }

    func stop() {
        queue.close()
        ended.wait()
    }
}
