public import MailStore
internal import MartletCore

// Names, counters and subscriptions.
extension EmbeddedStore {
    /// Mailboxes that one account can have.
    static let maximumMailboxes = 10_000

    /// The account's mailboxes: from memory, or read once.
    func loadedAccount(_ id: AccountID) async throws(StoreError) -> AccountMailboxes {
        if let account = accountCache.account(id) { return account }
        guard directory.account(id) != nil else { throw .noSuchAccount }
        let account = try await readers.read { [accountCache] connection in
            let load = accountCache.beginLoad(id)
            do {
                let account = try connection.reading { try AccountMailboxes.read(id, on: connection) }
                accountCache.endLoad(load, account)
                return account
            } catch {
                accountCache.endLoad(load, nil)
                throw error
            }
        }
        guard let account else { throw .noSuchAccount }
        return account
    }

    func row(_ key: MailboxKey) async throws(StoreError) -> MailboxRow {
        guard directory.account(key.account) != nil else { throw .noSuchMailbox }
        guard let row = try await loadedAccount(key.account).rows[key.mailbox], row.deletedAt == 0 else {
            throw .noSuchMailbox
        }
        return row
    }

    public func mailboxes(of account: AccountID) async throws(StoreError) -> [MailboxInfo] {
        let account = try await loadedAccount(account)
        return account.rows.values.filter { $0.deletedAt == 0 }.map { account.info($0) }
            .sorted { left, right in
                (left.name != "INBOX" ? 1 : 0, left.name) < (right.name != "INBOX" ? 1 : 0, right.name)
            }
    }

    public func mailbox(named name: String, of account: AccountID) async throws(StoreError) -> MailboxInfo {
        let account = try await loadedAccount(account)
        guard let row = account.row(named: MailboxName.canonical(name)) else { throw .noSuchMailbox }
        return account.info(row)
    }

    public func mailbox(_ key: MailboxKey) async throws(StoreError) -> MailboxInfo {
        let cached = accountCache.info(key)
        if let info = cached.info { return info }
        if cached.isLoaded { throw .noSuchMailbox }
        guard directory.account(key.account) != nil else { throw .noSuchMailbox }
        let account = try await loadedAccount(key.account)
        guard let row = account.rows[key.mailbox], row.deletedAt == 0 else { throw .noSuchMailbox }
        return account.info(row)
    }

    public func createMailbox(named name: String, of id: AccountID, use: SpecialUse?) async throws(StoreError)
        -> MailboxInfo
    {
        let name = try MailboxName.checked(name)
        return try await committer.submit { transaction in
            var account = try transaction.account(id)
            guard account.names[name] == nil else { throw StoreError.mailboxExists }
            if let use, account.names.values.contains(where: { account.rows[$0]?.use == use }) {
                throw StoreError.notAllowed(reason: "there is a mailbox with \(use.rawValue) already")
            }
            let missing = MailboxName.parents(of: name).filter { account.names[$0] == nil }
            guard account.names.count + missing.count < EmbeddedStore.maximumMailboxes else {
                throw StoreError.limit(name: "mailboxes in an account")
            }
            for parent in missing { try transaction.insertMailbox(parent, use: nil, id, &account) }
            let row = try transaction.insertMailbox(name, use: use, id, &account)
            transaction.put(account, id: id)
            return account.info(row)
        }
    }

    public func deleteMailbox(named name: String, of id: AccountID) async throws(StoreError) {
        let name = MailboxName.canonical(name)
        guard name != "INBOX" else { throw .notAllowed(reason: "INBOX cannot be deleted") }
        try await committer.submit { transaction in
            var account = try transaction.account(id)
            guard let mailbox = account.names[name] else { throw StoreError.noSuchMailbox }
            let key = MailboxKey(account: id, mailbox: mailbox)
            _ = try transaction.row(key)
            let uids = try transaction.uids(in: key)
            _ = try transaction.expunge(uids, in: key, isRestorable: true)
            var row = try transaction.row(key)
            row.deletedAt = transaction.now.microseconds
            row.highestModSeq += 1
            row.use = nil
            account.names[name] = nil
            account.rows[mailbox] = row
            transaction.put(account, id: id)
            transaction.put(row)
            _ = try transaction.forgetMailboxIfEmpty(key)
        }
    }

