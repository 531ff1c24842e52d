package import MailStore
internal import MartletBytes
internal import MartletCore
internal import Records

/// What `verify` found. Everything is counted; of the faults the first thousand are told.
public struct VerifyReport: Sendable, Hashable {
    /// Faults that are told one by one.
    public static let maximumFaults = 1_000

    public var messages = 0
    public var blobs = 0
    /// Octets of all blobs.
    public var bytes: Int64 = 0
    /// Blobs that no message names any more, and their octets: space that compaction will give back.
    public var unreferencedBlobs = 0
    public var unreferencedBytes: Int64 = 0
    /// One sentence each, with the place. Empty when all is well.
    public var faults: [String] = []
    public var faultCount = 0

    public init() {}

    public var isSound: Bool { faultCount == 0 }

    mutating func add(_ fault: String) {
        faultCount += 1
        if faults.count < VerifyReport.maximumFaults { faults.append(fault) }
    }
}

extension EmbeddedStore {
    /// Reads everything and compares: the database with itself, counters with rows, references with blobs, every octet of every
    /// blob with its checksum, the ledger with the records. Online: mail goes on meanwhile. Costs a read of the whole store, and
    /// memory that does not grow with it.
    public func verify() async -> VerifyReport { await inspect().report }

    /// What `verify` finds, with what repair needs of it.
    func inspect() async -> (report: VerifyReport, damaged: Set<BlobID>) {
        var inspection = VerifyReport()
        do {
            inspection = try await maintenance.read { connection in
                try connection.reading { try EmbeddedStore.verifyRows(connection) }
            }
            let blobs = try await inspectBlobs(&inspection)
            return (inspection, blobs)
        } catch {
            inspection.add("the store could not be read: \(error)")
            return (inspection, [])
        }
    }

    /// Everything but the octets of blobs. Within one read transaction.
    static func verifyRows(_ connection: SQLiteConnection) throws -> VerifyReport {
        var report = VerifyReport()
        try verifyDatabase(connection, &report)
        try verifyCounters(connection, &report)
        try verifyReferences(connection, &report)
        try verifyQueue(connection, &report)
        if !(try LedgerReport.read(on: connection).holds) { report.add("the ledger does not hold") }
        return report
    }

    // MARK: Octets

    /// Rows of blobs that are read together.
    private static let page = 1_024
    /// Of them, the ones that are read while other maintenance waits.
    private static let slice = 64

    private func inspectBlobs(_ report: inout VerifyReport) async throws(StoreError) -> Set<BlobID> {
        var damaged: [BlobID: String] = [:]
        var last: [UInt8]? = []
        while let start = last {
            let page = try await maintenance.read { try $0.blobs(after: start, limit: EmbeddedStore.page) }
            last = page.last
            report.count(page.blobs)
            let ordered = page.blobs.inOrderOfPlaces()
            for start in stride(from: 0, to: ordered.count, by: EmbeddedStore.slice) {
                let part = Array(ordered[start..<min(start + EmbeddedStore.slice, ordered.count)])
                let faults = try await maintenance.read { [segments] connection in
                    try part.compactMap { try EmbeddedStore.fault(of: $0, segments, connection) }
                }
                for (blob, fault) in faults {
                    report.faultCount += 1
                    if damaged.count < VerifyReport.maximumFaults { damaged[blob] = fault }
                }
            }
        }
        let found = damaged
        let places = try await maintenance.read { try BlobPlaces(of: Set(found.keys), on: $0) }
        report.tell(found, places)
        return Set(found.keys)
    }

    /// What is wrong with a blob's octets, if anything. Compaction may have moved it since its row was read, or forgotten it.
    static func fault(
        of known: KnownBlob, _ segments: SegmentFiles, _ connection: SQLiteConnection
    ) throws -> (BlobID, String)? {
        guard var location = known.location else { return (known.blob, "its place makes no sense") }
        while let fault = segments.fault(of: known.blob, at: location) {
            guard let present = try connection.location(of: known.blob) else { return nil }
            if present == location { return (known.blob, fault) }
            location = present
        }
        return nil
    }

    /// Runs a statement as it stands: for tests, which damage rows or make them those of an older program.
    package func execute(_ text: String) async throws(StoreError) {
        try await committer.submit { try $0.connection.execute(text) }
    }

    /// Keeps the thread that verification reads with until `body` returns: for tests.
    package func holdMaintenance<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async throws(StoreError) -> Value {
        try await maintenance.read { _ in body() }
    }

