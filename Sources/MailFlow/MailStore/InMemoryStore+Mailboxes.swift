internal import MartletCore

// Names, subscriptions, and what is read.
extension InMemoryStore: MailboxStore {
    public func mailboxes(of account: AccountID) async throws(StoreError) -> [MailboxInfo] {
        try state.withLock { state throws(StoreError) in
            let owner = try state.account(account)
            return owner.mailboxes.map { owner.info($0.key, $0.value, account: account) }
                .sorted { left, right in
                    (left.name != "INBOX" ? 1 : 0, left.name) < (right.name != "INBOX" ? 1 : 0, right.name)
                }
        }
    }

    public func mailbox(named name: String, of account: AccountID) async throws(StoreError) -> MailboxInfo {
        try state.withLock { state throws(StoreError) in
            let owner = try state.account(account)
            guard let id = owner.id(of: InMemoryStore.canonical(name)), let mailbox = owner.mailboxes[id] else {
                throw .noSuchMailbox
            }
            return owner.info(id, mailbox, account: account)
        }
    }

    public func mailbox(_ key: MailboxKey) async throws(StoreError) -> MailboxInfo {
        try state.withLock { state throws(StoreError) in
            let owner = try state.account(key.account)
            return owner.info(key.mailbox, try state.mailbox(key), account: key.account)
        }
    }

    public func createMailbox(named name: String, of account: AccountID, use: SpecialUse?) async throws(StoreError)
        -> MailboxInfo
    {
        try state.withLock { state throws(StoreError) in
            let name = try InMemoryStore.checked(name)
            var owner = try state.account(account)
            guard owner.id(of: name) == nil else { throw .mailboxExists }
            if let use, owner.mailboxes.values.contains(where: { $0.use == use }) {
                throw .notAllowed(reason: "there is a mailbox with \(use.rawValue) already")
            }
            let id = state.addWithParents(name, use: use, to: &owner)
            state.accounts[account] = owner
            guard let mailbox = owner.mailboxes[id] else { throw .noSuchMailbox }
            return owner.info(id, mailbox, account: account)
        }
    }

    public func deleteMailbox(named name: String, of account: AccountID) async throws(StoreError) {
        let key = try state.withLock { state throws(StoreError) in
            let name = InMemoryStore.canonical(name)
            guard name != "INBOX" else { throw .notAllowed(reason: "INBOX cannot be deleted") }
            var owner = try state.account(account)
            guard let id = owner.id(of: name), let mailbox = owner.mailboxes[id] else { throw .noSuchMailbox }
            owner.usedMessages -= Int64(mailbox.index.count)
            owner.usedBytes -= mailbox.index.sizes.reduce(0) { $0 + Int64($1) }
            owner.mailboxes[id] = nil
            state.accounts[account] = owner
            return MailboxKey(account: account, mailbox: id)
        }
        notify([key])
    }

    public func renameMailbox(named name: String, to newName: String, of account: AccountID) async throws(StoreError) {
        let changed = try state.withLock { state throws(StoreError) in
            let old = InMemoryStore.canonical(name)
            let new = try InMemoryStore.checked(newName)
            var owner = try state.account(account)
            // A level that is no mailbox has a name all the same as long as there are mailboxes below.
            let id = owner.id(of: old)
            guard id != nil || owner.mailboxes.values.contains(where: { $0.name.hasPrefix(old + "/") }) else {
                throw .noSuchMailbox
            }
            guard owner.id(of: new) == nil else { throw .mailboxExists }
            if let id, old == "INBOX" {
                let target = state.addWithParents(new, use: nil, to: &owner)
                state.accounts[account] = owner
                let keys = (MailboxKey(account: account, mailbox: id), MailboxKey(account: account, mailbox: target))
                let uids = try state.mailbox(keys.0).index.uids
                _ = try state.copy(from: keys.0, uids: uids, to: keys.1, checksQuota: false)
                _ = try state.remove(uids, from: keys.0, keeping: nil)
                return [keys.0, keys.1]
            }
            guard !new.hasPrefix(old + "/") else { throw .notAllowed(reason: "a mailbox cannot be moved below itself") }
            var renamed: [(MailboxID, String)] = []
            if let id { renamed.append((id, new)) }
            for (child, mailbox) in owner.mailboxes where mailbox.name.hasPrefix(old + "/") {
                let childName = new + mailbox.name.dropFirst(old.count)
                guard owner.id(of: childName) == nil else { throw .mailboxExists }
                renamed.append((child, try InMemoryStore.checked(childName)))
            }
            for (id, name) in renamed { owner.mailboxes[id]?.name = name }
            state.addParents(of: new, to: &owner)
            state.accounts[account] = owner
            return []
        }
        notify(changed)
    }

