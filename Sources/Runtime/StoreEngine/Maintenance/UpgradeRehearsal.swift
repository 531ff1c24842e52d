internal import Foundation

/// Brings a copy of a store's rows up to date, looks at the result, and leaves the store as it is. Segment files are read where
/// they are: migrations do not touch them.
public struct UpgradeRehearsal: Sendable {
    /// What a step did.
    public struct Step: Sendable, Hashable {
        public var version: Int
        public var seconds: Double
    }

    public struct Result: Sendable, Hashable {
        /// The version that the store has, and the one that this program writes.
        public var found: Int
        public var known: Int
        public var steps: [Step]
        /// What would change: tables and indexes that are new, gone or of another shape, one sentence each.
        public var changes: [String]
        /// Octets of the rows before and after.
        public var sizeBefore: Int64
        public var sizeAfter: Int64
        /// Seconds that the copy before the migration takes.
        public var copySeconds: Double
        /// The copy after its migration.
        public var verification: VerifyReport
    }

    let store: String
    let scratch: String

    /// - Parameters:
    ///   - store: the store's directory. It may be in use.
    ///   - scratch: a directory for the copy, with room for all rows.
    public init(of store: String, in scratch: String) {
        self.store = store
        self.scratch = scratch
    }

    /// Blocks the calling thread.
    ///
    /// - Parameter readsMessages: compare every octet of every message too.
    public func run(readsMessages: Bool) throws(BackupFailure) -> Result {
        try BackupFailure.wrapping { try rehearse(readsMessages) }
    }

    private func rehearse(_ readsMessages: Bool) throws -> Result {
        guard BackupFiles.exists(store + "/store.db") else {
            throw BackupFailure(.notFound, "there is no store in \(store)")
        }
        let path = scratch + "/rehearsal-\(UUID().uuidString).db"
        defer { for suffix in ["", "-wal", "-shm", "-journal"] { try? BackupFiles.layer.remove(path + suffix) } }
        let source = try SQLiteConnection(path: store + "/store.db", role: .reader)
        defer { source.close() }
        let pages = Int64(try source.pragma("PRAGMA page_count")) ?? 0
        let size = pages * (Int64(try source.pragma("PRAGMA page_size")) ?? 4_096)
        // The copy, the log of its migration, and a little.
        guard BackupFiles.layer.freeSpace(scratch) / 3 > size else {
            throw BackupFailure(
                .refused,
                "\(scratch) has no room for a copy of the rows (\(size) octets, three times that for safety); name another directory with --scratch"
            )
        }
        let clock = ContinuousClock()
        let begin = clock.now
        try DatabaseCopy.make(of: source, at: path) { _, _ in
        } _: {
        }
        let copySeconds = UpgradeRehearsal.seconds(clock.now - begin)
        let before = try UpgradeRehearsal.size(path)
        let found = Int(try source.pragma("PRAGMA user_version")) ?? 0
        guard found <= Schema.migrations.count else {
            throw BackupFailure(
                .newer,
                StoreOpenError.newerSchema(found: found, known: Schema.migrations.count).description)
        }
        let copy = try SQLiteConnection(path: path, role: .writer)
        defer { copy.close() }
        let old = try UpgradeRehearsal.shape(copy)
        var steps: [Step] = []
        var last = clock.now
        try Migrator.migrate(copy) { version in
            if !steps.isEmpty { steps[steps.count - 1].seconds = UpgradeRehearsal.seconds(clock.now - last) }
            last = clock.now
            steps.append(Step(version: version, seconds: 0))
        }
        if !steps.isEmpty { steps[steps.count - 1].seconds = UpgradeRehearsal.seconds(clock.now - last) }
        let changes = UpgradeRehearsal.changes(from: old, to: try UpgradeRehearsal.shape(copy))
        let verification = try verify(copy, readsMessages)
        _ = copy.checkpoint(restart: true)
        return Result(
            found: found, known: Schema.migrations.count, steps: steps, changes: changes, sizeBefore: before,
            sizeAfter: try UpgradeRehearsal.size(path), copySeconds: copySeconds, verification: verification)
    }

    private func verify(_ copy: SQLiteConnection, _ readsMessages: Bool) throws -> VerifyReport {
        let segments = SegmentFiles(directory: store + "/blobs", layer: ReadOnlyFiles())
        guard readsMessages else {
            return try copy.reading {
                var report = try EmbeddedStore.verifyRows(copy)
                var last: [UInt8]? = []
                while let start = last {
                    let page = try copy.blobs(after: start, limit: 4_096)
                    report.count(page.blobs)
                    last = page.last
                }
                return report
            }
        }
        return try StoreVerification.verify(copy, segments, rows: true) { _, _ in
        } progress: { _ in
        }
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private static func size(_ path: String) throws -> Int64 {
        try BackupFiles.openForReading(path)?.size() ?? 0
    }

    /// Tables and indexes by name, with the statement that makes each.
    private static func shape(_ connection: SQLiteConnection) throws -> [String: String] {
        var shape: [String: String] = [:]
        for name in try connection.pragma("SELECT group_concat(name, ' ') FROM sqlite_schema WHERE sql IS NOT NULL")
            .split(
                separator: " ")
        {
            shape[String(name)] = try connection.pragma(
                "SELECT type || ' ' || sql FROM sqlite_schema WHERE name = '\(name)'")
        }
        return shape
    }

    private static func changes(from old: [String: String], to new: [String: String]) -> [String] {
        func kind(_ text: String) -> Substring { text.prefix { $0 != " " } }
        var changes: [String] = []
        for (name, text) in new.sorted(by: { $0.key < $1.key }) {
            if let before = old[name] {
                if before != text { changes.append("\(kind(text)) \(name) changes") }
            } else {
                changes.append("\(kind(text)) \(name) is new")
            }
        }
        for (name, text) in old.sorted(by: { $0.key < $1.key }) where new[name] == nil {
            changes.append("\(kind(text)) \(name) goes")
        }
        return changes
    }
}
