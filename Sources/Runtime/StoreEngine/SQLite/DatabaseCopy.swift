internal import GRDBSQLite

/// A copy of a database as one moment saw it, page by page (https://sqlite.org/c3ref/backup_finish.html). Others read and write
/// meanwhile.
enum DatabaseCopy {
    /// Pages that are copied between two calls of `progress`: 4 MiB.
    private static let step: Int32 = 1_024

    /// Copies to a file that does not exist yet, and calls `body` on `source` within the same moment.
    ///
    /// The copy is one file, without a log beside it, so that it can be read from a medium that is read-only. It is on disk when
    /// this returns; the name is the caller's to sync.
    static func make<Value>(
        of source: SQLiteConnection, at path: String, progress: (_ done: Int64, _ total: Int64) -> Void,
        _ body: () throws -> Value
    ) throws -> Value {
        // While this connection's transaction lasts, it sees one state, whatever others commit: the copy is never begun anew.
        try source.reading {
            // The first statement begins it.
            _ = try source.pragma("SELECT COUNT(*) FROM sqlite_schema")
            PrivateFile.make(path)
            var opened: OpaquePointer?
            let code = sqlite3_open_v2(
                path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
            defer { sqlite3_close(opened) }
            guard code == SQLITE_OK, let target = opened else {
                throw SQLiteError(
                    code: code, message: opened.map { String(cString: sqlite3_errmsg($0)) } ?? "", statement: path)
            }
            let pageSize = Int64(try source.pragma("PRAGMA page_size")) ?? 4_096
            try copy(source.handle, to: target) { progress($0 * pageSize, $1 * pageSize) }
            // The copy says that it has a log, as its source has.
            try Statement("PRAGMA synchronous = FULL", on: target).run()
            try Statement("PRAGMA journal_mode = DELETE", on: target).run()
            return try body()
        }
    }

    private static func copy(
        _ source: OpaquePointer, to target: OpaquePointer, _ progress: (_ done: Int64, _ total: Int64) -> Void
    ) throws {
        guard let copy = sqlite3_backup_init(target, "main", source, "main") else { throw failure(target) }
        var code: Int32
        repeat {
            code = sqlite3_backup_step(copy, step)
            let total = Int64(sqlite3_backup_pagecount(copy))
            progress(total - Int64(sqlite3_backup_remaining(copy)), total)
        } while code == SQLITE_OK
        let end = sqlite3_backup_finish(copy)
        guard code == SQLITE_DONE, end == SQLITE_OK else { throw failure(target) }
    }

    private static func failure(_ target: OpaquePointer) -> SQLiteError {
        SQLiteError(
            code: sqlite3_extended_errcode(target), message: String(cString: sqlite3_errmsg(target)),
            statement: "backup")
    }
}
