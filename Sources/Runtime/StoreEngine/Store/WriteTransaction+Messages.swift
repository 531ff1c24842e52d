internal import MailStore
internal import MartletCore

// Messages that come, change and go. Whatever can be refused is refused before the first row is written.
extension WriteTransaction {
    // MARK: Coming

    /// A message for one mailbox, with its bytes stored.
    struct NewMessage {
        var blob: BlobID
        var size: Int
        var flags: UInt64
        var internalDate: Instant
        var prefix: [UInt8]
        var summary: StoredSummary
    }

    /// Adds messages at the end of a mailbox: one MODSEQ for all, UIDs in order. References to blobs are the caller's.
    func add(_ messages: [NewMessage], to row: inout MailboxRow) throws -> [UInt32] {
        guard !messages.isEmpty else { return [] }
        guard UInt64(row.uidNext) + UInt64(messages.count) <= UInt64(UInt32.max) else {
            throw StoreError.limit(name: "UIDs of a mailbox")
        }
        row.highestModSeq += 1
        var changes: [IndexChange] = []
        changes.reserveCapacity(messages.count)
        var uids: [UInt32] = []
        uids.reserveCapacity(messages.count)
        for message in messages {
            let uid = row.uidNext
            row.uidNext += 1
            let entry = MessageEntry(
                uid: uid, flags: Flags(rawValue: message.flags), modSeq: ModSeq(row.highestModSeq),
                internalDate: message.internalDate,
                size: message.size)
            try insert(entry, blob: message.blob, prefix: message.prefix, in: row.key)
            try insert(message.summary, uid: uid, in: row.key)
            row.count(flags: message.flags, size: Int64(message.size), sign: 1)
            changes.append(IndexChange(kind: .added, entry: entry))
            uids.append(uid)
        }
        put(row, changes)
        return uids
    }

    private func insert(_ entry: MessageEntry, blob: BlobID, prefix: [UInt8], in key: MailboxKey) throws {
        let statement = try writing(.insertMessage)
        statement.add(key.account.value).add(key.mailbox.value).add(entry.uid).add(
            Int64(bitPattern: entry.flags.rawValue))
        statement.add(entry.modSeq.value).add(entry.internalDate.microseconds).add(entry.size)
        try statement.add(blob.bytes).add(prefix).run()
    }

    func insert(_ summary: StoredSummary, uid: UInt32, in key: MailboxKey, _ sql: SQL = .insertSummary) throws {
        let statement = try writing(sql)
        statement.add(key.account.value).add(key.mailbox.value).add(uid)
        statement.add(summary.subject).add(summary.from).add(summary.to).add(summary.cc).add(summary.bcc).add(
            summary.messageID)
        statement.add(summary.sentDate?.microseconds).add(summary.sentZoneMinutes).add(summary.preview)
        try statement.add(summary.envelope).add(summary.bodyStructure).run()
    }

    // MARK: Keywords

    /// The bits of `flags` in a mailbox, with keywords added to its `table` that it does not know yet.
    func bits(
        of flags: NamedFlags, _ table: inout KeywordTable, in key: MailboxKey, whenFull: KeywordTable.WhenFull
    ) throws -> UInt64 {
        if table.lacksPlaces(for: flags) { table.note(inUse: try keywordsInUse(in: key)) }
        return try table.bits(of: flags, whenFull: whenFull)
    }

    /// Bits of the keywords that messages of the mailbox have, or messages that can be brought back into it: those are kept
    /// with the mailbox's bits. O(n), and over at the first messages when all places are in use.
    private func keywordsInUse(in key: MailboxKey) throws -> UInt64 {
        let all = ~UInt64(0) << 5 & (~UInt64(0) >> UInt64(64 - 5 - Flags.maximumKeywords))
        let statement = try connection(.flagsOfMailbox).add(key.account.value).add(key.mailbox.value)
        statement.add(key.account.value).add(key.mailbox.value)
        defer { statement.finish() }
        var bits: UInt64 = 0
        while bits & all != all, try statement.step() { bits |= UInt64(bitPattern: statement.int(0)) }
        return bits
    }

    static func names(of bits: UInt64, _ keywords: [String]) -> NamedFlags {
        let flags = Flags(rawValue: bits)
        return NamedFlags(
            system: flags, keywords: flags.keywordIndices.compactMap { $0 < keywords.count ? keywords[$0] : nil })
    }

