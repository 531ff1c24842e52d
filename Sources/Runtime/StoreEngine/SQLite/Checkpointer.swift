internal import Foundation
internal import Logging
internal import Synchronization

/// Copies the write-ahead log into the database beside the committer, which then does not wait for it.
///
/// A log that never rests is never begun anew: once most of it was copied, the committer itself copies what came meanwhile.
/// The log then begins again at its start, over blocks that the file has already, which are cheaper to write than new ones.
final class Checkpointer: Sendable {
    private enum Phase: Int, AtomicRepresentable {
        case idle
        /// The thread copies.
        case copying
        /// The thread has copied what was there; the rest is the committer's.
        case copied
    }

    /// Pages of the log (4 KiB) after which it is copied: 64 MiB.
    private static let maximumLog = 16_000

    private let queue = WorkQueue<Bool>()
    private let phase = Atomic<Phase>(.idle)
    private let ended = DispatchSemaphore(value: 0)
    private let logger: Logger
    // The committer's own.
    private let seen = Atomic<Int>(0)
    private let threshold = Atomic<Int>(Checkpointer.maximumLog)

    init(path: String, logger: Logger) {
        self.logger = logger
        let thread = Thread { [self] in
            var connection: SQLiteConnection?
            while queue.takeFirst() != nil {
                do {
                    let opened = try connection ?? SQLiteConnection(path: path, role: .checkpointer)
                    connection = opened
                    tell(opened.checkpoint(restart: false))
                } catch {
                    tell("\(error)")
                }
                phase.store(.copied, ordering: .releasing)
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
        let pages = connection.logPages
        if pages < seen.exchange(pages, ordering: .relaxed) {
            threshold.store(Checkpointer.maximumLog, ordering: .relaxed)
        }
        guard pages >= threshold.load(ordering: .relaxed) else { return }
        switch phase.load(ordering: .acquiring) {
        case .idle:
            phase.store(.copying, ordering: .relaxed)
            if !queue.append(true) { phase.store(.idle, ordering: .relaxed) }
        case .copying: break
        case .copied:
            tell(connection.checkpoint(restart: false))
            phase.store(.idle, ordering: .relaxed)
            // A reader that still needs the log keeps it from beginning anew: it grows by as much before the next try.
            threshold.store(pages + Checkpointer.maximumLog, ordering: .relaxed)
        }
    }

    private func tell(_ complaint: String?) {
        guard let complaint else { return }
        logger.error("the database's log could not be copied", metadata: ["error": "\(complaint)"])
    }

    func stop() {
        queue.close()
        ended.wait()
    }
}
