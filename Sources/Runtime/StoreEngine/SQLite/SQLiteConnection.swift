internal import GRDB
internal import GRDBSQLite

/// One connection to the database, confined to one thread: opened and configured by GRDB, driven by its own prepared
/// statements, since rows on hot paths are read and written column by column.
final class SQLiteConnection {
    enum Role { case writer, checkpointer, reader }

    private let queue: DatabaseQueue
    let handle: OpaquePointer
    /// Pages in the write-ahead log after the last commit of this connection. At an address of its own for SQLite's hook.
    private let logSize: UnsafeMutablePointer<Int32>
    private var statements: [Statement?]

    /// - Throws: `SQLiteError`, also when the writer would not be durable: a commit that returns before it is on disk is
    ///   worse than no commit.
    init(path: String, role: Role) throws {
        var configuration = Configuration()
        configuration.readonly = role == .reader
        configuration.busyMode = .timeout(10)
        configuration.label = "martlet.store.\(role)"
        configuration.maximumReaderCount = 1
        if role == .writer { PrivateFile.make(path) }
        do { queue = try DatabaseQueue(path: path, configuration: configuration) } catch let error as DatabaseError {
            throw SQLiteError(
                code: error.extendedResultCode.rawValue, message: error.message ?? "\(error.resultCode)",
                statement: path)
        }
        guard let handle = queue.unsafeReentrantRead({ $0.sqliteConnection }) else {
            throw SQLiteError(code: SQLITE_CANTOPEN, message: "no connection", statement: path)
        }
        self.handle = handle
        logSize = .allocate(capacity: 1)
        logSize.initialize(to: 0)
        // GRDB's hooks expect that its own statements ran.
        sqlite3_commit_hook(handle, nil, nil)
        sqlite3_rollback_hook(handle, nil, nil)
        statements = Array(repeating: nil, count: SQL.allCases.count)
        try execute("PRAGMA temp_store = MEMORY")
        try execute("PRAGMA cache_size = \(role == .writer ? -65_536 : -16_384)")
        guard role != .reader else { return }
        if role == .writer { try execute("PRAGMA journal_mode = WAL") }
        try execute("PRAGMA synchronous = FULL")
        try execute("PRAGMA secure_delete = OFF")
        // Checkpoints are begun by the committer, between batches.
        try execute("PRAGMA wal_autocheckpoint = 0")
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                context?.assumingMemoryBound(to: Int32.self).pointee = pages
                return SQLITE_OK
            }, logSize)
        try execute("PRAGMA journal_size_limit = 134217728")
        let mode = try pragma("PRAGMA synchronous")
        guard mode == "2", try pragma("PRAGMA journal_mode") == "wal" else {
            throw SQLiteError(
                code: SQLITE_MISUSE, message: "synchronous is \(mode), not FULL: commits would not be durable",
                statement: path)
        }
    }

    deinit {
        statements.removeAll()
        // The hook runs in commits only, and there are none any more. `handle` may be closed: it is not touched.
        logSize.deallocate()
    }

    var logPages: Int { Int(logSize.pointee) }

    /// The prepared form of `sql`, made on first use.
    func callAsFunction(_ sql: SQL) throws(SQLiteError) -> Statement {
        if let statement = statements[sql.rawValue] { return statement }
        let statement = try Statement(sql.text, on: handle)
        statements[sql.rawValue] = statement
        return statement
    }

    func execute(_ text: String) throws(SQLiteError) { try Statement(text, on: handle).run() }

    func execute(_ sql: SQL) throws(SQLiteError) { try self(sql).run() }

    func pragma(_ text: String) throws(SQLiteError) -> String {
        let statement = try Statement(text, on: handle)
        return try statement.step() ? statement.text(0) : ""
    }

    /// What SQLite's own check finds, at most a hundred lines; empty when the database is sound.
    func integrityFaults() throws(SQLiteError) -> [String] {
        let statement = try Statement("PRAGMA integrity_check(100)", on: handle)
        var lines: [String] = []
        while try statement.step() { lines.append(statement.text(0)) }
        return lines == ["ok"] ? [] : lines
    }

    /// Whether a transaction is open: SQLite ends one by itself on some errors.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Rows that the last statement changed.
    var changes: Int { Int(sqlite3_changes(handle)) }

    /// Copies pages from the write-ahead log to the database, as far as readers allow. Returns SQLite's complaint; nil when
    /// there is none.
    func checkpoint(restart: Bool) -> String? {
        let mode = restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, nil, nil)
        // Busy: a reader or writer was in the way; the next checkpoint goes on.
        return code == SQLITE_OK || code & 0xFF == SQLITE_BUSY ? nil : String(cString: sqlite3_errmsg(handle))
    }

    /// The statements of `body` see one state of the database.
    func reading<Result>(_ body: () throws -> Result) throws -> Result {
        try execute(.begin)
        defer { try? execute(.commit) }
        return try body()
    }

    func close() {
        statements = []
        try? queue.close()
    }
}
