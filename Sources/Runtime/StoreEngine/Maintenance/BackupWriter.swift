internal import Foundation
public import MartletCore

/// Makes a backup of a store's directory, while the store is in use or not.
///
/// What it shows is one moment: rows are copied as one transaction sees them, and of each segment file the octets that these
/// rows name, which were on disk before the rows were. Nobody may remove segment files meanwhile: the store is held
/// (`EmbeddedStore.holdSegments`), or it is locked by this process.
///
/// Everything is written under a name that is no backup's, read again and compared, and gets its name when it is found good.
public struct BackupWriter: Sendable {
    /// A file that belongs to the store and is not in it: a key, the configuration.
    public struct AdditionalFile: Sendable, Hashable {
        public var path: String
        /// In the backup, below `files/`.
        public var name: String
        public init(path: String, name: String) {
            self.path = path
            self.name = name
        }
    }

    public enum Phase: String, Sendable, Hashable {
        case rows
        case messages
        /// The copy is being read and compared.
        case comparing
    }

    /// What was made.
    public struct Result: Sendable, Hashable {
        public var name: String
        public var manifest: BackupManifest
        /// Octets that were written.
        public var written: Int64
        /// The copy as it was found.
        public var verification: VerifyReport
        /// Older backups that were removed.
        public var removed: [String]
        /// Why older ones were not removed.
        public var complaint: String?
    }

    let set: BackupSet
    let store: String
    let files: [AdditionalFile]
    let hostname: String
    let version: String
    /// Called with the octets that are done and all of a phase. To throw ends the backup.
    let progress: (@Sendable (Phase, Int64, Int64) throws -> Void)?

    /// - Parameter store: the store's directory, with `store.db` and `blobs`.
    public init(
        of store: String, to set: BackupSet, files: [AdditionalFile], hostname: String, version: String,
        progress: (@Sendable (Phase, Int64, Int64) throws -> Void)? = nil
    ) {
        self.store = store
        self.set = set
        self.files = files
        self.hostname = hostname
        self.version = version
        self.progress = progress
    }

    /// Blocks the calling thread until the backup is finished and found good.
    ///
    /// - Parameter keeping: finished backups that stay, this one among them; nil: all.
    public func make(now: Instant, keeping: Int? = nil) throws(BackupFailure) -> Result {
        try BackupFailure.wrapping { try run(now: now, keeping: keeping) }
    }

    private func run(now: Instant, keeping: Int?) throws -> Result {
        try BackupFiles.makeDirectories(set.path)
        try BackupFiles.layer.makeDirectory(set.blobs)
        try BackupFiles.layer.syncDirectory(set.path + "/..")
        let lock: LockFile
        do { lock = try LockFile(directory: set.path) } catch StoreOpenError.locked(_, let pid) {
            throw BackupFailure(
                .refused, "another backup\(pid.map { ", pid \($0)," } ?? "") is being made in \(set.path)")
        } catch {
            throw BackupFailure(.failed, "\(set.path) cannot be used: \(error)")
        }
        defer { lock.release() }
        let known = try knownSegments()
        for name in try set.partials() { try BackupFiles.removeTree(set.path + "/" + name) }
        let name = try newName(now)
        let directory = set.path + "/" + name + BackupSet.partial
        try BackupFiles.layer.makeDirectory(directory)

        let source = try SQLiteConnection(path: store + "/store.db", role: .reader)
        defer { source.close() }
        let rows = try copyRows(source, to: directory + "/" + BackupSet.database)
        var manifest = BackupManifest(
            schema: rows.schema, version: version, hostname: hostname, createdAt: now.description, counts: rows.counts,
            files: [try describe(directory, BackupSet.database, mode: 0o600, origin: nil)], segments: [], faults: [])
        var written = manifest.files[0].size
        for file in files {
            guard let described = try copy(file, to: directory) else { continue }
            manifest.files.append(described)
            written += described.size
        }
        let (segments, octets) = try copySegments(rows.tails, known)
        manifest.segments = segments
        written += octets

        let verification = try compare(directory, rows, &manifest)
        let bytes = try manifest.encoded()
        try BackupFiles.write(bytes, to: directory + "/" + BackupSet.manifest)
        let digest = "\(RunningDigest.of(bytes))  \(BackupSet.manifest)\n"
        try BackupFiles.write(Array(digest.utf8), to: directory + "/" + BackupSet.manifestDigest)
        try BackupFiles.layer.syncDirectory(directory)
        try BackupFiles.layer.syncDirectory(set.blobs)
        try BackupFiles.rename(directory, to: set.path + "/" + name)
        try BackupFiles.layer.syncDirectory(set.path)
        var result = Result(
            name: name, manifest: manifest, written: written, verification: verification, removed: [], complaint: nil)
        do {
            if let keeping { result.removed = try BackupRetention(set).keep(keeping) }
        } catch {
            result.complaint = "older backups were not removed: \(BackupFailure(error))"
        }
        return result
    }

