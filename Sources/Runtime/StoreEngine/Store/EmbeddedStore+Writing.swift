public import MailStore
internal import MartletCore

// IMAP's and POP3's changes: each one operation of the committer.
extension EmbeddedStore: MailboxStore {
    public func append(_ messages: [AppendedMessage], to key: MailboxKey) async throws(StoreError) -> AppendResult {
        let content = messages.map(\.content)
        defer { removeSpoolFiles(content) }
        // Before the bytes are stored: what is refused later leaves them in the segment file.
        let size = content.reduce(0) { $0 + Int64($1.size) }
        guard directory.account(key.account)?.hasRoom(for: size) ?? true else { throw .overQuota }
        return try await committer.submit(content: content) { transaction in
            var row = try transaction.row(key)
            let bytes = content.reduce(0) { $0 + Int64($1.size) }
            guard try transaction.hasRoom(for: bytes, in: key.account) else { throw StoreError.overQuota }
            var new: [WriteTransaction.NewMessage] = []
            var table = KeywordTable(row.keywords)
            for message in messages {
                let bits = try transaction.bits(of: message.flags, &table, in: key, whenFull: .isLeftOut)
                new.append(
                    WriteTransaction.NewMessage(
                        blob: message.content.blob, size: message.content.size, flags: bits,
                        internalDate: message.internalDate, prefix: [],
                        summary: message.summary))
            }
            row.keywords = table.names
            let uids = try transaction.add(new, to: &row)
            for message in content { try transaction.reference(message.blob, length: message.size, count: 1) }
            transaction.count(key.account, messages: Int64(messages.count), bytes: bytes)
            return AppendResult(uidValidity: row.uidValidity, uids: uids)
        }
    }

    public func changeFlags(
        in key: MailboxKey, uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) async throws(StoreError) -> FlagChangeResult {
        try await committer.submit { try $0.changeFlags(in: key, uids, operation, unchangedSince: unchangedSince) }
    }

    public func copy(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError)
        -> CopyResult
    {
        try await committer.submit { try $0.copy(uids, from: key, to: destination) }
    }

    public func move(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError)
        -> CopyResult
    {
        try await committer.submit { try $0.move(uids, from: key, to: destination) }
    }

    public func expunge(in key: MailboxKey, uids: [UInt32]?) async throws(StoreError) -> ExpungeResult {
        try await committer.submit { transaction in
            _ = try transaction.row(key)
            let marked = try transaction.deletedUIDs(in: key, among: uids)
            return try transaction.expunge(marked, in: key, isRestorable: true)
        }
    }

    public func remove(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> ExpungeResult {
        try await committer.submit { try $0.expunge(uids, in: key, isRestorable: true) }
    }

    public func undelete(_ messages: [ExpungedMessage], of account: AccountID) async throws(StoreError) -> Int {
        try await committer.submit { transaction in
            var restored = 0
            for message in messages where try transaction.undelete(message, of: account) { restored += 1 }
            return restored
        }
    }

    // MARK: Watching

    public func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> any StoreWatch {
        let number = indexes.watch(key, notify)
        if let row = accountCache.account(key.account)?.rows[key.mailbox] { indexes.note(row) }
        return IndexWatch(indexes: indexes, key: key, number: number)
    }

    public func currentModSeq(of key: MailboxKey) -> ModSeq? { indexes.currentModSeq(of: key) }
}

private struct IndexWatch: StoreWatch {
    let indexes: IndexCache
    let key: MailboxKey
    let number: Int
    func cancel() { indexes.cancelWatch(key, number) }
}
