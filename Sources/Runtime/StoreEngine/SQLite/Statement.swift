internal import GRDBSQLite

/// A prepared statement that is kept and used again. Confined to the thread of its connection.
///
/// Arguments are added in order, then `run` or `step` until it says false; both leave the statement ready for its next use.
final class Statement {
    private let handle: OpaquePointer
    private let text: String
    private var arguments: Int32 = 0

    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(_ text: String, on connection: OpaquePointer) throws(SQLiteError) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else {
            throw SQLiteError(code: code, message: String(cString: sqlite3_errmsg(connection)), statement: text)
        }
        self.handle = handle
        self.text = text
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Arguments

    @discardableResult
    func add(_ value: Int64) -> Statement {
        arguments += 1
        sqlite3_bind_int64(handle, arguments, value)
        return self
    }

    @discardableResult
    func add(_ value: Int64?) -> Statement {
        guard let value else { return addNull() }
        return add(value)
    }

    @discardableResult
    func add(_ value: Int) -> Statement { add(Int64(value)) }

    @discardableResult
    func add(_ value: UInt32) -> Statement { add(Int64(value)) }

    @discardableResult
    func add(_ value: Bool) -> Statement { add(Int64(value ? 1 : 0)) }

    @discardableResult
    func add(_ value: String) -> Statement {
        arguments += 1
        var value = value
        value.withUTF8 { bytes in
            // An empty buffer may have no address, which SQLite would take for NULL.
            if let base = bytes.baseAddress {
                _ = base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
                    sqlite3_bind_text(handle, arguments, $0, Int32(bytes.count), Statement.transient)
                }
            } else {
                sqlite3_bind_text(handle, arguments, "", 0, Statement.transient)
            }
        }
        return self
    }

    @discardableResult
    func add(_ value: String?) -> Statement {
        guard let value else { return addNull() }
        return add(value)
    }

    @discardableResult
    func add(_ value: [UInt8]) -> Statement {
        arguments += 1
        _ = value.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress, !bytes.isEmpty {
                sqlite3_bind_blob64(handle, arguments, base, sqlite3_uint64(bytes.count), Statement.transient)
            } else {
                sqlite3_bind_zeroblob(handle, arguments, 0)
            }
        }
        return self
    }

    private func addNull() -> Statement {
        arguments += 1
        sqlite3_bind_null(handle, arguments)
        return self
    }

    // MARK: Running

    /// Whether there is a row. After false the statement is ready for its next use.
    func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            finish()
            return false
        default:
            let connection = sqlite3_db_handle(handle)
            let error = SQLiteError(
                code: sqlite3_extended_errcode(connection), message: String(cString: sqlite3_errmsg(connection)),
                statement: text)
            finish()
            throw error
        }
    }

    /// Runs to the end; rows are of no interest.
    func run() throws(SQLiteError) { while try step() {} }

    /// Ends a walk over rows before its end.
    func finish() {
        sqlite3_reset(handle)
        arguments = 0
    }

    // MARK: Columns of the present row

    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func optionalInt(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }

    func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        return String(
            decoding: UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))), as: UTF8.self
        )
    }

    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    /// The octets of a column where they are, until the next step.
    func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = sqlite3_column_blob(handle, column)
        return body(
            UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, column))))
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let bytes = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
