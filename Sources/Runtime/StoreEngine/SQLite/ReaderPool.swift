internal import Foundation
internal import MailStore

/// Threads that read, each with its own connection: event loops never wait for a disk.
final class ReaderPool: Sendable {
    private final class Job: @unchecked Sendable {
        // Unchecked: handed through the queue to one thread, which runs it once.
        let run: (SQLiteConnection?) -> Void
        init(_ run: @escaping (SQLiteConnection?) -> Void) { self.run = run }
    }

    private let queue = WorkQueue<Job>()
    private let running = DispatchGroup()

    init(path: String, threads: Int) {
        for number in 0..<max(1, threads) {
            running.enter()
            let thread = Thread { [queue, running] in
                var connection: SQLiteConnection?
                while let job = queue.takeFirst() {
                    if connection == nil { connection = try? SQLiteConnection(path: path, role: .reader) }
                    job.run(connection)
                }
                connection?.close()
                running.leave()
            }
            thread.name = "store-read-\(number)"
            thread.stackSize = 1 << 20
            thread.start()
        }
    }

    func read<Value: Sendable>(_ body: @escaping (SQLiteConnection) throws -> Value) async throws(StoreError) -> Value {
        let result = await withUnsafeContinuation {
            (continuation: UnsafeContinuation<Result<Value, StoreError>, Never>) in
            let job = Job { connection in
                guard let connection else {
                    continuation.resume(
                        returning: .failure(.unavailable(reason: "the database cannot be opened for reading")))
                    return
                }
                do {
                    continuation.resume(returning: .success(try body(connection)))
                } catch {
                    continuation.resume(returning: .failure(StoreError(error)))
                }
            }
            if !queue.append(job) { continuation.resume(returning: .failure(.closed)) }
        }
        return try result.get()
    }

    /// Runs `body` when a thread is free; nobody waits.
    func later(_ body: @escaping @Sendable () -> Void) { _ = queue.append(Job { _ in body() }) }

    func stop() {
        queue.close()
        running.wait()
    }
}