    public func renameMailbox(named name: String, to newName: String, of id: AccountID) async throws(StoreError) {
        let old = MailboxName.canonical(name)
        let new = try MailboxName.checked(newName)
        try await committer.submit { transaction in
            var account = try transaction.account(id)
            // A level that is no mailbox has a name all the same as long as there are mailboxes below.
            let mailbox = account.names[old]
            guard mailbox != nil || account.names.keys.contains(where: { $0.hasPrefix(old + "/") }) else {
                throw StoreError.noSuchMailbox
            }
            guard account.names[new] == nil else { throw StoreError.mailboxExists }
            let missing = MailboxName.parents(of: new).filter { account.names[$0] == nil }
            guard account.names.count + missing.count < EmbeddedStore.maximumMailboxes else {
                throw StoreError.limit(name: "mailboxes in an account")
            }
            if let mailbox, old == "INBOX" {
                for parent in missing { try transaction.insertMailbox(parent, use: nil, id, &account) }
                let target = try transaction.insertMailbox(new, use: nil, id, &account)
                transaction.put(account, id: id)
                transaction.put(target)
                let key = MailboxKey(account: id, mailbox: mailbox)
                _ = try transaction.move(try transaction.uids(in: key), from: key, to: target.key)
                return
            }
            guard !new.hasPrefix(old + "/") else {
                throw StoreError.notAllowed(reason: "a mailbox cannot be moved below itself")
            }
            var renamed: [(id: MailboxID, old: String, new: String)] = []
            if let mailbox { renamed.append((mailbox, old, new)) }
            for (child, childID) in account.names where child.hasPrefix(old + "/") {
                let childName = new + child.dropFirst(old.count)
                guard account.names[childName] == nil else { throw StoreError.mailboxExists }
                renamed.append((childID, child, try MailboxName.checked(childName)))
            }
            for item in renamed { account.names[item.old] = nil }
            for item in renamed {
                var row = try transaction.row(MailboxKey(account: id, mailbox: item.id))
                row.name = item.new
                account.names[item.new] = item.id
                account.rows[item.id] = row
                transaction.put(row)
            }
            for parent in missing where account.names[parent] == nil {
                try transaction.insertMailbox(parent, use: nil, id, &account)
            }
            transaction.put(account, id: id)
        }
    }

    public func setSubscribed(_ subscribed: Bool, name: String, of id: AccountID) async throws(StoreError) {
        let name = try MailboxName.checked(name)
        try await committer.submit { transaction in
            var account = try transaction.account(id)
            guard account.subscriptions.contains(name) != subscribed else { return }
            if subscribed {
                guard account.subscriptions.count < EmbeddedStore.maximumMailboxes else {
                    throw StoreError.limit(name: "subscriptions of an account")
                }
                account.subscriptions.insert(name)
            } else {
                account.subscriptions.remove(name)
            }
            try transaction.writing(subscribed ? .insertSubscription : .removeSubscription).add(id.value).add(name)
                .run()
            transaction.put(account, id: id)
        }
    }

    public func subscriptions(of account: AccountID) async throws(StoreError) -> [String] {
        try await loadedAccount(account).subscriptions.sorted()
    }
}

extension WriteTransaction {
    /// Makes a mailbox row. The caller puts the account.
    @discardableResult
    func insertMailbox(_ name: String, use: SpecialUse?, _ id: AccountID, _ account: inout AccountMailboxes) throws
        -> MailboxRow
    {
        let key = MailboxKey(account: id, mailbox: MailboxID(account.nextMailbox))
        account.nextMailbox += 1
        // Never the same twice in an account, so that a name that is used again is told apart (RFC 9051 §2.3.1.1).
        account.lastUIDValidity = max(UInt32(clamping: now.seconds), account.lastUIDValidity &+ 1)
        let row = MailboxRow(key: key, name: name, uidValidity: account.lastUIDValidity, use: use)
        account.rows[key.mailbox] = row
        account.names[name] = key.mailbox
        let statement = try writing(.insertMailbox)
        try statement.add(id.value).add(key.mailbox.value).add(name).add(row.uidValidity).add(use?.rawValue).run()
        return row
    }

    /// UIDs of all messages, with what this batch has done.
    func uids(in key: MailboxKey) throws -> [UInt32] {
        let statement = try connection(.entriesOfMailbox).add(key.account.value).add(key.mailbox.value)
        var uids: [UInt32] = []
        while try statement.step() { uids.append(UInt32(clamping: statement.int(0))) }
        return uids
    }
}
