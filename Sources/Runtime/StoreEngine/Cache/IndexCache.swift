package import MailStore
internal import MartletCore
internal import Synchronization

/// One change of one message, as a commit made it.
package struct IndexChange: Sendable {
    package enum Kind: Sendable { case added, flags, removed }
    package var kind: Kind
    package var entry: MessageEntry

    package init(kind: Kind, entry: MessageEntry) {
        self.kind = kind
        self.entry = entry
    }
}

/// Indexes of mailboxes that somebody looks at, the changes since, and who watches.
///
/// A mailbox nobody opened has no entry, so that a delivery to it costs nothing here. Changes go to a list first and into the
/// arrays only when the index is asked for again: arrays that a session still holds are then not copied at each commit.
///
/// SQLite shows a commit to readers a moment before `commit` brings its changes here. So what was read from rows may be ahead
/// of the list of changes: only `commit` advances `row`, and an index that is ahead keeps its own MODSEQ.
package final class IndexCache: Sendable {
    /// Changes of one mailbox that are kept for `changes`.
    private static let maximumChanges = 2_048
    /// Octets of an index a message, and a mailbox.
    private static let entrySize = 28
    private static let mailboxSize = 1_024

    struct Mailbox: Sendable {
        var index: MailboxIndex?
        /// All changes with a MODSEQ above `floor`, in order. `nil`: nothing is known about the past yet.
        var changes: [IndexChange] = []
        var floor: Int64?
        var highestModSeq: Int64?
        var row: MailboxRow?
        var watchers: [Int: @Sendable () -> Void] = [:]
        var loads = 0
        var lastUse = 0
        /// Octets that this mailbox counts for in the budget.
        var accounted = 0
    }

    private struct State: Sendable {
        var mailboxes: [MailboxKey: Mailbox] = [:]
        var size = 0
        var clock = 0
        var nextWatcher = 0
    }

    private let budget: Int
    private let state = Mutex(State())

    package init(budget: Int) { self.budget = budget }

    // MARK: Index

    /// The index as last committed, when it is in memory.
    package func index(of key: MailboxKey) -> MailboxIndex? {
        state.withLock { state -> MailboxIndex? in
            guard state.mailboxes[key]?.index != nil else { return nil }
            return useIndex(of: key, &state)
        }
    }

    /// To be called before the index is read from rows: from now on the mailbox's changes are kept.
    package func beginLoad(_ key: MailboxKey) {
        state.withLock { state in
            state.clock += 1
            state.mailboxes[key, default: Mailbox()].loads += 1
            state.mailboxes[key]?.lastUse = state.clock
        }
    }

    /// Takes what was read, brings it up to date with commits that came meanwhile, and returns that. Nil when nothing was
    /// read, or so much happened meanwhile that it has to be read again.
    package func endLoad(_ key: MailboxKey, _ loaded: (index: MailboxIndex, row: MailboxRow)?) -> MailboxIndex? {
        state.withLock { state -> MailboxIndex? in
            guard var mailbox = state.mailboxes.removeValue(forKey: key) else { return loaded?.index }
            mailbox.loads -= 1
            guard let loaded, (mailbox.floor ?? 0) <= loaded.row.highestModSeq || mailbox.index != nil else {
                if mailbox.isOfUse { state.mailboxes[key] = mailbox } else { state.size -= mailbox.accounted }
                return nil
            }
            mailbox.install(loaded.index, loaded.row)
            state.mailboxes[key] = mailbox
            return useIndex(of: key, &state)
        }
    }

    private func useIndex(of key: MailboxKey, _ state: inout State) -> MailboxIndex? {
        state.clock += 1
        let clock = state.clock
        let index = state.mailboxes[key]?.useIndex(at: clock)
        account(key, &state)
        return index
    }

    /// Counts what the mailbox holds, and lets the longest unused indexes go when all hold more than the budget.
    private func account(_ key: MailboxKey, _ state: inout State) {
        guard let mailbox = state.mailboxes[key] else { return }
        let size = mailbox.index.map { $0.count * IndexCache.entrySize + IndexCache.mailboxSize } ?? 0
        state.size += size - mailbox.accounted
        state.mailboxes[key]?.accounted = size
        while state.size > budget {
            let candidates = state.mailboxes.filter { $0.value.index != nil && $0.key != key }
            guard let oldest = candidates.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
            state.size -= state.mailboxes[oldest]?.accounted ?? 0
            state.mailboxes[oldest]?.index = nil
            state.mailboxes[oldest]?.accounted = 0
            if state.mailboxes[oldest]?.isOfUse == false { state.mailboxes[oldest] = nil }
        }
    }

    // MARK: Changes

    /// What changed after `modSeq`; nil when the kept changes do not reach back that far.
    package func changes(in key: MailboxKey, since modSeq: Int64, knownUIDNext: UInt32) -> MailboxChanges? {
        state.withLock { state in
            guard let mailbox = state.mailboxes[key], let row = mailbox.row, let floor = mailbox.floor, floor <= modSeq
            else { return nil }
            // Who is ahead of the list has read it from rows, and asks them again.
            guard row.deletedAt == 0, row.highestModSeq >= modSeq else { return nil }
            var result = MailboxChanges(
                highestModSeq: ModSeq(row.highestModSeq), uidNext: row.uidNext, messages: Int(row.messages),
                keywords: row.keywords)
            var seen: Set<UInt32> = []
            for change in mailbox.changes.reversed() {
                guard change.entry.modSeq.value > modSeq else { break }
                guard seen.insert(change.entry.uid).inserted else { continue }
                if change.kind == .removed {
                    result.vanished.append(change.entry.uid)
                } else if change.entry.uid >= knownUIDNext {
                    result.added.append(change.entry)
                } else {
                    result.changed.append(change.entry)
                }
            }
            result.vanished.sort()
            result.added.sort { $0.uid < $1.uid }
            result.changed.sort { $0.uid < $1.uid }
            return result
        }
    }

    package func currentModSeq(of key: MailboxKey) -> ModSeq? {
        state.withLock { state in state.mailboxes[key]?.highestModSeq.map { ModSeq($0) } }
    }

    /// Takes over a commit. Returns whom to tell.
    package func commit(_ changes: [MailboxKey: [IndexChange]], rows: [MailboxKey: MailboxRow])
        -> [@Sendable () -> Void]
    {
        state.withLock { state in
            guard !state.mailboxes.isEmpty else { return [] }
            var watchers: [@Sendable () -> Void] = []
            for (key, row) in rows {
                guard let index = state.mailboxes.index(forKey: key) else { continue }
                state.mailboxes.values[index].take(changes[key] ?? [], row: row, maximum: IndexCache.maximumChanges)
                watchers += state.mailboxes.values[index].watchers.values
                if row.deletedAt != 0 { account(key, &state) }
            }
            return watchers
        }
    }

    /// The mailbox's index is read anew when it is asked for: its rows were repaired.
    package func forget(_ key: MailboxKey) {
        state.withLock { state in
            state.mailboxes[key]?.index = nil
            account(key, &state)
        }
    }

    /// The mailbox's MODSEQ as just read from its row, for those that look at it.
    package func note(_ row: MailboxRow) { state.withLock { state in state.mailboxes[row.key]?.note(row) } }

    // MARK: Watching

    package func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.nextWatcher += 1
            state.mailboxes[key, default: Mailbox()].watchers[state.nextWatcher] = notify
            return state.nextWatcher
        }
    }

    package func cancelWatch(_ key: MailboxKey, _ number: Int) {
        state.withLock { state in
            state.mailboxes[key]?.watchers[number] = nil
            if state.mailboxes[key]?.isOfUse == false {
                state.size -= state.mailboxes[key]?.accounted ?? 0
                state.mailboxes[key] = nil
            }
        }
    }

    package var statistics: (mailboxes: Int, bytes: Int) { state.withLock { ($0.mailboxes.count, $0.size) } }
}

