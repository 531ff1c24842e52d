public import MartletCore
public import Records

extension InMemoryStore: RecordStore {
    public func write(_ record: Record) async throws(StoreError) { state.withLock { $0.add(record, Ledger()) } }

    public func records(_ query: RecordQuery) async throws(StoreError) -> [Record] {
        state.withLock { state in
            var found: [Record] = []
            for code in state.records.keys.sorted(by: >) where found.count < query.limit {
                guard var kept = state.records[code], query.matches(kept.record) else { continue }
                if kept.record.isQueued { kept.record.attempts = kept.attempts }
                found.append(kept.record)
            }
            return found
        }
    }

    public func ledger() async throws(StoreError) -> LedgerReport {
        state.withLock { state in
            var recounted = state.purged
            for kept in state.records.values {
                for (entry, count) in kept.counts.counts { recounted[entry] += count }
            }
            recounted[.queued] = state.queue.rows.values.reduce(0) { $0 + Int64($1.recipients.count) }
            return LedgerReport(ledger: state.ledger.withoutZeros, recounted: recounted.withoutZeros)
        }
    }

    public func purgeRecords(before instant: Instant) async throws(StoreError) -> Int {
        state.withLock { state in
            let bound = LookupCode(at: instant, counter: 0)
            let gone = state.records.keys.filter { $0 < bound }
            for code in gone {
                guard let kept = state.records.removeValue(forKey: code) else { continue }
                for (entry, count) in kept.counts.counts { state.purged[entry] += count }
            }
            return gone.count
        }
    }
}

extension InMemoryStore {
    struct KeptRecord: Sendable {
        var record: Record
        /// What it stands for in the ledger.
        var counts: Ledger
        var attempts: [DeliveryAttempt] = []
    }
}

extension InMemoryStore.State {
    /// A code that is taken keeps its record.
    mutating func add(_ record: Record, _ counts: Ledger) {
        for (entry, count) in counts.counts { ledger[entry] += count }
        if records[record.code] == nil {
            records[record.code] = InMemoryStore.KeptRecord(record: record, counts: counts)
        }
    }

    /// Counts what became of recipients of a queued message, which may outlive its record.
    mutating func count(_ counts: Ledger, of code: LookupCode) {
        for (entry, count) in counts.counts {
            ledger[entry] += count
            if records[code] == nil { purged[entry] += count } else { records[code]?.counts[entry] += count }
        }
    }
}

extension Ledger {
    fileprivate var withoutZeros: Ledger { Ledger(counts: counts.filter { $0.value != 0 }) }
}
