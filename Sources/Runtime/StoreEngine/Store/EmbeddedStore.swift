public import Logging
public import MailStore
public import MartletCore
internal import Synchronization

/// The store in one directory (DESIGN.md §4): SQLite for rows, segment files for bytes, one committer for all writing.
///
/// Reading calls are answered from memory where they can be, otherwise by a small pool of reading threads. Writing calls return
/// after their change is durable; calls that wait at the same time share a commit. A call that fails has changed nothing.
///
/// ```
/// directory/lock            held while the store is open
///           store.db        rows (and store.db-wal, store.db-shm)
///           blobs/*.seg     messages
///           spool/          large messages on their way in
/// ```
public final class EmbeddedStore: Sendable {
    let directory: DirectoryState
    let accountCache: AccountCache
    let indexes: IndexCache
    let committer: Committer
    let readers: ReaderPool
    /// For what takes long: verification, the ledger, looking for what is to be forgotten.
    let maintenance: ReaderPool
    /// For `observe`, which people and probes wait for: behind nothing else.
    let observers: ReaderPool
    let segments: SegmentFiles
    let gate = MaintenanceGate()
    let spool: SpoolDirectory
    let options: StoreOptions
    let clock: any WallClock
    let logger: Logger
    private let lock: LockFile
    private let writer: WriterBox
    private let isClosed = Atomic<Bool>(false)

    /// The writer's connection, which only the committer uses.
    private final class WriterBox: @unchecked Sendable {
        let connection: SQLiteConnection
        init(_ connection: SQLiteConnection) { self.connection = connection }
    }

    /// Opens the store in `directory`, which is made when it is absent, and brings its schema up to date.
    ///
    /// Blocks the calling thread for as long as that takes: call it at start, not on an event loop.
    public static func open(
        directory: String, options: StoreOptions = StoreOptions(), clock: any WallClock, logger: Logger
    ) async throws(StoreOpenError) -> EmbeddedStore {
        try open(directory: directory, options: options, clock: clock, logger: logger, layer: PosixFileLayer())
    }

    package static func open(
        directory: String, options: StoreOptions, clock: any WallClock, logger: Logger, layer: any FileLayer
    ) throws(StoreOpenError) -> EmbeddedStore {
        do {
            return try EmbeddedStore(directory: directory, options: options, clock: clock, logger: logger, layer: layer)
        } catch let error as StoreOpenError {
            throw error
        } catch {
            throw .failed(directory: directory, reason: "\(error)")
        }
    }

    private init(
        directory path: String, options: StoreOptions, clock: any WallClock, logger: Logger, layer: any FileLayer
    ) throws {
        self.options = options
        self.clock = clock
        self.logger = logger
        try PosixFileLayer().makeDirectory(path)
        lock = try LockFile(directory: path)
        try layer.makeDirectory(path + "/blobs")
        try layer.syncDirectory(path)
        spool = SpoolDirectory(path: path + "/spool", threshold: options.spoolThreshold, layer: layer)
        try spool.prepare()

        let connection = try SQLiteConnection(path: path + "/store.db", role: .writer)
        try EmbeddedStore.keepRows(of: connection, in: path, layer: layer, logger: logger)
        try Migrator.migrate(connection)
        segments = SegmentFiles(directory: path + "/blobs", layer: layer)
        let writer = try EmbeddedStore.recover(segments, connection, options: options, logger: logger)
        directory = DirectoryState()
        try directory.load(from: connection)
        accountCache = AccountCache()
        indexes = IndexCache(budget: options.indexCacheBudget)
        readers = ReaderPool(path: path + "/store.db", threads: options.readers)
        maintenance = ReaderPool(path: path + "/store.db", threads: 1)
        observers = ReaderPool(path: path + "/store.db", threads: 1)
        committer = Committer(
            connection: connection, checkpoints: Checkpointer(path: path + "/store.db", logger: logger),
            segments: writer,
            accounts: accountCache, indexes: indexes,
            directory: directory, clock: clock, logger: logger)
        self.writer = WriterBox(connection)
        committer.start()
    }

