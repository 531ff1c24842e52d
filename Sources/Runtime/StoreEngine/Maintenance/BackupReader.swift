internal import Foundation
public import MailStore
public import MartletCore
internal import Synchronization

/// Reads accounts, mailboxes and messages out of a backup, which it does not change. On the calling thread; used by one task.
public final class BackupReader {
    public let name: String
    public let manifest: BackupManifest
    private let connection: SQLiteConnection
    private let segments: SegmentFiles
    /// A copy of the rows of an older program, brought up to date.
    private let temporary: String?

    /// A mailbox as the backup has it.
    public struct Mailbox: Sendable, Hashable {
        public var key: MailboxKey
        public var name: String
        public var specialUse: SpecialUse?
        public var messages: Int
        public var size: Int64
        var keywords: [String]
    }

    /// A message as the backup has it.
    public struct Message: Sendable, Hashable {
        public var uid: UInt32
        public var flags: NamedFlags
        public var internalDate: Instant
        public var size: Int
        /// With angle brackets.
        public var messageID: String?
        public var subject: String
        var blob: BlobID?
        var prefix: [UInt8]
    }

    /// Opens a backup.
    ///
    /// - Parameter isForced: go on although files are missing or too short.
    /// - Throws: `.damaged` with what is so; `.newer`.
    public init(_ set: BackupSet, _ name: String, isForced: Bool) throws(BackupFailure) {
        self.name = name
        let report: BackupCheck.Report
        do throws(BackupFailure) { report = try BackupCheck(set, name).sizes() } catch {
            // Without its description the rows alone say what there is.
            guard isForced, error.kind == .damaged else { throw error }
            let rows = BackupManifest(
                schema: 0, version: "", hostname: "", createdAt: "", counts: [:], files: [], segments: [], faults: [])
            report = BackupCheck.Report(name: name, manifest: rows, damage: [])
        }
        if !isForced, let first = report.damage.first {
            let more = report.damage.count > 1 ? " (and \(report.damage.count - 1) more)" : ""
            throw set.damaged(name, first + more)
        }
        manifest = report.manifest
        let path = "\(set.path)/\(name)/\(BackupSet.database)"
        guard BackupFiles.exists(path) else { throw set.damaged(name, "\(BackupSet.database) is missing") }
        var copy: String?
        var opened: SQLiteConnection?
        do {
            if !isForced, let file = report.manifest.file, let database = try BackupFiles.openForReading(path) {
                let digest = try BackupFiles.digest(0..<file.size, of: database, at: path) { _ in }
                guard digest == file.sha256 else {
                    throw set.damaged(name, "\(BackupSet.database) is not as it was written")
                }
            }
            var connection = try SQLiteConnection(path: path, role: .reader)
            let schema = Int(try connection.pragma("PRAGMA user_version")) ?? 0
            guard schema <= Schema.migrations.count else {
                throw StoreOpenError.newerSchema(found: schema, known: Schema.migrations.count)
            }
            if schema < Schema.migrations.count {
                let place = FileManager.default.temporaryDirectory.path + "/martlet-backup-\(UUID().uuidString).db"
                copy = place
                try DatabaseCopy.make(of: connection, at: place) { _, _ in
                } _: {
                }
                connection.close()
                try Migrator.migrate(place, through: Schema.migrations)
                connection = try SQLiteConnection(path: place, role: .reader)
            }
            opened = connection
        } catch {
            if let copy { BackupReader.removeDatabase(copy) }
            if let error = error as? SQLiteError, error.isDiskFailure {
                throw set.damaged(name, "\(BackupSet.database) cannot be read: \(error.message)")
            }
            throw BackupFailure(error)
        }
        guard let opened else { throw BackupFailure(.failed, "\(path) cannot be opened") }
        connection = opened
        temporary = copy
        segments = SegmentFiles(directory: set.blobs, layer: ReadOnlyFiles())
    }

    deinit {
        connection.close()
        if let temporary { BackupReader.removeDatabase(temporary) }
    }

    private static func removeDatabase(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { try? BackupFiles.layer.remove(path + suffix) }
    }

    // MARK: Reading

