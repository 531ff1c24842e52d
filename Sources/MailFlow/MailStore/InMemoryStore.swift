public import MartletCore
internal import Records
internal import Synchronization

/// A store that keeps everything in memory: the model of `MailboxStore` in a few hundred lines, for tests, the simulator and
/// fuzzers. It passes the same conformance suite as the engines. Nothing survives the process.
///
/// Every call completes without suspending. Messages are whole in memory; a mailbox's index is the stored form itself.
public final class InMemoryStore: Sendable {
    struct StoredMessage: Sendable {
        var summary: StoredSummary
        var prefix: [UInt8]
        var blob: [UInt8]
    }

    struct Mailbox: Sendable {
        var name: String
        var uidValidity: UInt32
        var use: SpecialUse?
        var index = MailboxIndex()
        var messages: [UInt32: StoredMessage] = [:]
        /// UIDs that are gone, with the MODSEQ of their going.
        var vanished: [(uid: UInt32, modSeq: Int64)] = []
    }

    struct AccountState: Sendable {
        var mailboxes: [MailboxID: Mailbox] = [:]
        var nextMailbox: Int64 = 1
        var subscriptions: Set<String> = []
        var expunged: [(message: ExpungedMessage, content: StoredMessage, entry: MessageEntry, flags: NamedFlags)] = []
        var quota: Int64?
        var usedBytes: Int64 = 0
        var usedMessages: Int64 = 0
    }

    struct State: Sendable {
        var accounts: [AccountID: AccountState] = [:]
        var nextUIDValidity: UInt32 = 1
        var watchers: [MailboxKey: [Int: @Sendable () -> Void]] = [:]
        var nextWatcher = 0
        var directory = Directory()
        var queue = Queue()
        var records: [LookupCode: KeptRecord] = [:]
        var ledger = Ledger()
        /// What records that are no longer kept had counted.
        var purged = Ledger()
    }

    /// Names longer than this, in octets of UTF-8, are no mailbox names.
    public static let maximumNameLength = 1_000
    /// Levels that a mailbox name may have.
    public static let maximumDepth = 32

    let state: Mutex<State>
    let now: @Sendable () -> Instant

    /// - Parameter now: the time of expunges.
    public init(now: @escaping @Sendable () -> Instant = { Instant(microseconds: 0) }) {
        self.now = now
        state = Mutex(State())
    }

    /// Makes an account's mailboxes: the standard ones, subscribed.
    public func addAccount(_ account: AccountID, quota: Int64? = nil) {
        state.withLock { $0.addAccount(account, quota: quota) }
    }

    /// Calls the watchers of `keys`, outside the lock.
    func notify(_ keys: [MailboxKey]) {
        let watchers = state.withLock { state in
            keys.flatMap { key in state.watchers[key].map { Array($0.values) } ?? [] }
        }
        for watcher in watchers { watcher() }
    }
}

extension InMemoryStore.State {
    mutating func addAccount(_ account: AccountID, quota: Int64?) {
        var new = InMemoryStore.AccountState(quota: quota)
        for (name, use) in standardMailboxes {
            new.add(name, use: use, uidValidity: nextUIDValidity)
            nextUIDValidity += 1
            new.subscriptions.insert(name)
        }
        accounts[account] = new
    }

    func account(_ id: AccountID) throws(StoreError) -> InMemoryStore.AccountState {
        guard let account = accounts[id] else { throw .noSuchAccount }
        return account
    }

    func mailbox(_ key: MailboxKey) throws(StoreError) -> InMemoryStore.Mailbox {
        guard let mailbox = accounts[key.account]?.mailboxes[key.mailbox] else { throw .noSuchMailbox }
        return mailbox
    }

    /// Changes a mailbox that is known to exist, in place.
    mutating func withMailbox<Result>(
        _ key: MailboxKey, _ body: (inout InMemoryStore.Mailbox) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        guard var mailbox = accounts[key.account]?.mailboxes[key.mailbox] else { throw .noSuchMailbox }
        // Taken out while it changes, so that its arrays are not copied.
        accounts[key.account]?.mailboxes[key.mailbox] = nil
        defer { accounts[key.account]?.mailboxes[key.mailbox] = mailbox }
        return try body(&mailbox)
    }
}

extension InMemoryStore.AccountState {
    @discardableResult
    mutating func add(_ name: String, use: SpecialUse?, uidValidity: UInt32) -> MailboxID {
        let id = MailboxID(nextMailbox)
        nextMailbox += 1
        mailboxes[id] = InMemoryStore.Mailbox(name: name, uidValidity: uidValidity, use: use)
        return id
    }

    func id(of name: String) -> MailboxID? { mailboxes.first { $0.value.name == name }?.key }

    func info(_ id: MailboxID, _ mailbox: InMemoryStore.Mailbox, account: AccountID) -> MailboxInfo {
        let index = mailbox.index
        return MailboxInfo(
            key: MailboxKey(account: account, mailbox: id), name: mailbox.name, uidValidity: mailbox.uidValidity,
            uidNext: index.uidNext,
            highestModSeq: index.highestModSeq, messages: index.count,
            unseen: index.flags.count { $0 & Flags.seen.rawValue == 0 },
            deleted: index.flags.count { $0 & Flags.deleted.rawValue != 0 },
            size: index.sizes.reduce(0) { $0 + Int64($1) }, subscribed: subscriptions.contains(mailbox.name),
            specialUse: mailbox.use,
            keywords: index.keywords)
    }
}

extension InMemoryStore.Mailbox {
    /// The MODSEQ of a new change.
    mutating func nextModSeq() -> Int64 {
        index.highestModSeq = ModSeq(index.highestModSeq.value + 1)
        return index.highestModSeq.value
    }

    /// The bits of `flags`, with keywords added to `table` that the mailbox does not know yet.
    func bits(
        of flags: NamedFlags, _ table: inout KeywordTable, whenFull: KeywordTable.WhenFull
    ) throws(StoreError) -> UInt64 {
        if table.lacksPlaces(for: flags) { table.note(inUse: index.flags.reduce(0, |)) }
        return try table.bits(of: flags, whenFull: whenFull)
    }

    func names(of bits: UInt64) -> NamedFlags {
        let flags = Flags(rawValue: bits)
        return NamedFlags(
            system: flags,
            keywords: flags.keywordIndices.compactMap { $0 < index.keywords.count ? index.keywords[$0] : nil })
    }

    /// Puts a message at the end. Returns its UID.
    mutating func add(_ message: InMemoryStore.StoredMessage, bits: UInt64, modSeq: Int64, internalDate: Instant)
        -> UInt32
    {
        let uid = index.uidNext
        index.uidNext += 1
        index.uids.append(uid)
        index.flags.append(bits)
        index.modSeqs.append(modSeq)
        index.internalDates.append(internalDate.microseconds)
        index.sizes.append(UInt32(clamping: message.prefix.count + message.blob.count))
        messages[uid] = message
        return uid
    }

    mutating func remove(at position: Int, modSeq: Int64) {
        let uid = index.uids[position]
        vanished.append((uid, modSeq))
        messages[uid] = nil
        index.uids.remove(at: position)
        index.flags.remove(at: position)
        index.modSeqs.remove(at: position)
        index.internalDates.remove(at: position)
        index.sizes.remove(at: position)
    }
}