extension IndexCache.Mailbox {
    var isOfUse: Bool { index != nil || loads > 0 || !watchers.isEmpty }

    mutating func note(_ new: MailboxRow) { highestModSeq = max(highestModSeq ?? 0, new.highestModSeq) }

    /// Takes an index as read from rows, when none is here or that one is older.
    mutating func install(_ new: MailboxIndex, _ newRow: MailboxRow) {
        note(newRow)
        bringUpToDate()
        if let index, index.highestModSeq >= new.highestModSeq { return }
        index = new
        guard floor == nil else { return }
        floor = newRow.highestModSeq
        if (row?.highestModSeq ?? 0) < newRow.highestModSeq { row = newRow }
    }

    /// Appends the changes of a commit.
    mutating func take(_ new: [IndexChange], row: MailboxRow, maximum: Int) {
        self.row = row
        highestModSeq = row.highestModSeq
        if row.deletedAt != 0 { index = nil }
        changes.append(contentsOf: new)
        guard changes.count > 2 * maximum else { return }
        // What the arrays have not taken yet must not be lost with the list's beginning.
        if index != nil { bringUpToDate() }
        let dropped = changes.count - maximum
        floor = changes[dropped - 1].entry.modSeq.value
        changes.removeFirst(dropped)
    }

    mutating func useIndex(at clock: Int) -> MailboxIndex? {
        lastUse = clock
        bringUpToDate()
        return index
    }

    private mutating func bringUpToDate() {
        guard var index, let row, row.highestModSeq > index.highestModSeq.value else { return }
        self.index = nil
        var removed: Set<UInt32> = []
        var start = changes.count
        while start > 0, changes[start - 1].entry.modSeq > index.highestModSeq { start -= 1 }
        for change in changes[start...] {
            let entry = change.entry
            switch change.kind {
            case .added:
                index.uids.append(entry.uid)
                index.flags.append(entry.flags.rawValue)
                index.modSeqs.append(entry.modSeq.value)
                index.internalDates.append(entry.internalDate.microseconds)
                index.sizes.append(UInt32(clamping: entry.size))
            case .flags:
                guard let position = index.position(of: entry.uid) else { continue }
                index.flags[position] = entry.flags.rawValue
                index.modSeqs[position] = entry.modSeq.value
            case .removed: removed.insert(entry.uid)
            }
        }
        if !removed.isEmpty { index.remove(removed) }
        index.uidNext = row.uidNext
        index.highestModSeq = ModSeq(row.highestModSeq)
        index.keywords = row.keywords
        self.index = index
    }
}

extension MailboxIndex {
    /// Takes UIDs out, in one pass.
    mutating func remove(_ removed: Set<UInt32>) {
        var kept = 0
        for position in uids.indices where !removed.contains(uids[position]) {
            if kept != position {
                uids[kept] = uids[position]
                flags[kept] = flags[position]
                modSeqs[kept] = modSeqs[position]
                internalDates[kept] = internalDates[position]
                sizes[kept] = sizes[position]
            }
            kept += 1
        }
        let gone = uids.count - kept
        uids.removeLast(gone)
        flags.removeLast(gone)
        modSeqs.removeLast(gone)
        internalDates.removeLast(gone)
        sizes.removeLast(gone)
    }
}
