internal import MailStore
internal import MartletCore
internal import Records

/// One batch's changes: rows go to the open SQL transaction at once, counters of mailboxes and the ledger when the batch ends,
/// caches and watchers after the commit. Confined to the committer's thread.
final class WriteTransaction {
    /// What is in memory until the commit. A value, so that an operation that fails can be undone.
    struct Pending {
        var accounts: [AccountID: AccountMailboxes?] = [:]
        var rows: [MailboxKey: MailboxRow] = [:]
        var changes: [MailboxKey: [IndexChange]] = [:]
        var usage: [AccountID: (messages: Int64, bytes: Int64)] = [:]
        var ledger: [Ledger.Entry: Int64] = [:]
        /// Lanes whose recipients changed, with how many came less how many went.
        var lanes: [QueueLane: Int64] = [:]
        /// Blobs of this batch that have got their row.
        var inserted: Set<BlobID> = []
        /// Whether rows name bytes that this batch appended, or a file that it began.
        var namesSegments = false
        var afterCommit: [() -> Void] = []
    }

    let connection: SQLiteConnection
    let directory: DirectoryState
    let now: Instant
    private let cache: AccountCache
    /// Blobs that this batch appended to a segment.
    let newBlobs: [BlobID: BlobLocation]
    var pending = Pending()
    /// Whether a row was written: then an operation that throws has to be undone.
    private(set) var writes = 0

    init(
        connection: SQLiteConnection, cache: AccountCache, directory: DirectoryState, newBlobs: [BlobID: BlobLocation],
        now: Instant
    ) {
        self.connection = connection
        self.cache = cache
        self.directory = directory
        self.newBlobs = newBlobs
        self.now = now
    }

    /// A statement that changes something.
    func writing(_ sql: SQL) throws(SQLiteError) -> Statement {
        writes += 1
        return try connection(sql)
    }

    // MARK: Mailboxes

    func account(_ id: AccountID) throws -> AccountMailboxes {
        if let known = pending.accounts[id] {
            guard let account = known else { throw StoreError.noSuchAccount }
            return account
        }
        if let cached = cache.account(id) { return cached }
        // The committer itself reads: no commit can come between.
        guard let account = try AccountMailboxes.read(id, on: connection) else { throw StoreError.noSuchAccount }
        cache.endLoad(cache.beginLoad(id), account)
        return account
    }

    /// Nil when there is no such account.
    func knownAccount(_ id: AccountID) throws -> AccountMailboxes? {
        do { return try account(id) } catch StoreError.noSuchAccount { return nil }
    }

    /// The mailbox with the changes of this batch.
    func row(_ key: MailboxKey) throws -> MailboxRow {
        if let row = pending.rows[key] {
            guard row.deletedAt == 0 else { throw StoreError.noSuchMailbox }
            return row
        }
        guard let row = try knownAccount(key.account)?.rows[key.mailbox], row.deletedAt == 0 else {
            throw StoreError.noSuchMailbox
        }
        return row
    }

    func id(named name: String, of account: AccountID) throws -> MailboxID? { try self.account(account).names[name] }

    /// The mailbox row with a MODSEQ for a new change. To be put back with `put`.
    func put(_ row: MailboxRow, _ changes: [IndexChange] = []) {
        writes += 1
        pending.rows[row.key] = row
        if !changes.isEmpty { pending.changes[row.key, default: []].append(contentsOf: changes) }
    }

    func put(_ account: AccountMailboxes, id: AccountID) {
        writes += 1
        pending.accounts[id] = .some(account)
    }

    // MARK: Quota

    func count(_ account: AccountID, messages: Int64, bytes: Int64) {
        let before = pending.usage[account] ?? (0, 0)
        pending.usage[account] = (before.messages + messages, before.bytes + bytes)
    }

    /// Whether the account has room for so many octets more.
    func hasRoom(for bytes: Int64, in id: AccountID) throws -> Bool {
        guard let account = directory.account(id) else { throw StoreError.noSuchAccount }
        guard let quota = account.quota else { return true }
        return account.usedBytes + (pending.usage[id]?.bytes ?? 0) + bytes <= quota
    }

    // MARK: Blobs

    /// Adds references to a blob that this batch stored, or that was there before.
    func reference(_ blob: BlobID, length: Int, count: Int) throws {
        if let location = newBlobs[blob], pending.inserted.insert(blob).inserted {
            pending.namesSegments = true
            let statement = try writing(.insertBlob)
            statement.add(Schema.shard).add(blob.bytes).add(location.segment).add(location.place).add(location.length)
                .add(count)
            try statement.run()
        } else {
            try writing(.addBlobReferences).add(count).add(Schema.shard).add(blob.bytes).run()
        }
    }

    // MARK: End

    /// Writes what was gathered in memory. After it the SQL transaction can be committed.
    func finish() throws {
        for (id, account) in pending.accounts {
            guard let account else { continue }
            try writing(.updateAccountCounters).add(account.nextMailbox).add(account.lastUIDValidity).add(id.value)
                .run()
        }
        for row in pending.rows.values {
            let statement = try writing(.updateMailbox)
            statement.add(row.name).add(row.uidNext).add(row.highestModSeq).add(row.messages).add(row.unseen).add(
                row.deleted
            ).add(row.size)
            statement.add(row.use?.rawValue).add(row.keywords.joined(separator: " ")).add(row.deletedAt).add(
                row.purgedModSeq)
            try statement.add(row.key.account.value).add(row.key.mailbox.value).run()
        }
        for (lane, change) in pending.lanes { try refresh(lane, change) }
        for (entry, count) in pending.ledger where count != 0 {
            try writing(.addLedger).add(Schema.shard).add(entry.rawValue).add(count).run()
        }
    }
}