    // MARK: Changing

    func changeFlags(
        in key: MailboxKey, _ uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) throws -> FlagChangeResult {
        var row = try row(key)
        var table = KeywordTable(row.keywords)
        let change: (UInt64) -> UInt64
        switch operation {
        case .replace(let flags):
            let bits = try bits(of: flags, &table, in: key, whenFull: .fails)
            change = { _ in bits }
        case .add(let flags):
            let bits = try bits(of: flags, &table, in: key, whenFull: .fails)
            change = { $0 | bits }
        case .remove(let flags):
            let bits = table.knownBits(of: flags)
            change = { $0 & ~bits }
        }
        var result = FlagChangeResult(
            messages: [], previousModSeqs: [], modified: [], highestModSeq: ModSeq(row.highestModSeq),
            raisedModSeq: false, keywords: row.keywords)
        var changes: [IndexChange] = []
        let modSeq = row.highestModSeq + 1
        for uid in uids.sortedWithoutDuplicates() {
            guard var entry = try entry(uid, in: key) else { continue }
            if let unchangedSince, entry.modSeq > unchangedSince {
                result.modified.append(uid)
                continue
            }
            result.previousModSeqs.append(entry.modSeq)
            let before = entry.flags.rawValue
            let after = change(before)
            if after != before {
                row.count(flags: before, size: 0, sign: -1)
                row.count(flags: after, size: 0, sign: 1)
                entry.flags = Flags(rawValue: after)
                entry.modSeq = ModSeq(modSeq)
                let statement = try writing(.updateFlags)
                statement.add(Int64(bitPattern: after)).add(modSeq)
                try statement.add(key.account.value).add(key.mailbox.value).add(uid).run()
                changes.append(IndexChange(kind: .flags, entry: entry))
            }
            result.messages.append(entry)
        }
        // A new keyword that no message got is none.
        guard !changes.isEmpty else { return result }
        row.highestModSeq = modSeq
        row.keywords = table.names
        result.highestModSeq = ModSeq(modSeq)
        result.raisedModSeq = true
        result.keywords = table.names
        put(row, changes)
        return result
    }

    private func entry(_ uid: UInt32, in key: MailboxKey) throws -> MessageEntry? {
        let statement = try connection(.flagsOfMessage).add(key.account.value).add(key.mailbox.value).add(uid)
        guard try statement.step() else { return nil }
        defer { statement.finish() }
        return MessageEntry(
            uid: uid, flags: Flags(rawValue: UInt64(bitPattern: statement.int(0))), modSeq: ModSeq(statement.int(1)),
            internalDate: Instant(microseconds: statement.int(2)), size: Int(statement.int(3)))
    }

    // MARK: Going

    /// What a message's row holds.
    struct StoredMessage {
        var entry: MessageEntry
        var blob: BlobID
        var prefix: [UInt8]
    }

    func message(_ uid: UInt32, in key: MailboxKey) throws -> StoredMessage? {
        let statement = try connection(.messageRow).add(key.account.value).add(key.mailbox.value).add(uid)
        guard try statement.step() else { return nil }
        defer { statement.finish() }
        guard let blob = BlobID(statement.bytes(4)) else {
            throw StoreError.corrupt(reason: "message \(key)/\(uid) names no blob")
        }
        let entry = MessageEntry(
            uid: uid, flags: Flags(rawValue: UInt64(bitPattern: statement.int(0))), modSeq: ModSeq(statement.int(1)),
            internalDate: Instant(microseconds: statement.int(2)), size: Int(statement.int(3)))
        return StoredMessage(entry: entry, blob: blob, prefix: statement.bytes(5))
    }

