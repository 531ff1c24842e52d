internal import MartletCore
internal import Records
internal import Synchronization

extension SMTPService {
    /// Writes the record of a refusal, unless the peer's network has had as many as it gets (`RefusalBudget`).
    /// - Returns: its code; nil where there is no record.
    func writeRefusal(_ record: Record, of network: PeerNetwork) -> LookupCode? {
        guard case .recorded(let before, let elsewhere) = refusals.admit(network, now: record.at) else { return nil }
        var record = record
        record.reply = record.reply.map { $0 + SMTPService.mention(record.code) }
        var evidence: [Decision.Evidence] = []
        if before > 0 { evidence.append(.init("refusals of this network before, without a record", "\(before)")) }
        if elsewhere > 0 { evidence.append(.init("refusals of other networks without a record", "\(elsewhere)")) }
        if !record.decisions.isEmpty { record.decisions[record.decisions.count - 1].evidence += evidence }
        write(record)
        return record.code
    }

    /// What stands behind a reply that has a record.
    static func mention(_ code: LookupCode?) -> String { code.map { " (record \($0))" } ?? "" }

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
