internal import MartletCore

// Messages that come, change and go.
extension InMemoryStore {
    public func makeSpool() throws(StoreError) -> any SpoolWriter { InMemorySpool() }

    public func append(_ messages: [AppendedMessage], to key: MailboxKey) async throws(StoreError) -> AppendResult {
        let result = try state.withLock { state throws(StoreError) in
            try state.requireRoom(for: messages.reduce(0) { $0 + Int64($1.content.size) }, account: key.account)
            let result = try state.withMailbox(key) { mailbox throws(StoreError) in
                var bits: [UInt64] = []
                var table = KeywordTable(mailbox.index.keywords)
                for message in messages {
                    bits.append(try mailbox.bits(of: message.flags, &table, whenFull: .isLeftOut))
                }
                mailbox.index.keywords = table.names
                let modSeq = mailbox.nextModSeq()
                var uids: [UInt32] = []
                for (message, bits) in zip(messages, bits) {
                    let stored = StoredMessage(summary: message.summary, prefix: [], blob: message.content.memory)
                    uids.append(mailbox.add(stored, bits: bits, modSeq: modSeq, internalDate: message.internalDate))
                }
                return AppendResult(uidValidity: mailbox.uidValidity, uids: uids)
            }
            state.count(
                messages: messages.count, bytes: messages.reduce(0) { $0 + Int64($1.content.size) },
                account: key.account)
            return result
        }
        notify([key])
        return result
    }

    public func changeFlags(
        in key: MailboxKey, uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) async throws(StoreError) -> FlagChangeResult {
        let result = try state.withLock { state throws(StoreError) in
            try state.withMailbox(key) { mailbox throws(StoreError) in
                try mailbox.change(uids, operation, unchangedSince: unchangedSince)
            }
        }
        if result.raisedModSeq { notify([key]) }
        return result
    }

    public func copy(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError)
        -> CopyResult
    {
        let result = try state.withLock { state throws(StoreError) in
            try state.copy(from: key, uids: uids, to: destination, checksQuota: true)
        }
        if !result.sourceUIDs.isEmpty { notify([destination]) }
        return result
    }

    public func move(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError)
        -> CopyResult
    {
        let result = try state.withLock { state throws(StoreError) in
            let result = try state.copy(from: key, uids: uids, to: destination, checksQuota: false)
            _ = try state.remove(result.sourceUIDs, from: key, keeping: nil)
            return result
        }
        if !result.sourceUIDs.isEmpty { notify(key == destination ? [key] : [key, destination]) }
        return result
    }

    public func expunge(in key: MailboxKey, uids: [UInt32]?) async throws(StoreError) -> ExpungeResult {
        let moment = now()
        let result = try state.withLock { state throws(StoreError) in
            let index = try state.mailbox(key).index
            let wanted = uids.map { Set($0) }
            let marked = index.uids.indices.filter { index.flags[$0] & Flags.deleted.rawValue != 0 }.map {
                index.uids[$0]
            }
            return try state.remove(marked.filter { wanted?.contains($0) ?? true }, from: key, keeping: moment)
        }
        if !result.uids.isEmpty { notify([key]) }
        return result
    }

    public func remove(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> ExpungeResult {
        let moment = now()
        let result = try state.withLock { state throws(StoreError) in try state.remove(uids, from: key, keeping: moment)
        }
        if !result.uids.isEmpty { notify([key]) }
        return result
    }

    public func expunged(of account: AccountID, limit: Int) async throws(StoreError) -> [ExpungedMessage] {
        try state.withLock { state throws(StoreError) in
            try state.account(account).expunged.reversed().prefix(max(0, limit)).map(\.message)
        }
    }

    public func undelete(_ messages: [ExpungedMessage], of account: AccountID) async throws(StoreError) -> Int {
        let keys = try state.withLock { state throws(StoreError) in
            var keys: [MailboxKey] = []
            for message in messages {
                let owner = try state.account(account)
                guard let place = owner.expunged.firstIndex(where: { $0.message == message }) else { continue }
                let kept = owner.expunged[place]
                guard let target = owner.mailboxes[message.mailbox] != nil ? message.mailbox : owner.id(of: "INBOX")
                else { continue }
                let key = MailboxKey(account: account, mailbox: target)
                try state.withMailbox(key) { mailbox throws(StoreError) in
                    var table = KeywordTable(mailbox.index.keywords)
                    let bits = try mailbox.bits(of: kept.flags, &table, whenFull: .fails) & ~Flags.deleted.rawValue
                    mailbox.index.keywords = table.names
                    _ = mailbox.add(
                        kept.content, bits: bits, modSeq: mailbox.nextModSeq(), internalDate: kept.entry.internalDate)
                }
                state.count(messages: 1, bytes: Int64(kept.entry.size), account: account)
                state.accounts[account]?.expunged.remove(at: place)
                keys.append(key)
            }
            return keys
        }
        notify(Array(Set(keys)))
        return keys.count
    }
}

extension InMemoryStore.Mailbox {
    mutating func change(
        _ uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) throws(StoreError) -> FlagChangeResult {
        var table = KeywordTable(index.keywords)
        let bits: UInt64
        switch operation {
        case .replace(let flags), .add(let flags): bits = try self.bits(of: flags, &table, whenFull: .fails)
        case .remove(let flags): bits = table.knownBits(of: flags)
        }
        var modified: [UInt32] = []
        var positions: [Int] = []
        var previous: [ModSeq] = []
        var modSeq: Int64?
        for uid in Set(uids).sorted() {
            guard let position = index.position(of: uid) else { continue }
            if let unchangedSince, index.modSeqs[position] > unchangedSince.value {
                modified.append(uid)
                continue
            }
            positions.append(position)
            previous.append(ModSeq(index.modSeqs[position]))
            let before = index.flags[position]
            let after =
                switch operation {
                case .replace: bits
                case .add: before | bits
                case .remove: before & ~bits
                }
            guard after != before else { continue }
            let number = modSeq ?? nextModSeq()
            modSeq = number
            index.flags[position] = after
            index.modSeqs[position] = number
        }
        // A new keyword that no message got is none.
        if modSeq != nil { index.keywords = table.names }
        return FlagChangeResult(
            messages: positions.map { index[$0] }, previousModSeqs: previous, modified: modified,
            highestModSeq: index.highestModSeq, raisedModSeq: modSeq != nil, keywords: index.keywords)
    }
}

extension InMemoryStore.State {
    func requireRoom(for bytes: Int64, account: AccountID) throws(StoreError) {
        let owner = try self.account(account)
        if let quota = owner.quota, owner.usedBytes + bytes > quota { throw .overQuota }
    }