    // MARK: Parts of verification

    private static func verifyDatabase(_ connection: SQLiteConnection, _ report: inout VerifyReport) throws {
        for line in try connection.integrityFaults() { report.add("database: \(line)") }
    }

    private static func verifyCounters(_ connection: SQLiteConnection, _ report: inout VerifyReport) throws {
        let rows = try connection(.recountMailboxes)
        while try rows.step() {
            report.messages += Int(rows.int(9))
            let place = "mailbox \(rows.int(0))/\(rows.int(1)) \(rows.text(2))"
            for (name, counted, found) in [
                ("messages", Int32(3), Int32(9)), ("unseen", 4, 10), ("deleted", 5, 11), ("size", 6, 12),
            ]
            where rows.int(counted) != rows.int(found) {
                report.add(
                    "\(place): the counter of \(name) says \(rows.int(counted)), the rows say \(rows.int(found))")
            }
            if rows.int(7) <= rows.int(13) {
                report.add("\(place): UIDNEXT \(rows.int(7)) is not above UID \(rows.int(13))")
            }
            if rows.int(8) < rows.int(14) {
                report.add("\(place): HIGHESTMODSEQ \(rows.int(8)) is below MODSEQ \(rows.int(14))")
            }
        }
        let orphans = try connection(.messagesWithoutSummary)
        while try orphans.step() {
            report.add("message \(orphans.int(0))/\(orphans.int(1))/\(orphans.int(2)) has no summary")
        }
        let misfits = try connection(.messagesOfOtherSize).add(Schema.shard)
        while try misfits.step() {
            report.add(
                "message \(misfits.int(0))/\(misfits.int(1))/\(misfits.int(2)) has another size than its blob")
        }
    }

    private static func verifyQueue(_ connection: SQLiteConnection, _ report: inout VerifyReport) throws {
        let lanes = try connection(.recountLanes).add(Schema.shard)
        while try lanes.step() {
            let place = "queue for \(lanes.text(0)) from \(lanes.text(1))"
            if lanes.int(2) != lanes.int(3) {
                report.add("\(place): the counter says \(lanes.int(2)) recipients, the rows say \(lanes.int(3))")
            } else {
                report.add("\(place): is due at \(lanes.int(4)), the rows say \(lanes.int(5))")
            }
        }
        let strays = try connection(.recipientsOutOfPlace).add(Schema.shard)
        while try strays.step() {
            report.add(
                "recipient \(strays.int(1)) of queued message \(strays.int(0)) has no message or lane of its own")
        }
        let empty = try connection(.messagesWithoutRecipient).add(Schema.shard)
        while try empty.step() { report.add("queued message \(empty.int(0)) has no recipient") }
    }

    private static func verifyReferences(_ connection: SQLiteConnection, _ report: inout VerifyReport) throws {
        let check = try ReferenceCheck(on: connection)
        if check.malformed > 0 { report.add("\(check.malformed) messages name no blob") }
        for difference in check.differences {
            let name = "blob \(difference.blob.hexadecimal)"
            if let counted = difference.counted {
                report.add("\(name): \(counted) references are counted, \(difference.found) are there")
            } else {
                report.add("\(name): \(difference.found) messages name it, and it is not there")
            }
        }
    }
}

extension VerifyReport {
    mutating func count(_ page: [KnownBlob]) {
        blobs += page.count
        for blob in page {
            let length = Int64(blob.location?.length ?? 0)
            bytes += length
            if blob.references == 0 {
                unreferencedBlobs += 1
                unreferencedBytes += length
            }
        }
    }

    /// Adds a sentence for each damaged blob, with the messages that have it. They are counted already.
    mutating func tell(_ damaged: [BlobID: String], _ places: BlobPlaces) {
        for (blob, fault) in damaged.sorted(by: { $0.key.hexadecimal < $1.key.hexadecimal })
        where faults.count < VerifyReport.maximumFaults {
            let concerned = places.told(blob)
            faults.append("blob \(blob.hexadecimal): \(fault)" + (concerned.isEmpty ? "" : "; it is \(concerned)"))
        }
    }
}

extension [KnownBlob] {
    /// As they lie on the disk.
    func inOrderOfPlaces() -> [KnownBlob] {
        sorted { ($0.segment, $0.location?.place ?? 0) < ($1.segment, $1.location?.place ?? 0) }
    }
}

extension BlobID {
    var hexadecimal: String { Hex.encode(bytes) }
}
