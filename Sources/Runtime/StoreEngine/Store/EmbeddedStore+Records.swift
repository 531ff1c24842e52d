public import MailStore
public import MartletCore
public import Records

/// What a record stands for in the ledger.
struct RecordCounts {
    var accepted: Int64 = 0
    var delivered: Int64 = 0
    var discarded: Int64 = 0
    /// What became of queued recipients since.
    var relayed: Int64 = 0
    var bounced: Int64 = 0

    /// Counts one recipient that has left the queue.
    mutating func add(_ outcome: QueueSettlement.Outcome) {
        switch outcome {
        case .relayed: relayed += 1
        case .failed: bounced += 1
        case .discarded: discarded += 1
        case .retry, .returned: break
        }
    }

    /// By the ledger's entries, zeros left out.
    var entries: [(Ledger.Entry, Int64)] {
        [
            (Ledger.Entry.accepted, accepted), (.delivered, delivered), (.discarded, discarded), (.relayed, relayed),
            (.bounced, bounced),
        ].filter { $0.1 != 0 }
    }
}

extension EmbeddedStore: RecordStore {
    /// Records that one page of a query reads.
    private static let pageSize = 256
    /// Records that a query looks at before it gives up, when its conditions match few of them.
    private static let maximumScanned = 1_000_000

    /// Returns at once; the record is durable with the next commit.
    public func write(_ record: Record) async throws(StoreError) {
        try committer.submitInBackground { try $0.insert(record, RecordCounts()) }
    }

    public func records(_ query: RecordQuery) async throws(StoreError) -> [Record] {
        guard query.limit > 0 else { return [] }
        let lookup = query.messageID.map { RecordKey.messageID($0) } ?? query.address.map { RecordKey.address($0) }
        var found: [Record] = []
        var below = query.code?.value ?? .max
        var scanned = 0
        while scanned < EmbeddedStore.maximumScanned {
            let upper = below
            let page = try await maintenance.read { connection -> [(code: Int64, body: [UInt8])] in
                let statement: Statement
                if query.code != nil {
                    statement = try connection(.recordByCode).add(Schema.shard).add(upper)
                } else if let lookup {
                    statement = try connection(.recordsByKey).add(Schema.shard).add(lookup).add(upper).add(
                        EmbeddedStore.pageSize)
                } else {
                    statement = try connection(.recordsByTime).add(Schema.shard).add(upper).add(EmbeddedStore.pageSize)
                }
                var page: [(code: Int64, body: [UInt8])] = []
                while try statement.step() { page.append((statement.int(0), statement.bytes(1))) }
                return page
            }
            for row in page {
                guard var record = Record(json: row.body) else {
                    throw .corrupt(reason: "the record \(row.code) cannot be read")
                }
                // Codes are ordered by time, a little loosely: the moment of the record may lie before that of its code.
                if let since = query.since, record.code.time < since, record.at < since { return found }
                guard query.matches(record) else { continue }
                if record.isQueued { record.attempts = try await attempts(of: record.code) }
                found.append(record)
                if found.count == query.limit { return found }
            }
            scanned += page.count
            guard query.code == nil, page.count == EmbeddedStore.pageSize, let last = page.last, last.code > 0 else {
                return found
            }
            below = last.code - 1
        }
        return found
    }

    /// Attempts that are told of one record.
    private static let maximumAttempts = 1_000

    private func attempts(of code: LookupCode) async throws(StoreError) -> [DeliveryAttempt] {
        try await maintenance.read { connection in
            let rows = try connection(.attemptsOfRecord).add(Schema.shard).add(code.value).add(
                EmbeddedStore.maximumAttempts)
            var attempts: [DeliveryAttempt] = []
            while try rows.step() {
                guard let attempt = DeliveryAttempt(json: rows.bytes(0)) else {
                    throw StoreError.corrupt(reason: "an attempt of the record \(code) cannot be read")
                }
                attempts.append(attempt)
            }
            return attempts
        }
    }

    public func ledger() async throws(StoreError) -> LedgerReport {
        try await maintenance.read { connection in try connection.reading { try LedgerReport.read(on: connection) } }
    }

