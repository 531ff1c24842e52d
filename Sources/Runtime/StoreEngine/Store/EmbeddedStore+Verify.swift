public import MailStore
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
    /// blob with its checksum, the ledger with the records. Online: mail goes on meanwhile. Costs a read of the whole store.
    public func verify() async -> VerifyReport {
        do {
            var (report, blobs) = try await maintenance.read { connection in
                try connection.reading {
                    var report = VerifyReport()
                    try EmbeddedStore.verifyDatabase(connection, &report)
                    try EmbeddedStore.verifyCounters(connection, &report)
                    try EmbeddedStore.verifyReferences(connection, &report)
                    if !(try LedgerReport.read(on: connection).holds) { report.add("the ledger does not hold") }
                    return (report, try EmbeddedStore.readBlobs(connection))
                }
            }
            report.blobs = blobs.count
            // Segment files only grow, so that blobs can be read after the transaction has ended.
            for start in stride(from: 0, to: blobs.count, by: 64) {
                let part = Array(blobs[start..<min(start + 64, blobs.count)])
                let faults = try await maintenance.read { [segments] _ in
                    part.compactMap { known in
                        guard let location = known.location else {
                            return "blob \(known.blob.hexadecimal): its place makes no sense"
                        }
                        return segments.fault(of: known.blob, at: location)
                    }
                }
                for fault in faults { report.add(fault) }
            }
            for blob in blobs {
                let length = Int64(blob.location?.length ?? 0)
                report.bytes += length
                if blob.references == 0 {
                    report.unreferencedBlobs += 1
                    report.unreferencedBytes += length
                }
            }
            return report
        } catch {
            var report = VerifyReport()
            report.add("the store could not be read: \(error)")
            return report
        }
    }

    // MARK: Parts of verification

    private struct KnownBlob: Sendable {
        var blob: BlobID
        /// Nil when the row's numbers make no sense.
        var location: BlobLocation?
        var references: Int64
    }

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

    private static func verifyReferences(_ connection: SQLiteConnection, _ report: inout VerifyReport) throws {
        var references: [BlobID: Int64] = [:]
        let rows = try connection(.allBlobReferences)
        while try rows.step() {
            guard let blob = BlobID(rows.bytes(0)) else {
                report.add("\(rows.int(1)) messages name no blob")
                continue
            }
            references[blob] = rows.int(1)
        }
        for known in try readBlobs(connection) {
            let counted = references.removeValue(forKey: known.blob) ?? 0
            if counted != known.references {
                report.add(
                    "blob \(known.blob.hexadecimal): \(known.references) references are counted, \(counted) are there")
            }
        }
        for (blob, count) in references {
            report.add("blob \(blob.hexadecimal): \(count) messages name it, and it is not there")
        }
    }

    private static func readBlobs(_ connection: SQLiteConnection) throws -> [KnownBlob] {
        var blobs: [KnownBlob] = []
        let rows = try connection(.allBlobs).add(Schema.shard).add([] as [UInt8]).add(Int64.max)
        while try rows.step() {
            guard let blob = BlobID(rows.bytes(0)) else { continue }
            let location = BlobLocation(segment: rows.int(1), place: rows.int(2), length: rows.int(3))
            blobs.append(KnownBlob(blob: blob, location: location, references: rows.int(4)))
        }
        return blobs
    }
}

extension BlobID {
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
