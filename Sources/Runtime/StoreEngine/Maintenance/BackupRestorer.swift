public import MartletCore

/// Makes a whole data directory from a backup.
///
/// It is made under another name beside the target, verified, and gets its name at the end: what bears the target's name is whole.
public struct BackupRestorer: Sendable {
    /// What a backup's moment means for what comes after it.
    public enum Continuity: Sendable, Hashable {
        /// Time has passed since the backup: the queue is held, since what waits in it may have been sent, and mailboxes get new
        /// UIDVALIDITY values, since clients may know later messages by the numbers that come next (RFC 9051 §2.3.1.1).
        case isOlder
        /// Nothing has happened since the backup, as when a server moves to another machine.
        case isPresent
    }

    public struct Result: Sendable, Hashable {
        public var manifest: BackupManifest
        /// What could not be restored, one sentence each. Only with `isForced`.
        public var losses: [String]
        /// The restored store as it was found; nil when it is of an older program, and is verified after its migration.
        public var verification: VerifyReport?
        /// Recipients in the queue that are held now.
        public var held: Int64
        /// Files that belong elsewhere on this machine: where they lie now, and where they were.
        public var elsewhere: [String]
    }

    let set: BackupSet
    let name: String
    let progress: @Sendable (BackupWriter.Phase, Int64, Int64) -> Void

    public init(
        _ set: BackupSet, _ name: String,
        progress: @escaping @Sendable (BackupWriter.Phase, Int64, Int64) -> Void = { _, _, _ in }
    ) {
        self.set = set
        self.name = name
        self.progress = progress
    }

    /// Blocks the calling thread until all is there and verified.
    ///
    /// - Parameters:
    ///   - target: a directory that is empty, or does not exist.
    ///   - isForced: restore what can be read.
    public func restore(
        to target: String, _ continuity: Continuity, isForced: Bool, now: Instant
    ) throws(BackupFailure) -> Result {
        try BackupFailure.wrapping { try run(target, continuity, isForced, now) }
    }

    private func run(_ typed: String, _ continuity: Continuity, _ isForced: Bool, _ now: Instant) throws -> Result {
        var target = typed
        while target.count > 1, target.hasSuffix("/") { target.removeLast() }
        if BackupFiles.exists(target) {
            guard BackupFiles.isDirectory(target), try BackupFiles.layer.list(target).isEmpty else {
                throw BackupFailure(.refused, "\(target) is not empty; name a directory that is, or does not exist")
            }
        }
        var losses: [String] = []
        let manifest: BackupManifest
        let report: BackupCheck.Report
        do throws(BackupFailure) {
            report = try BackupCheck(set, name).all { progress(.comparing, $0, $1) }
            manifest = report.manifest
            losses = report.damage
        } catch {
            throw error.kind == .damaged && isForced
                ? BackupFailure(
                    .damaged,
                    "\(error); without its description the files of it are not known: restore account by account with --account and --force"
                )
                : error
        }
        if !isForced, let first = losses.first {
            throw set.damaged(name, first + (losses.count > 1 ? " (and \(losses.count - 1) more)" : ""))
        }
        let made = target + ".restoring"
        try BackupFiles.removeTree(made)
        try BackupFiles.makeDirectories(made)
        try BackupFiles.setMode(0o700, of: made)
        for directory in ["/store", "/store/blobs"] { try BackupFiles.layer.makeDirectory(made + directory) }
        var done: Int64 = 0
        func count(_ octets: Int64) {
            done += octets
            progress(.messages, min(done, manifest.size), manifest.size)
        }
        let elsewhere = try copyFiles(manifest, to: made, isForced, count)
        for segment in manifest.segments { try copy(segment, to: made, isForced, count) }
        let held = try adjust(made + "/store/" + BackupSet.database, continuity, now)
        let verification = try verify(made + "/store", manifest, isForced)
        for fault in verification?.faults ?? [] where isForced { losses.append(fault) }
        for directory in ["/store/blobs", "/store", ""] { try BackupFiles.layer.syncDirectory(made + directory) }
        // Over an empty directory, which a rename replaces; its owner gets what root restores.
        if let owner = BackupFiles.owner(target) { try BackupFiles.giveTree(made, to: owner) }
        try BackupFiles.rename(made, to: target)
        let parent = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
        try BackupFiles.layer.syncDirectory(parent.isEmpty ? "/" : parent)
        return Result(
            manifest: manifest, losses: losses, verification: verification, held: held, elsewhere: elsewhere)
    }