    /// What the backups of the directory have of each segment: all of it is what the store had too, and stays.
    private func knownSegments() throws -> [Int64: BackupManifest.Segment] {
        var known: [Int64: BackupManifest.Segment] = [:]
        for name in try set.names() {
            do throws(BackupFailure) {
                for segment in try set.manifest(of: name).segments where segment.size > known[segment.number]?.size ?? 0
                {
                    known[segment.number] = segment
                }
            } catch {
                // A damaged description is no reason not to make a new backup; a newer program's directory is.
                if error.kind == .newer { throw error }
            }
        }
        return known
    }

    private func newName(_ now: Instant) throws -> String {
        let stamp = String(now.description.filter { $0 != "-" && $0 != ":" }.prefix(15)) + "Z"
        let used = Set(try set.names())
        var name = stamp
        var number = 2
        while used.contains(name) {
            name = "\(stamp)-\(number)"
            number += 1
        }
        return name
    }

    // MARK: Rows

    struct Rows {
        var schema: Int
        var counts: [String: Int64]
        var tails: [(segment: Int64, tail: Int64)]
    }

    private func copyRows(_ source: SQLiteConnection, to path: String) throws -> Rows {
        var failure: (any Error)?
        let rows = try DatabaseCopy.make(of: source, at: path) { done, total in
            do { try progress?(.rows, done, total) } catch { failure = error }
        } _: {
            try Rows(on: source)
        }
        if let failure { throw failure }
        guard rows.schema <= Schema.migrations.count else {
            throw StoreOpenError.newerSchema(found: rows.schema, known: Schema.migrations.count)
        }
        let file = try BackupFiles.layer.open(path, create: false)
        try file.sync()
        return rows
    }

    private func describe(_ directory: String, _ name: String, mode: UInt32, origin: String?) throws
        -> BackupManifest.File
    {
        let path = directory + "/" + name
        guard let file = try BackupFiles.openForReading(path) else { throw BackupFailure(.failed, "\(path) is gone") }
        let size = try file.size()
        let digest = try BackupFiles.digest(0..<size, of: file, at: path) { _ in }
        return BackupManifest.File(name: name, size: size, sha256: digest, mode: mode, origin: origin)
    }

    /// Copies a key or the configuration; nil when there is none.
    private func copy(_ file: AdditionalFile, to directory: String) throws -> BackupManifest.File? {
        guard let source = try BackupFiles.openForReading(file.path) else { return nil }
        let name = "files/" + file.name
        let path = directory + "/" + name
        let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try BackupFiles.makeDirectories(parent)
        let target = try BackupFiles.layer.open(path, create: true)
        let size = try source.size()
        let digest = try BackupFiles.copy(0..<size, of: source, at: file.path, to: target) { _ in }
        let mode = BackupFiles.mode(file.path)
        try BackupFiles.setMode(mode, of: path)
        try BackupFiles.layer.syncDirectory(parent)
        return BackupManifest.File(name: name, size: size, sha256: digest, mode: mode, origin: file.path)
    }

    // MARK: Comparing

    private func compare(_ directory: String, _ rows: Rows, _ manifest: inout BackupManifest) throws -> VerifyReport {
        let copy = try SQLiteConnection(path: directory + "/" + BackupSet.database, role: .reader)
        defer { copy.close() }
        guard try Rows(on: copy).counts == rows.counts else {
            throw BackupFailure(
                .failed, "the copy of the rows differs from the store; is the disk of \(set.path) sound?")
        }
        let copies = SegmentFiles(directory: set.blobs, layer: BackupFiles.layer)
        let originals = SegmentFiles(directory: store + "/blobs", layer: BackupFiles.layer)
        let total = manifest.segments.reduce(0) { $0 + $1.size }
        var done: Int64 = 0
        // A store of an older program is verified when it has been brought up to date.
        let canVerifyRows = rows.schema == Schema.migrations.count
        let report = try StoreVerification.verify(copy, copies, rows: canVerifyRows) { blob, fault in
            guard let location = blob.location, originals.fault(of: blob.blob, at: location) == nil else { return }
            throw BackupFailure(
                .failed,
                "the copy of blob \(blob.blob.hexadecimal) differs from the store (\(fault)): either the disk of \(set.path) fails, or it has backups of another store; give an empty directory"
            )
        } progress: { count in
            done += count
            try progress?(.comparing, min(done, total), total)
        }
        manifest.faults = report.faults
        return report
    }
}

extension BackupWriter.Rows {
    private static let tables = [
        "accounts", "mailboxes", "messages", "summaries", "expunged", "blobs", "records", "queue_recipients",
    ]

    init(on connection: SQLiteConnection) throws {
        schema = Int(try connection.pragma("PRAGMA user_version")) ?? 0
        tails = try connection.segmentTails()
        counts = [:]
        // The tables of the first version; later ones are counted when they are there.
        for table in BackupWriter.Rows.tables {
            guard try !connection.pragma("SELECT name FROM sqlite_schema WHERE name = '\(table)'").isEmpty else {
                continue
            }
            counts[table] = Int64(try connection.pragma("SELECT COUNT(*) FROM \(table)"))
        }
    }
}
