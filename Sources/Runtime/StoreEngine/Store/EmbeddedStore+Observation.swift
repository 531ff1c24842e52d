public import MailStore
public import MartletCore
public import Records
public import ServerMetrics

/// What is worth watching of a store, as of one moment.
public struct StoreObservation: Sendable, Hashable {
    public var ledger = Ledger()
    public var queuedMessages: Int64 = 0
    /// Recipients, with those that are held or tried now.
    public var queuedRecipients: Int64 = 0
    public var heldRecipients: Int64 = 0
    /// Those that are tried now.
    public var leasedRecipients: Int64 = 0
    /// When the oldest message was queued; nil when nothing is.
    public var oldestQueued: Instant?

    /// Recipients that the ledger does not account for: what it says in itself, and what it says of the queue that the queue does
    /// not have. 0 when it holds. Records are not counted anew, which takes as long as there are many: `RecordStore.ledger` does.
    public var drift: Int64 {
        let ofQueue = ledger[.queued] - queuedRecipients
        return ledger.drift != 0 ? ledger.drift : ofQueue
    }

    public init() {}
}

extension EmbeddedStore {
    /// Looks at ledger and queue in one transaction. Costs a walk over what is queued: not to be done for each of many who ask.
    /// Does not wait for verification or other maintenance.
    public func observe() async throws(StoreError) -> StoreObservation {
        try await observers.read { connection in
            try connection.reading {
                func number(_ statement: Statement) throws -> Int64? {
                    defer { statement.finish() }
                    return try statement.step() ? statement.int(0) : nil
                }
                var seen = StoreObservation()
                let rows = try connection(.allLedger).add(Schema.shard)
                while try rows.step() {
                    if let entry = Ledger.Entry(rawValue: rows.text(0)) { seen.ledger[entry] = rows.int(1) }
                }
                seen.queuedMessages = try number(connection(.countQueuedMessages).add(Schema.shard)) ?? 0
                seen.queuedRecipients = try number(connection(.countQueuedRecipients).add(Schema.shard)) ?? 0
                seen.heldRecipients = try number(connection(.countHeld).add(Schema.shard).add(Int64.max)) ?? 0
                seen.leasedRecipients = try number(connection(.countLeased).add(Schema.shard)) ?? 0
                seen.oldestQueued = try number(connection(.oldestQueued).add(Schema.shard)).map {
                    Instant(microseconds: $0)
                }
                return seen
            }
        }
    }

    /// Makes a small commit: whether mail could be taken now, as far as the database is concerned.
    public func checkWritable() async throws(StoreError) {
        let now = clock.now()
        try await committer.submit { transaction in
            try transaction.writing(.putSetting).add(Schema.shard).add("written to see").add(now.microseconds).run()
        }
    }

    /// Of batches that were committed.
    public var commitDurations: Histogram { committer.durations }
    /// When messages could not be put into segment files last; nil when the last that came could.
    public var contentTrouble: Instant? {
        let moment = committer.contentTrouble.load(ordering: .relaxed)
        return moment == 0 ? nil : Instant(microseconds: moment)
    }
    /// Batches that could not be written.
    public var commitFailures: Counter { committer.failures }
}
