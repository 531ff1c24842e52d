internal import GRDBSQLite
internal import MailStore

/// What SQLite answered when it did not do what it was asked.
struct SQLiteError: Error, CustomStringConvertible {
    /// The extended result code.
    var code: Int32
    var message: String
    var statement: String

    var description: String { "SQLite error \(code): \(message) (\(statement.prefix(80)))" }

    var primaryCode: Int32 { code & 0xFF }

    /// Whether the disk, and not the statement, is at fault: everything in the transaction fails with it.
    var isDiskFailure: Bool {
        switch primaryCode {
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_NOMEM, SQLITE_BUSY, SQLITE_LOCKED,
            SQLITE_CORRUPT, SQLITE_NOTADB:
            true
        default: false
        }
    }

    var storeError: StoreError {
        switch primaryCode {
        case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt(reason: "database: \(message)")
        default: .unavailable(reason: "database: \(message)")
        }
    }
}

extension StoreError {
    /// Any error of the engine as the one that callers see.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as SQLiteError: self = error.storeError
        case let error as FileError: self = .unavailable(reason: error.description)
        default: self = .unavailable(reason: "\(error)")
        }
    }
}