    public func purgeRecords(before instant: Instant) async throws(StoreError) -> Int {
        let bound = LookupCode(at: instant, counter: 0).value
        var total = 0
        while true {
            // In small commits, so that mail does not wait.
            let purged = try await committer.submit { try $0.purgeRecords(below: bound, limit: 500) }
            total += purged
            if purged < 500 { return total }
        }
    }
}

/// Keys under which records are found: 64 bits of a hash (FNV-1a), since the record itself is compared afterwards.
enum RecordKey {
    static func messageID(_ text: String) -> Int64 { hash("m", RecordQuery.bare(text)) }
    static func address(_ text: String) -> Int64 { hash("a", text.lowercased()) }

    static func keys(of record: Record) -> Set<Int64> {
        var keys: Set<Int64> = []
        if let messageID = record.messageID { keys.insert(self.messageID(messageID)) }
        if let sender = record.sender, !sender.isEmpty { keys.insert(address(sender)) }
        for recipient in record.recipients { keys.insert(address(recipient)) }
        for delivery in record.deliveries {
            keys.insert(address(delivery.recipient))
            if let final = delivery.finalAddress { keys.insert(address(final)) }
        }
        if let login = record.peer.login { keys.insert(address(login)) }
        return keys
    }

    private static func hash(_ kind: String, _ text: String) -> Int64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in kind.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int64(bitPattern: value)
    }
}

extension WriteTransaction {
    func insert(_ record: Record, _ counts: RecordCounts) throws {
        let statement = try writing(.insertRecord)
        statement.add(Schema.shard).add(record.code.value).add(record.at.microseconds).add(record.kind.rawValue)
        statement.add(record.outcome.rawValue).add(counts.accepted).add(counts.delivered).add(counts.discarded)
        try statement.add(record.json()).run()
        for key in RecordKey.keys(of: record) {
            try writing(.insertRecordKey).add(Schema.shard).add(key).add(record.code.value).run()
        }
    }

    /// Removes records with codes below `bound`; what they counted goes on standing in the ledger.
    func purgeRecords(below bound: Int64, limit: Int) throws -> Int {
        let statement = try connection(.recordsBefore).add(Schema.shard).add(-1).add(bound).add(limit)
        var purged: [(code: Int64, record: Record?)] = []
        var counts = RecordCounts()
        while try statement.step() {
            purged.append((statement.int(0), Record(json: statement.bytes(7))))
            counts.accepted += statement.int(2)
            counts.delivered += statement.int(3)
            counts.discarded += statement.int(4)
            counts.relayed += statement.int(5)
            counts.bounced += statement.int(6)
        }
        for (code, record) in purged {
            try writing(.removeRecord).add(Schema.shard).add(code).run()
            try writing(.removeAttempts).add(Schema.shard).add(code).run()
            guard let record else { continue }
            for key in RecordKey.keys(of: record) {
                try writing(.removeRecordKey).add(Schema.shard).add(key).add(code).run()
            }
        }
        try purge(counts)
        return purged.count
    }

    /// Counts for good what no record counts any more.
    func purge(_ counts: RecordCounts) throws {
        for (entry, count) in counts.entries {
            try writing(.purgeLedger).add(Schema.shard).add(entry.rawValue).add(count).run()
        }
    }
}

extension LedgerReport {
    static func read(on connection: SQLiteConnection) throws -> LedgerReport {
        var ledger = Ledger()
        var recounted = Ledger()
        let rows = try connection(.allLedger).add(Schema.shard)
        while try rows.step() {
            guard let entry = Ledger.Entry(rawValue: rows.text(0)) else { continue }
            if rows.int(1) != 0 { ledger[entry] = rows.int(1) }
            if rows.int(2) != 0 { recounted[entry] = rows.int(2) }
        }
        let counts = try connection(.recountRecords).add(Schema.shard)
        guard try counts.step() else { return LedgerReport(ledger: ledger, recounted: recounted) }
        let columns: [(Int32, Ledger.Entry)] = [
            (0, .accepted), (1, .delivered), (2, .discarded), (3, .relayed), (4, .bounced),
        ]
        for (column, entry) in columns where counts.int(column) != 0 { recounted[entry] += counts.int(column) }
        counts.finish()
        let queued = try connection(.countQueuedRecipients).add(Schema.shard)
        if try queued.step(), queued.int(0) != 0 { recounted[.queued] = queued.int(0) }
        queued.finish()
        return LedgerReport(ledger: ledger, recounted: recounted)
    }
}
