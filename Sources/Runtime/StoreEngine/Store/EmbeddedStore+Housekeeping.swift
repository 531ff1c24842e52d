public import MailStore
internal import MartletCore

/// What `housekeep` did.
public struct HousekeepingReport: Sendable, Hashable {
    /// Expunged messages that can no longer be brought back.
    public var forgottenMessages = 0
    /// Deleted mailboxes of which nothing is left.
    public var forgottenMailboxes = 0
    public init() {}
}

extension EmbeddedStore {
    /// Rows that one commit of housekeeping changes, so that mail does not wait.
    private static let slice = 500

    /// Forgets expunged messages whose time is over, and deleted mailboxes of which nothing is left. To be called now and then,
    /// once an hour for example: what has to go is looked for by a reader, and goes in small commits.
    public func housekeep() async throws(StoreError) -> HousekeepingReport {
        var report = HousekeepingReport()
        let seconds = options.expungedRetention.components.seconds
        let before = clock.now().microseconds - seconds.multipliedReportingOverflow(by: 1_000_000).partialValue
        var after = ExpungedMessagePlace(account: -1, mailbox: -1, uid: -1)
        while true {
            let start = after
            let expired = try await maintenance.read {
                try $0.expiredExpunged(before: before, after: start, EmbeddedStore.slice)
            }
            guard let last = expired.last else { break }
            try await committer.submit { try $0.forget(expired) }
            report.forgottenMessages += expired.count
            after = last.place
        }
        while true {
            let mailboxes = try await maintenance.read {
                try $0.forgettableMailboxes(before: before, EmbeddedStore.slice)
            }
            guard !mailboxes.isEmpty else { return report }
            let forgotten = try await committer.submit { transaction in
                var forgotten = 0
                for key in mailboxes where try transaction.forgetMailboxIfEmpty(key) { forgotten += 1 }
                return forgotten
            }
            report.forgottenMailboxes += forgotten
            guard forgotten > 0 else { return report }
        }
    }
}

/// Where a walk over `expunged` stands.
struct ExpungedMessagePlace: Sendable {
    var account: Int64
    var mailbox: Int64
    var uid: Int64
}

/// An expunged message whose time is over.
struct ExpiredMessage: Sendable {
    var place: ExpungedMessagePlace
    var modSeq: Int64
}

extension SQLiteConnection {
    fileprivate func expiredExpunged(before: Int64, after: ExpungedMessagePlace, _ limit: Int) throws
        -> [ExpiredMessage]
    {
        let rows = try self(.expiredExpunged)
        rows.add(before).add(after.account).add(after.mailbox).add(after.uid).add(limit)
        var expired: [ExpiredMessage] = []
        while try rows.step() {
            let place = ExpungedMessagePlace(account: rows.int(0), mailbox: rows.int(1), uid: rows.int(2))
            expired.append(ExpiredMessage(place: place, modSeq: rows.int(3)))
        }
        return expired
    }

    fileprivate func forgettableMailboxes(before: Int64, _ limit: Int) throws -> [MailboxKey] {
        let rows = try self(.forgettableMailboxes).add(before).add(limit)
        var keys: [MailboxKey] = []
        while try rows.step() {
            keys.append(MailboxKey(account: AccountID(rows.int(0)), mailbox: MailboxID(rows.int(1))))
        }
        return keys
    }
}

extension WriteTransaction {
    fileprivate func forget(_ expired: [ExpiredMessage]) throws {
        var modSeqs: [MailboxKey: Int64] = [:]
        for item in expired {
            let place = item.place
            // It may have been brought back since the reader saw it.
            let row = try connection(.expungedRow).add(place.account).add(place.mailbox).add(place.uid)
            let blob = try row.step() ? BlobID(row.bytes(3)) : nil
            row.finish()
            try writing(.removeExpunged).add(place.account).add(place.mailbox).add(place.uid).run()
            if let blob {
                try reference(blob, length: 0, count: -1)
                try writing(.removeSummary).add(place.account).add(-place.mailbox).add(place.uid).run()
            }
            let key = MailboxKey(account: AccountID(place.account), mailbox: MailboxID(place.mailbox))
            modSeqs[key] = max(modSeqs[key] ?? 0, item.modSeq)
        }
        for (key, modSeq) in modSeqs {
            do {
                var row = try row(key)
                row.purgedModSeq = max(row.purgedModSeq, modSeq)
                put(row)
            } catch StoreError.noSuchMailbox {
                // Its messages are gone; its own row goes when none is left.
            }
        }
    }

    /// Removes the row of a deleted mailbox once nothing of it can be brought back.
    func forgetMailboxIfEmpty(_ key: MailboxKey) throws -> Bool {
        let rest = try connection(.anyExpunged).add(key.account.value).add(key.mailbox.value)
        let isEmpty = !(try rest.step())
        rest.finish()
        guard isEmpty else { return false }
        var account = try account(key.account)
        guard (pending.rows[key] ?? account.rows[key.mailbox])?.deletedAt != 0 else { return false }
        try writing(.removeMailboxRow).add(key.account.value).add(key.mailbox.value).run()
        account.rows[key.mailbox] = nil
        put(account, id: key.account)
        return true
    }
}
