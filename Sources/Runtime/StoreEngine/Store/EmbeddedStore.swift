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
    let segments: SegmentFiles
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
        try Migrator.migrate(connection)
        segments = SegmentFiles(directory: path + "/blobs", layer: layer)
        let writer = try EmbeddedStore.recover(segments, connection, options: options, logger: logger)
        directory = DirectoryState()
        try directory.load(from: connection)
        accountCache = AccountCache()
        indexes = IndexCache(budget: options.indexCacheBudget)
        readers = ReaderPool(path: path + "/store.db", threads: options.readers)
        maintenance = ReaderPool(path: path + "/store.db", threads: 1)
        committer = Committer(
            connection: connection, checkpoints: Checkpointer(path: path + "/store.db", logger: logger),
            segments: writer,
            accounts: accountCache, indexes: indexes,
            directory: directory, clock: clock, logger: logger)
        self.writer = WriterBox(connection)
        committer.start()
    }

    /// Rows are the truth: what lies in segment files behind them was never promised, and goes.
    private static func recover(
        _ files: SegmentFiles, _ connection: SQLiteConnection, options: StoreOptions, logger: Logger
    ) throws -> SegmentWriter {
        var last: (segment: Int64, tail: Int64) = (1, 0)
        let tails = try connection(.segmentTails).add(Schema.shard)
        while try tails.step() { last = (tails.int(0), tails.int(1)) }
        for name in try files.layer.list(files.directory) {
            guard let segment = SegmentFormat.segment(ofFileName: name), segment > last.segment else { continue }
            logger.notice("a segment file that no row names is removed", metadata: ["file": "\(name)"])
            try files.layer.remove(files.directory + "/" + name)
        }
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

    /// Commits what waits and closes. Calls that come later fail with `.closed`.
    public func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        committer.stop()
        readers.stop()
        maintenance.stop()
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
