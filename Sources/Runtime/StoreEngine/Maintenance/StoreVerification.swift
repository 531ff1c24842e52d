internal import MailStore

/// Reads a copy of a store and compares, as `EmbeddedStore.verify` does with the store itself. On the calling thread.
enum StoreVerification {
    private static let page = 4_096

    /// - Parameters:
    ///   - rows: whether counters, references and the ledger are compared too: they need the present schema.
    ///   - damaged: called for each blob whose octets are not sound; to throw ends it.
    ///   - progress: called with octets of segments that were read.
    static func verify(
        _ connection: SQLiteConnection, _ segments: SegmentFiles, rows: Bool,
        damaged: (KnownBlob, String) throws -> Void, progress: (Int64) throws -> Void
    ) throws -> VerifyReport {
        try connection.reading {
            var report = VerifyReport()
            if rows {
                report = try EmbeddedStore.verifyRows(connection)
            } else {
                for line in try connection.integrityFaults() { report.add("database: \(line)") }
            }
            var found: [BlobID: String] = [:]
            var last: [UInt8]? = []
            while let start = last {
                let page = try connection.blobs(after: start, limit: page)
                last = page.last
                report.count(page.blobs)
                for blob in page.blobs.inOrderOfPlaces() {
                    let fault =
                        blob.location.map { segments.fault(of: blob.blob, at: $0) } ?? "its place makes no sense"
                    try progress(Int64(blob.location.map { SegmentFormat.recordSize(of: $0.length) } ?? 0))
                    // What nobody names may be damaged: it is never served.
                    guard let fault, blob.references != 0 else { continue }
                    try damaged(blob, fault)
                    report.faultCount += 1
                    if found.count < VerifyReport.maximumFaults { found[blob.blob] = fault }
                }
            }
            report.tell(found, try BlobPlaces(of: Set(found.keys), on: connection))
            return report
        }
    }
}