    /// Addresses of all accounts.
    public func accounts() throws(BackupFailure) -> [(id: AccountID, address: EmailAddress)] {
        try BackupFailure.wrapping {
            var accounts: [(id: AccountID, address: EmailAddress)] = []
            let rows = try connection(.allAccounts)
            while try rows.step() {
                if let address = EmailAddress(rows.text(1)) { accounts.append((AccountID(rows.int(0)), address)) }
            }
            return accounts
        }
    }

    /// The mailboxes of an account, INBOX first.
    public func mailboxes(of account: AccountID) throws(BackupFailure) -> [Mailbox] {
        try BackupFailure.wrapping {
            guard let found = try AccountMailboxes.read(account, on: connection) else { return [] }
            let rows = found.rows.values.filter { $0.deletedAt == 0 }
            return rows.map {
                Mailbox(
                    key: $0.key, name: $0.name, specialUse: $0.use, messages: Int(clamping: $0.messages), size: $0.size,
                    keywords: $0.keywords)
            }.sorted { ($0.name != "INBOX" ? 1 : 0, $0.name) < ($1.name != "INBOX" ? 1 : 0, $1.name) }
        }
    }

    /// UIDs of a mailbox, ascending.
    public func uids(in mailbox: Mailbox) throws(BackupFailure) -> [UInt32] {
        try BackupFailure.wrapping {
            let rows = try connection(.entriesOfMailbox).add(mailbox.key.account.value).add(mailbox.key.mailbox.value)
            var uids: [UInt32] = []
            while try rows.step() { uids.append(UInt32(clamping: rows.int(0))) }
            return uids
        }
    }

    /// nil when there is no such message.
    public func message(_ uid: UInt32, in mailbox: Mailbox) throws(BackupFailure) -> Message? {
        try BackupFailure.wrapping {
            let key = mailbox.key
            let row = try connection(.messageRow).add(key.account.value).add(key.mailbox.value).add(uid)
            guard try row.step() else { return nil }
            var message = Message(
                uid: uid,
                flags: WriteTransaction.names(of: UInt64(bitPattern: row.int(0)), mailbox.keywords),
                internalDate: Instant(microseconds: row.int(2)), size: Int(clamping: row.int(3)), subject: "",
                blob: BlobID(row.bytes(4)), prefix: row.bytes(5))
            row.finish()
            let summary = try connection(.summaryOfMessage).add(key.account.value).add(key.mailbox.value).add(uid)
            if try summary.step() {
                message.subject = summary.text(1)
                message.messageID = summary.optionalText(6)
            }
            summary.finish()
            return message
        }
    }

    /// Reads a message in parts, each checked. To throw in `body` ends it.
    ///
    /// - Throws: `.damaged` when its octets are not what they were.
    public func read(_ message: Message, _ body: ([UInt8]) throws -> Void) throws(BackupFailure) {
        try BackupFailure.wrapping {
            guard let blob = message.blob, let location = try connection.location(of: blob) else {
                throw BackupFailure(.damaged, "its content is not in the backup")
            }
            if !message.prefix.isEmpty { try body(message.prefix) }
            var checksums: [UInt32]?
            var offset = 0
            while offset < location.length {
                let end = min(location.length, offset + BackupReader.part)
                let bytes: [UInt8]
                do throws(StoreError) {
                    bytes = try segments.read(offset..<end, of: blob, at: location, checksums: &checksums)
                } catch {
                    throw BackupFailure(.damaged, "\(BackupFailure(error))")
                }
                try body(bytes)
                offset = end
            }
        }
    }

    private static let part = 256 << 10
}

/// Files that are read and nothing else.
struct ReadOnlyFiles: FileLayer {
    func open(_ path: String, create: Bool) throws(FileError) -> any StoreFile {
        guard let file = try BackupFiles.openForReading(path) else {
            throw FileError(operation: "open", path: path, code: 2)
        }
        return file
    }
    func syncDirectory(_ path: String) throws(FileError) {}
    func makeDirectory(_ path: String) throws(FileError) { throw ReadOnlyFiles.refusal(path) }
    func remove(_ path: String) throws(FileError) { throw ReadOnlyFiles.refusal(path) }
    func list(_ path: String) throws(FileError) -> [String] { try BackupFiles.layer.list(path) }
    func freeSpace(_ path: String) -> Int64 { 0 }

    private static func refusal(_ path: String) -> FileError { FileError(operation: "write", path: path, code: 30) }
}