    /// Before a store of an older program is brought up to date its rows are copied to `before-migration-N.db`, N being the
    /// version that it has. Segment files are not touched by migrations.
    private static func keepRows(
        of connection: SQLiteConnection, in path: String, layer: any FileLayer, logger: Logger
    ) throws {
        let found = Int(try connection.pragma("PRAGMA user_version")) ?? 0
        guard found > 0, found < Schema.migrations.count else { return }
        let pages = Int64(try connection.pragma("PRAGMA page_count")) ?? 0
        let size = pages * (Int64(try connection.pragma("PRAGMA page_size")) ?? 4_096)
        guard layer.freeSpace(path) > 2 * size else {
            throw StoreOpenError.failed(
                directory: path,
                reason:
                    "it has to be brought from version \(found) to \(Schema.migrations.count), and there is no room for a copy of its rows (\(size) octets) before that; make room"
            )
        }
        let copy = "\(path)/before-migration-\(found).db"
        let partial = copy + ".partial"
        try BackupFiles.removeTree(partial)
        try DatabaseCopy.make(of: connection, at: partial) { _, _ in
        } _: {
        }
        try BackupFiles.layer.open(partial, create: false).sync()
        try BackupFiles.setMode(0o600, of: partial)
        try BackupFiles.rename(partial, to: copy)
        try BackupFiles.layer.syncDirectory(path)
        logger.notice(
            "the store is brought up to date; its rows as they were are kept",
            metadata: ["from": "\(found)", "to": "\(Schema.migrations.count)", "copy": "\(copy)"])
    }

    /// Rows are the truth: what lies in segment files behind them was never promised, and goes.
    private static func recover(
        _ files: SegmentFiles, _ connection: SQLiteConnection, options: StoreOptions, logger: Logger
    ) throws -> SegmentWriter {
        let tails = try connection.segmentTails()
        let last = tails.last ?? (1, 0)
        try removeUnnamed(files, Set(tails.map(\.segment)), last: last.segment, connection, logger: logger)
        if let file = try? files.file(last.segment) {
            let size = try file.size()
            if size < last.tail {
                logger.error(
                    "a segment is shorter than its rows say: messages are missing; `martlet verify` names them",
                    metadata: ["file": "\(SegmentFormat.fileName(last.segment))", "octets": "\(last.tail - size)"])
            }
            if size > last.tail {
                logger.notice(
                    "the end of a segment that no row names is cut off",
                    metadata: ["file": "\(SegmentFormat.fileName(last.segment))", "octets": "\(size - last.tail)"])
                try file.truncate(to: last.tail)
            }
        } else if last.tail > 0 {
            logger.error(
                "a segment that rows name is not there: messages are missing; `martlet verify` names them",
                metadata: ["file": "\(SegmentFormat.fileName(last.segment))"])
        }
        return SegmentWriter(
            files: files, segmentSize: options.segmentSize, freeSpaceReserve: options.freeSpaceReserve,
            segment: last.segment,
            tail: last.tail)
    }

    /// Removes files that were begun and never named, behind the last one, and before it those that compaction has emptied: it
    /// takes away a file's row first.
    private static func removeUnnamed(
        _ files: SegmentFiles, _ known: Set<Int64>, last: Int64, _ connection: SQLiteConnection, logger: Logger
    ) throws {
        var named: Set<Int64>?
        for name in try files.layer.list(files.directory) {
            guard let segment = SegmentFormat.segment(ofFileName: name), !known.contains(segment) else { continue }
            // Of a new store the first file has no row yet.
            guard segment > last || !known.isEmpty else { continue }
            if segment < last {
                if named == nil { named = try connection.segmentsOfBlobs() }
                guard named?.contains(segment) == false else {
                    logger.error(
                        "a segment file has lost its row; it stays, since messages are in it",
                        metadata: ["file": "\(name)"])
                    continue
                }
            }
            logger.notice("a segment file that no row names is removed", metadata: ["file": "\(name)"])
            try files.layer.remove(files.directory + "/" + name)
        }
    }

    /// Commits what waits and closes. Calls that come later fail with `.closed`.
    public func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        committer.stop()
        readers.stop()
        maintenance.stop()
        observers.stop()
        if let complaint = writer.connection.checkpoint(restart: true) {
            logger.error("the database's log could not be copied", metadata: ["error": "\(complaint)"])
        }
        writer.connection.close()
        lock.release()
    }

    /// Lets the database grow to so many pages and no further: a full disk, for tests. 0 takes the limit away.
    package func limitDatabase(toPages pages: Int) async throws(StoreError) {
        try await committer.submit { transaction in
            _ = try transaction.connection.pragma("PRAGMA max_page_count = \(pages == 0 ? 1_073_741_823 : pages)")
        }
    }

    public var statistics: StoreStatistics {
        let indexes = indexes.statistics
        return StoreStatistics(
            commits: committer.batches.load(ordering: .relaxed),
            operations: committer.operations.load(ordering: .relaxed),
            openIndexes: indexes.mailboxes, indexBytes: indexes.bytes)
    }

    public func makeSpool() throws(StoreError) -> any SpoolWriter { Spool(directory: spool) }

    /// Removes spool files of messages whose commit has ended.
    func removeSpoolFiles(_ messages: [SpooledMessage]) {
        for message in messages {
            guard case .file(let path) = message.place else { continue }
            readers.later { [spool] in try? spool.layer.remove(path) }
        }
    }
}