    /// Removes messages. The restorable ones keep blob and summary for undelete; the others' blobs are the caller's.
    func expunge(_ uids: [UInt32], in key: MailboxKey, isRestorable: Bool) throws -> ExpungeResult {
        var row = try row(key)
        let messages = try uids.sortedWithoutDuplicates().compactMap { try message($0, in: key) }
        guard !messages.isEmpty else { return ExpungeResult(uids: [], highestModSeq: ModSeq(row.highestModSeq)) }
        row.highestModSeq += 1
        var changes: [IndexChange] = []
        changes.reserveCapacity(messages.count)
        var bytes: Int64 = 0
        for message in messages {
            let uid = message.entry.uid
            try writing(.deleteMessage).add(key.account.value).add(key.mailbox.value).add(uid).run()
            let statement = try writing(.insertExpunged)
            statement.add(key.account.value).add(key.mailbox.value).add(uid).add(row.highestModSeq).add(
                now.microseconds)
            statement.add(isRestorable).add(Int64(bitPattern: message.entry.flags.rawValue)).add(
                message.entry.internalDate.microseconds)
            try statement.add(message.entry.size).add(message.blob.bytes).add(message.prefix).run()
            if isRestorable { try moveSummary(uid, key.mailbox.value, to: uid, -key.mailbox.value, of: key.account) }
            row.count(flags: message.entry.flags.rawValue, size: Int64(message.entry.size), sign: -1)
            bytes += Int64(message.entry.size)
            var entry = message.entry
            entry.modSeq = ModSeq(row.highestModSeq)
            changes.append(IndexChange(kind: .removed, entry: entry))
        }
        put(row, changes)
        count(key.account, messages: -Int64(messages.count), bytes: -bytes)
        return ExpungeResult(uids: messages.map(\.entry.uid), highestModSeq: ModSeq(row.highestModSeq))
    }

    private func moveSummary(
        _ uid: UInt32, _ mailbox: Int64, to newUID: UInt32, _ newMailbox: Int64, of account: AccountID
    ) throws {
        let statement = try writing(.moveSummary).add(account.value).add(newMailbox).add(newUID)
        try statement.add(account.value).add(mailbox).add(uid).run()
    }

    func deletedUIDs(in key: MailboxKey, among uids: [UInt32]?) throws -> [UInt32] {
        guard let uids else {
            let statement = try connection(.deletedOfMailbox).add(key.account.value).add(key.mailbox.value)
            var found: [UInt32] = []
            while try statement.step() { found.append(UInt32(clamping: statement.int(0))) }
            return found
        }
        return try uids.filter { try entry($0, in: key)?.flags.contains(.deleted) ?? false }
    }

    // MARK: Copying and moving

    private struct Transfer {
        var messages: [StoredMessage] = []
        var bits: [UInt64] = []
        var target: MailboxRow
    }

    /// Everything that can be refused: UIDs.
    private func prepare(_ uids: [UInt32], from key: MailboxKey, to destination: MailboxKey) throws -> Transfer {
        let source = try row(key)
        var transfer = Transfer(target: try row(destination))
        transfer.messages = try uids.sortedWithoutDuplicates().compactMap { try message($0, in: key) }
        var table = KeywordTable(transfer.target.keywords)
        for message in transfer.messages {
            let names = WriteTransaction.names(of: message.entry.flags.rawValue, source.keywords)
            transfer.bits.append(try bits(of: names, &table, in: destination, whenFull: .isLeftOut))
        }
        transfer.target.keywords = table.names
        guard UInt64(transfer.target.uidNext) + UInt64(transfer.messages.count) <= UInt64(UInt32.max) else {
            throw StoreError.limit(name: "UIDs of a mailbox")
        }
        return transfer
    }

    func copy(_ uids: [UInt32], from key: MailboxKey, to destination: MailboxKey) throws -> CopyResult {
        let transfer = try prepare(uids, from: key, to: destination)
        let bytes = transfer.messages.reduce(0) { $0 + Int64($1.entry.size) }
        guard try hasRoom(for: bytes, in: destination.account) else { throw StoreError.overQuota }
        let result = try place(transfer, from: key, summaries: .copySummary)
        for message in transfer.messages { try reference(message.blob, length: 0, count: 1) }
        count(destination.account, messages: Int64(transfer.messages.count), bytes: bytes)
        return result
    }

