package import MailStore

/// A row of `mailboxes` as the committer works with it.
package struct MailboxRow: Sendable {
    package var key: MailboxKey
    package var name: String
    package var uidValidity: UInt32
    package var uidNext: UInt32
    package var highestModSeq: Int64
    package var messages: Int64
    package var unseen: Int64
    package var deleted: Int64
    package var size: Int64
    package var use: SpecialUse?
    package var keywords: [String]
    /// Microseconds UTC; 0 while the mailbox exists.
    package var deletedAt: Int64
    /// Expunges up to this MODSEQ have been forgotten.
    package var purgedModSeq: Int64

    package init(key: MailboxKey, name: String, uidValidity: UInt32, use: SpecialUse?) {
        self.key = key
        self.name = name
        self.uidValidity = uidValidity
        uidNext = 1
        highestModSeq = 1
        messages = 0
        unseen = 0
        deleted = 0
        size = 0
        self.use = use
        keywords = []
        deletedAt = 0
        purgedModSeq = 0
    }

    /// From the present row of `SQL.mailboxesOfAccount`.
    init(account: AccountID, row: Statement) {
        key = MailboxKey(account: account, mailbox: MailboxID(row.int(0)))
        name = row.text(1)
        uidValidity = UInt32(clamping: row.int(2))
        uidNext = UInt32(clamping: row.int(3))
        highestModSeq = row.int(4)
        messages = row.int(5)
        unseen = row.int(6)
        deleted = row.int(7)
        size = row.int(8)
        use = row.optionalText(9).flatMap { SpecialUse(rawValue: $0) }
        keywords = row.text(10).split(separator: " ").map(String.init)
        deletedAt = row.int(11)
        purgedModSeq = row.int(12)
    }

    func info(isSubscribed: Bool) -> MailboxInfo {
        MailboxInfo(
            key: key, name: name, uidValidity: uidValidity, uidNext: uidNext, highestModSeq: ModSeq(highestModSeq),
            messages: Int(messages),
            unseen: Int(unseen), deleted: Int(deleted), size: size, subscribed: isSubscribed, specialUse: use,
            keywords: keywords)
    }

    /// The counters after a message with these flags came (`sign` 1) or went (-1).
    mutating func count(flags: UInt64, size: Int64, sign: Int64) {
        messages += sign
        self.size += sign * size
        if flags & Flags.seen.rawValue == 0 { unseen += sign }
        if flags & Flags.deleted.rawValue != 0 { deleted += sign }
    }
}

/// An account's mailboxes as last committed.
struct AccountMailboxes: Sendable {
    var rows: [MailboxID: MailboxRow]
    /// Mailboxes that exist, by name.
    var names: [String: MailboxID]
    var subscriptions: Set<String>
    var nextMailbox: Int64
    var lastUIDValidity: UInt32

    init(rows: [MailboxRow], subscriptions: Set<String>, nextMailbox: Int64, lastUIDValidity: UInt32) {
        self.rows = Dictionary(rows.map { ($0.key.mailbox, $0) }, uniquingKeysWith: { $1 })
        names = Dictionary(
            rows.filter { $0.deletedAt == 0 }.map { ($0.name, $0.key.mailbox) }, uniquingKeysWith: { $1 })
        self.subscriptions = subscriptions
        self.nextMailbox = nextMailbox
        self.lastUIDValidity = lastUIDValidity
    }

    func row(named name: String) -> MailboxRow? { names[name].flatMap { rows[$0] } }

    func info(_ row: MailboxRow) -> MailboxInfo { row.info(isSubscribed: subscriptions.contains(row.name)) }

    /// Reads an account; nil when there is none.
    static func read(_ account: AccountID, on connection: SQLiteConnection) throws -> AccountMailboxes? {
        let counters = try connection(.accountCounters).add(account.value)
        guard try counters.step() else { return nil }
        let nextMailbox = counters.int(0)
        let lastUIDValidity = UInt32(clamping: counters.int(1))
        counters.finish()
        var rows: [MailboxRow] = []
        let mailboxes = try connection(.mailboxesOfAccount).add(account.value)
        while try mailboxes.step() { rows.append(MailboxRow(account: account, row: mailboxes)) }
        var names: Set<String> = []
        let subscriptions = try connection(.subscriptionsOfAccount).add(account.value)
        while try subscriptions.step() { names.insert(subscriptions.text(0)) }
        return AccountMailboxes(
            rows: rows, subscriptions: names, nextMailbox: nextMailbox, lastUIDValidity: lastUIDValidity)
    }
}
