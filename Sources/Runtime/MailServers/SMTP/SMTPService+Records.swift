internal import Records
internal import Synchronization

extension SMTPService {
    /// Writes a record that goes with no message; a failing store is logged, the session goes on.
    func write(_ record: Record) {
        writing.wrappingAdd(1, ordering: .relaxed)
        Task { [self] in
            do { try await store.write(record) } catch {
                logger.error("record not written", metadata: ["reason": "\(error)"])
            }
            writing.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    /// Waits until the records of sessions that have ended are durable, at most `patience`: before the store closes.
    public func recordsWritten(patience: Duration) async {
        let end = ContinuousClock.now + patience
        while writing.load(ordering: .relaxed) > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