    func move(_ uids: [UInt32], from key: MailboxKey, to destination: MailboxKey) throws -> CopyResult {
        let transfer = try prepare(uids, from: key, to: destination)
        guard !transfer.messages.isEmpty else {
            return CopyResult(uidValidity: transfer.target.uidValidity, sourceUIDs: [], destinationUIDs: [])
        }
        let bytes = transfer.messages.reduce(0) { $0 + Int64($1.entry.size) }
        if key.account != destination.account, !(try hasRoom(for: bytes, in: destination.account)) {
            throw StoreError.overQuota
        }
        // Blob and summary go along; what stays is the UID with its MODSEQ.
        let result = try place(transfer, from: key, summaries: .moveSummary)
        _ = try expunge(result.sourceUIDs, in: key, isRestorable: false)
        count(destination.account, messages: Int64(transfer.messages.count), bytes: bytes)
        return result
    }

    private func place(_ transfer: Transfer, from key: MailboxKey, summaries: SQL) throws -> CopyResult {
        var target = transfer.target
        var result = CopyResult(uidValidity: target.uidValidity, sourceUIDs: [], destinationUIDs: [])
        guard !transfer.messages.isEmpty else { return result }
        target.highestModSeq += 1
        var changes: [IndexChange] = []
        for (message, bits) in zip(transfer.messages, transfer.bits) {
            var entry = message.entry
            entry.uid = target.uidNext
            entry.flags = Flags(rawValue: bits)
            entry.modSeq = ModSeq(target.highestModSeq)
            target.uidNext += 1
            try insert(entry, blob: message.blob, prefix: message.prefix, in: target.key)
            let statement = try writing(summaries)
            statement.add(target.key.account.value).add(target.key.mailbox.value).add(entry.uid)
            try statement.add(key.account.value).add(key.mailbox.value).add(message.entry.uid).run()
            target.count(flags: bits, size: Int64(entry.size), sign: 1)
            changes.append(IndexChange(kind: .added, entry: entry))
            result.sourceUIDs.append(message.entry.uid)
            result.destinationUIDs.append(entry.uid)
        }
        put(target, changes)
        return result
    }

    // MARK: Bringing back

    /// Returns whether there was something to bring back.
    func undelete(_ message: ExpungedMessage, of id: AccountID) throws -> Bool {
        let account = try account(id)
        let source = MailboxKey(account: id, mailbox: message.mailbox)
        let inbox = account.names["INBOX"].map { MailboxKey(account: id, mailbox: $0) }
        guard let inbox, let keywords = (pending.rows[source] ?? account.rows[message.mailbox])?.keywords else {
            return false
        }
        var target = try (try? row(source)) ?? row(inbox)
        let statement = try connection(.expungedRow).add(id.value).add(message.mailbox.value).add(message.uid)
        guard try statement.step() else { return false }
        let flags = UInt64(bitPattern: statement.int(0)) & ~Flags.deleted.rawValue
        let date = Instant(microseconds: statement.int(1))
        let size = Int(statement.int(2))
        let blob = BlobID(statement.bytes(3))
        let prefix = statement.bytes(4)
        statement.finish()
        guard let blob else {
            throw StoreError.corrupt(reason: "expunged message \(source)/\(message.uid) names no blob")
        }
        let names = WriteTransaction.names(of: flags, keywords)
        var table = KeywordTable(target.keywords)
        let bits = try bits(of: names, &table, in: target.key, whenFull: .fails)
        target.keywords = table.names
        target.highestModSeq += 1
        let entry = MessageEntry(
            uid: target.uidNext, flags: Flags(rawValue: bits), modSeq: ModSeq(target.highestModSeq), internalDate: date,
            size: size)
        target.uidNext += 1
        try insert(entry, blob: blob, prefix: prefix, in: target.key)
        try moveSummary(message.uid, -message.mailbox.value, to: entry.uid, target.key.mailbox.value, of: id)
        try writing(.setNotRestorable).add(id.value).add(message.mailbox.value).add(message.uid).run()
        target.count(flags: bits, size: Int64(size), sign: 1)
        put(target, [IndexChange(kind: .added, entry: entry)])
        count(id, messages: 1, bytes: Int64(size))
        return true
    }
}

extension [UInt32] {
    func sortedWithoutDuplicates() -> [UInt32] {
        var isAscending = true
        for index in indices.dropFirst() where self[index - 1] >= self[index] {
            isAscending = false
            break
        }
        if isAscending { return self }
        var result: [UInt32] = []
        result.reserveCapacity(count)
        for uid in sorted() where result.last != uid { result.append(uid) }
        return result
    }
}
