public import MailStore
public import MartletCore
public import Records

/// What a record stands for in the ledger.
struct RecordCounts {
    var accepted: Int64 = 0
    var delivered: Int64 = 0
    var discarded: Int64 = 0
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
                guard let record = Record(json: row.body) else {
                    throw .corrupt(reason: "the record \(row.code) cannot be read")
                }
                // Codes are ordered by time, a little loosely: the moment of the record may lie before that of its code.
                if let since = query.since, record.code.time < since, record.at < since { return found }
                guard query.matches(record) else { continue }
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

extension RecordQuery {
    /// Without angle brackets.
    static func bare(_ messageID: String) -> String {
        messageID.hasPrefix("<") && messageID.hasSuffix(">") && messageID.utf8.count >= 2
            ? String(messageID.dropFirst().dropLast()) : messageID
    }

    func matches(_ record: Record) -> Bool {
        if let code, record.code != code { return false }
        if let messageID, record.messageID.map(RecordQuery.bare) != RecordQuery.bare(messageID) { return false }
        if let address {
            let wanted = address.lowercased()
            var known = [record.sender, record.peer.login] + record.recipients
            for delivery in record.deliveries { known += [delivery.recipient, delivery.finalAddress] }
            guard known.contains(where: { $0?.lowercased() == wanted }) else { return false }
        }
        if let since, record.at < since { return false }
        if let until, record.at > until { return false }
        if let kind, record.kind != kind { return false }
        if let outcome, record.outcome != outcome { return false }
        return true
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
            purged.append((statement.int(0), Record(json: statement.bytes(5))))
            counts.accepted += statement.int(2)
            counts.delivered += statement.int(3)
            counts.discarded += statement.int(4)
        }
        for (code, record) in purged {
            try writing(.removeRecord).add(Schema.shard).add(code).run()
            guard let record else { continue }
            for key in RecordKey.keys(of: record) {
                try writing(.removeRecordKey).add(Schema.shard).add(key).add(code).run()
            }
        }
        for (entry, count) in [
            (Ledger.Entry.accepted, counts.accepted), (.delivered, counts.delivered), (.discarded, counts.discarded),
        ]
        where count != 0 {
            try writing(.purgeLedger).add(count).add(Schema.shard).add(entry.rawValue).run()
        }
        return purged.count
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
        for (column, entry) in [(Int32(0), Ledger.Entry.accepted), (1, .delivered), (2, .discarded)]
        where counts.int(column) != 0 {
            recounted[entry] += counts.int(column)
        }
        counts.finish()
        return LedgerReport(ledger: ledger, recounted: recounted)
    }
}
