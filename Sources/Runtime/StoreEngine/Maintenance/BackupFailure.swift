internal import MailStore

/// Why a backup cannot be made, used or restored: what is so, and what to do.
public struct BackupFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// There is no such backup, account, mailbox or message.
        case notFound
        /// It is not as it was written: `--force` takes what can be read.
        case damaged
        /// It was written by a newer program.
        case newer
        /// The target is not empty, another command is at it, the store is another one.
        case refused
        /// The file system or the store does not do what it is asked.
        case failed
    }

    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ error: any Error) {
        switch error {
        case let error as BackupFailure: self = error
        case let error as FileError: self.init(.failed, error.description)
        case let error as SQLiteError:
            if case .corrupt(let reason) = error.storeError {
                self.init(.damaged, reason)
            } else {
                self.init(.failed, "database: \(error.message)")
            }
        case let error as StoreError: self.init(error)
        default: self.init(.failed, "\(error)")
        }
    }

    init(_ error: StoreError) {
        switch error {
        case .corrupt(let reason): self.init(.damaged, reason)
        case .unavailable(let reason): self.init(.failed, reason)
        case .noSuchAccount: self.init(.notFound, "there is no such account")
        case .noSuchMailbox: self.init(.notFound, "there is no such mailbox")
        case .noSuchMessage: self.init(.notFound, "there is no such message")
        default: self.init(.failed, "\(error)")
        }
    }

    /// Runs `body`; whatever it throws is put into words.
    static func wrapping<Value>(_ body: () throws -> Value) throws(BackupFailure) -> Value {
        do { return try body() } catch { throw BackupFailure(error) }
    }
}
