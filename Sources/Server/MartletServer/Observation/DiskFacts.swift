internal import Dispatch
internal import Foundation
internal import Glibc
internal import Observation

/// The room on the disk of a data directory, and what the store has of it.
struct DiskFacts: Sendable, Hashable {
    var space: ObservedFacts.Disk?
    /// Octets of the rows, with their write-ahead log.
    var databaseBytes: Int64?
    /// Octets of the segment files.
    var segmentBytes: Int64?

    /// On a thread that nobody else waits for: a disk may hang.
    static func look(at directory: DataDirectory) async -> DiskFacts {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: read(directory)) }
        }
    }

    private static func read(_ directory: DataDirectory) -> DiskFacts {
        var facts = DiskFacts()
        var status = statvfs()
        if statvfs(directory.store, &status) == 0 {
            let unit = Int64(clamping: status.f_frsize)
            facts.space = ObservedFacts.Disk(
                free: Int64(clamping: status.f_bavail).multipliedReportingOverflow(by: unit).partialValue,
                total: Int64(clamping: status.f_blocks).multipliedReportingOverflow(by: unit).partialValue)
        }
        facts.databaseBytes = size(
            ["store.db", "store.db-wal", "store.db-shm"].map { directory.store + "/" + $0 })
        let blobs = directory.store + "/blobs"
        if let names = try? FileManager.default.contentsOfDirectory(atPath: blobs) {
            facts.segmentBytes = size(names.map { blobs + "/" + $0 })
        }
        return facts
    }

    /// One that has gone meanwhile counts nothing.
    private static func size(_ paths: [String]) -> Int64 {
        paths.reduce(0) { sum, path in
            var status = stat()
            return sum &+ (stat(path, &status) == 0 ? Int64(status.st_size) : 0)
        }
    }
}