    mutating func count(messages: Int, bytes: Int64, account: AccountID) {
        accounts[account]?.usedMessages += Int64(messages)
        accounts[account]?.usedBytes += bytes
    }

    mutating func copy(
        from key: MailboxKey, uids: [UInt32], to destination: MailboxKey, checksQuota: Bool
    ) throws(StoreError) -> CopyResult {
        let source = try mailbox(key)
        let positions = Set(uids).sorted().compactMap { source.index.position(of: $0) }
        let bytes = positions.reduce(0) { $0 + Int64(source.index.sizes[$1]) }
        if checksQuota { try requireRoom(for: bytes, account: destination.account) }
        let result = try withMailbox(destination) { target throws(StoreError) in
            var result = CopyResult(uidValidity: target.uidValidity, sourceUIDs: [], destinationUIDs: [])
            guard !positions.isEmpty else { return result }
            var table = KeywordTable(target.index.keywords)
            var bits: [UInt64] = []
            for position in positions {
                let flags = source.names(of: source.index.flags[position])
                bits.append(try target.bits(of: flags, &table, whenFull: .isLeftOut))
            }
            target.index.keywords = table.names
            let modSeq = target.nextModSeq()
            for (position, bits) in zip(positions, bits) {
                let uid = source.index.uids[position]
                guard let message = source.messages[uid] else { continue }
                let date = Instant(microseconds: source.index.internalDates[position])
                result.sourceUIDs.append(uid)
                result.destinationUIDs.append(target.add(message, bits: bits, modSeq: modSeq, internalDate: date))
            }
            return result
        }
        count(messages: result.sourceUIDs.count, bytes: bytes, account: destination.account)
        return result
    }

    /// Removes `uids`. With a moment, the messages can be brought back.
    mutating func remove(_ uids: [UInt32], from key: MailboxKey, keeping moment: Instant?) throws(StoreError)
        -> ExpungeResult
    {
        var removed: [InMemoryStore.Removed] = []
        var name = ""
        let result = try withMailbox(key) { mailbox throws(StoreError) in
            name = mailbox.name
            let present = Set(uids).sorted().filter { mailbox.index.position(of: $0) != nil }
            guard !present.isEmpty else { return ExpungeResult(uids: [], highestModSeq: mailbox.index.highestModSeq) }
            let modSeq = mailbox.nextModSeq()
            for uid in present {
                guard let position = mailbox.index.position(of: uid), let content = mailbox.messages[uid] else {
                    continue
                }
                let entry = mailbox.index[position]
                removed.append(
                    InMemoryStore.Removed(
                        entry: entry, content: content, flags: mailbox.names(of: entry.flags.rawValue)))
                mailbox.remove(at: position, modSeq: modSeq)
            }
            return ExpungeResult(uids: present, highestModSeq: mailbox.index.highestModSeq)
        }
        count(messages: -removed.count, bytes: -removed.reduce(0) { $0 + Int64($1.entry.size) }, account: key.account)
        guard let moment else { return result }
        for message in removed {
            let listed = ExpungedMessage(
                mailboxName: name, mailbox: key.mailbox, uid: message.entry.uid, expungedAt: moment,
                size: message.entry.size,
                subject: message.content.summary.subject, from: message.content.summary.from)
            accounts[key.account]?.expunged.append((listed, message.content, message.entry, message.flags))
        }
        return result
    }
}

extension InMemoryStore {
    struct Removed: Sendable {
        var entry: MessageEntry
        var content: StoredMessage
        var flags: NamedFlags
    }
}

extension SpooledMessage {
    /// The bytes of a message that `InMemorySpool` made.
    var memory: [UInt8] {
        switch place {
        case .memory(let bytes): bytes
        case .file: preconditionFailure("the in-memory store takes messages of its own spool")
        }
    }
}