    public func setSubscribed(_ subscribed: Bool, name: String, of account: AccountID) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            let name = try InMemoryStore.checked(name)
            guard state.accounts[account] != nil else { throw .noSuchAccount }
            if subscribed {
                state.accounts[account]?.subscriptions.insert(name)
            } else {
                state.accounts[account]?.subscriptions.remove(name)
            }
        }
    }

    public func subscriptions(of account: AccountID) async throws(StoreError) -> [String] {
        try state.withLock { state throws(StoreError) in try state.account(account).subscriptions.sorted() }
    }

    // MARK: Reading

    public func index(of key: MailboxKey) async throws(StoreError) -> MailboxIndex {
        try state.withLock { state throws(StoreError) in try state.mailbox(key).index }
    }

    public func changes(in key: MailboxKey, since modSeq: ModSeq, knownUIDNext: UInt32) async throws(StoreError)
        -> MailboxChanges
    {
        try state.withLock { state throws(StoreError) in
            let mailbox = try state.mailbox(key)
            let index = mailbox.index
            var changes = MailboxChanges(
                highestModSeq: index.highestModSeq, uidNext: index.uidNext, messages: index.count,
                keywords: index.keywords)
            for position in index.uids.indices {
                if index.uids[position] >= knownUIDNext {
                    changes.added.append(index[position])
                } else if index.modSeqs[position] > modSeq.value {
                    changes.changed.append(index[position])
                }
            }
            changes.vanished = mailbox.vanished.filter { $0.modSeq > modSeq.value }.map(\.uid).sorted()
            return changes
        }
    }

    public func summaries(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, summary: StoredSummary
    )] {
        try state.withLock { state throws(StoreError) in
            let mailbox = try state.mailbox(key)
            return uids.compactMap { uid in mailbox.messages[uid].map { (uid, $0.summary) } }
        }
    }

    public func scanSummaries(
        in key: MailboxKey, range: ClosedRange<UInt32>,
        _ body: @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool
    ) async throws(StoreError) {
        let mailbox = try state.withLock { state throws(StoreError) in try state.mailbox(key) }
        let uids = mailbox.index.uids.filter { range.contains($0) }
        for start in stride(from: 0, to: uids.count, by: 256) {
            let batch = uids[start..<min(start + 256, uids.count)].compactMap { uid in
                mailbox.messages[uid].map { (uid, $0.summary) }
            }
            guard body(batch) else { return }
        }
    }

    public func message(in key: MailboxKey, uid: UInt32) async throws(StoreError) -> any MessageReading {
        try state.withLock { state throws(StoreError) in
            guard let message = try state.mailbox(key).messages[uid] else { throw .noSuchMessage }
            return InMemoryMessage(prefix: message.prefix, blob: message.blob)
        }
    }

    public func currentModSeq(of key: MailboxKey) -> ModSeq? {
        state.withLock { state in
            guard state.watchers[key] != nil else { return nil }
            return state.accounts[key.account]?.mailboxes[key.mailbox]?.index.highestModSeq
        }
    }

    // MARK: Watching

    public func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> any StoreWatch {
        let number = state.withLock { state in
            state.nextWatcher += 1
            state.watchers[key, default: [:]][state.nextWatcher] = notify
            return state.nextWatcher
        }
        return InMemoryWatch(store: self, key: key, number: number)
    }

    // MARK: Names

    static func canonical(_ name: String) -> String {
        name.utf8.count == 5 && name.uppercased() == "INBOX" ? "INBOX" : name
    }

    static func checked(_ name: String) throws(StoreError) -> String {
        let name = canonical(name)
        guard !name.isEmpty else { throw .invalidName(reason: "it is empty") }
        guard name.utf8.count <= maximumNameLength else {
            throw .invalidName(reason: "it is longer than \(maximumNameLength) octets")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }) else {
            throw .invalidName(reason: "it holds a control character")
        }
        let levels = name.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.allSatisfy({ !$0.isEmpty }) else { throw .invalidName(reason: "a level is empty") }
        guard levels.count <= maximumDepth else {
            throw .invalidName(reason: "it has more than \(maximumDepth) levels")
        }
        return name
    }
}

extension InMemoryStore.State {
    mutating func addParents(of name: String, to owner: inout InMemoryStore.AccountState) {
        let levels = name.split(separator: "/")
        for depth in 1..<max(levels.count, 1) {
            let parent = InMemoryStore.canonical(levels[..<depth].joined(separator: "/"))
            guard owner.id(of: parent) == nil else { continue }
            owner.add(parent, use: nil, uidValidity: nextUIDValidity)
            nextUIDValidity += 1
        }
    }

    mutating func addWithParents(_ name: String, use: SpecialUse?, to owner: inout InMemoryStore.AccountState)
        -> MailboxID
    {
        addParents(of: name, to: &owner)
        let id = owner.add(name, use: use, uidValidity: nextUIDValidity)
        nextUIDValidity += 1
        return id
    }
}

struct InMemoryMessage: MessageReading {
    let prefix: [UInt8]
    let blob: [UInt8]
    var size: Int { prefix.count + blob.count }

    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<size)
        if range == 0..<size, prefix.isEmpty { return blob }
        let head = prefix[range.clamped(to: 0..<prefix.count)]
        let tail = blob[max(0, range.lowerBound - prefix.count)..<max(0, range.upperBound - prefix.count)]
        return Array(head) + tail
    }
}

private struct InMemoryWatch: StoreWatch {
    let store: InMemoryStore
    let key: MailboxKey
    let number: Int

    func cancel() {
        store.state.withLock { state in
            state.watchers[key]?[number] = nil
            if state.watchers[key]?.isEmpty == true { state.watchers[key] = nil }
        }
    }
}