    // MARK: Copying

    /// Where a file of the backup goes, and whether it belongs to another place of the machine.
    private static func place(of name: String) -> (path: String, isElsewhere: Bool) {
        if name == BackupSet.database { return ("store/" + name, false) }
        let bare = name.hasPrefix("files/") ? String(name.dropFirst("files/".count)) : name
        return (bare, bare.hasPrefix("elsewhere/"))
    }

    private func copyFiles(
        _ manifest: BackupManifest, to made: String, _ isForced: Bool, _ count: (Int64) -> Void
    ) throws -> [String] {
        var elsewhere: [String] = []
        for file in manifest.files {
            let (name, isElsewhere) = BackupRestorer.place(of: file.name)
            let path = made + "/" + name
            let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
            try BackupFiles.makeDirectories(parent)
            if parent != made { try BackupFiles.setMode(0o700, of: parent) }
            guard let source = try BackupFiles.openForReading("\(set.path)/\(self.name)/\(file.name)") else {
                if isForced { continue }
                throw set.damaged(self.name, "\(file.name) is missing")
            }
            let target = try BackupFiles.layer.open(path, create: true)
            let size = isForced ? min(file.size, try source.size()) : file.size
            _ = try BackupFiles.copy(0..<size, of: source, at: file.name, to: target, count)
            try BackupFiles.setMode(file.mode, of: path)
            try BackupFiles.layer.syncDirectory(parent)
            if isElsewhere { elsewhere.append("\(name) was \(file.origin ?? "elsewhere")") }
        }
        return elsewhere
    }

    private func copy(
        _ segment: BackupManifest.Segment, to made: String, _ isForced: Bool, _ count: (Int64) -> Void
    ) throws {
        let name = SegmentFormat.fileName(segment.number)
        guard let source = try BackupFiles.openForReading(set.segment(segment.number)) else {
            if isForced { return }
            throw set.damaged(self.name, "blobs/\(name) is missing")
        }
        let target = try BackupFiles.layer.open(made + "/store/blobs/" + name, create: true)
        let size = isForced ? min(segment.size, try source.size()) : segment.size
        _ = try BackupFiles.copy(0..<size, of: source, at: name, to: target, count)
    }

    // MARK: Rows

    /// Returns how many recipients of the queue are held now.
    private func adjust(_ path: String, _ continuity: Continuity, _ now: Instant) throws -> Int64 {
        guard continuity == .isOlder else { return 0 }
        let connection = try SQLiteConnection(path: path, role: .writer)
        defer {
            // One file again: a log left behind would be a second one to lose.
            _ = connection.checkpoint(restart: true)
            try? connection.execute("PRAGMA journal_mode = DELETE")
            connection.close()
        }
        let schema = Int(try connection.pragma("PRAGMA user_version")) ?? 0
        try connection.execute(.begin)
        let seconds = now.seconds
        try connection(.renewUIDValidities).add(seconds).add(seconds).run()
        try connection(.renewLastUIDValidities).add(seconds).add(seconds).run()
        var held: Int64 = 0
        if schema >= Schema.versionWithQueue {
            let waiting = try connection(.countWaiting).add(Schema.shard).add(Int64.max)
            if try waiting.step() { held = waiting.int(0) }
            waiting.finish()
            try connection(.holdQueue).add(Int64.max).add(Schema.shard).run()
            try connection(.holdLanes).add(Int64.max).add(Schema.shard).run()
        }
        try connection.execute(.commit)
        return held
    }

    private func verify(_ store: String, _ manifest: BackupManifest, _ isForced: Bool) throws -> VerifyReport? {
        let connection = try SQLiteConnection(path: store + "/" + BackupSet.database, role: .reader)
        defer { connection.close() }
        let segments = SegmentFiles(directory: store + "/blobs", layer: ReadOnlyFiles())
        let total = manifest.segments.reduce(0) { $0 + $1.size }
        var done: Int64 = 0
        let isPresent = Int(try connection.pragma("PRAGMA user_version")) == Schema.migrations.count
        let report = try StoreVerification.verify(connection, segments, rows: isPresent) { blob, fault in
            // What the store itself had when the backup was made is no fault of the backup.
            guard !isForced, manifest.faults.isEmpty else { return }
            throw BackupFailure(.failed, "the restored copy is not sound: blob \(blob.blob.hexadecimal): \(fault)")
        } progress: { count in
            done += count
            progress(.comparing, min(done, total), total)
        }
        return isPresent ? report : nil
    }
}
