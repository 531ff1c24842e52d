import MailStore
import MartletCore
import StoreEngine
import Testing

/// SQLite shows a commit to readers before the cache hears of it: loads and watchers that fall into that moment lose nothing.
@Suite struct IndexCacheTests {
    private let key = MailboxKey(account: AccountID(1), mailbox: MailboxID(1))

    private func entry(_ uid: UInt32) -> MessageEntry {
        MessageEntry(
            uid: uid, flags: [], modSeq: ModSeq(Int64(uid) + 1), internalDate: Instant(microseconds: 0), size: 10)
    }

    /// The mailbox after `count` deliveries, as rows tell it.
    private func loaded(_ count: UInt32) -> (index: MailboxIndex, row: MailboxRow) {
        var index = MailboxIndex(uidNext: count + 1, highestModSeq: ModSeq(Int64(count) + 1), keywords: [])
        for uid in 1...count {
            index.uids.append(uid)
            index.flags.append(0)
            index.modSeqs.append(Int64(uid) + 1)
            index.internalDates.append(0)
            index.sizes.append(10)
        }
        var row = MailboxRow(key: key, name: "INBOX", uidValidity: 1, use: nil)
        row.uidNext = count + 1
        row.highestModSeq = Int64(count) + 1
        row.messages = Int64(count)
        return (index, row)
    }

    private func load(_ cache: IndexCache, _ count: UInt32) -> [UInt32]? {
        cache.beginLoad(key)
        return cache.endLoad(key, loaded(count))?.uids
    }

    private func commit(_ cache: IndexCache, _ uid: UInt32) {
        _ = cache.commit([key: [IndexChange(kind: .added, entry: entry(uid))]], rows: [key: loaded(uid).row])
    }

    @Test func `a load that sees a commit before the cache does keeps it`() {
        let cache = IndexCache(budget: 1 << 20)
        #expect(load(cache, 1) == [1])
        #expect(load(cache, 2) == [1, 2])
        commit(cache, 2)
        #expect(cache.index(of: key)?.uids == [1, 2])
        commit(cache, 3)
        #expect(cache.index(of: key)?.uids == [1, 2, 3])
        #expect(cache.index(of: key)?.highestModSeq == ModSeq(4))
    }

    @Test func `a first load that sees a commit before the cache does takes it once`() {
        let cache = IndexCache(budget: 1 << 20)
        _ = cache.watch(key) {}
        commit(cache, 1)
        #expect(load(cache, 2) == [1, 2])
        commit(cache, 2)
        commit(cache, 3)
        #expect(cache.index(of: key)?.uids == [1, 2, 3])
    }

    @Test func `who watches hears of a commit whose row was noted early`() throws {
        let cache = IndexCache(budget: 1 << 20)
        #expect(load(cache, 1) == [1])
        _ = cache.watch(key) {}
        cache.note(loaded(2).row)
        let early = try #require(cache.changes(in: key, since: 2, knownUIDNext: 2))
        commit(cache, 2)
        let changes = try #require(
            cache.changes(in: key, since: early.highestModSeq.value, knownUIDNext: early.uidNext))
        #expect(early.added.count + changes.added.count == 1)
    }

    @Test func `who is ahead of the list is sent to the rows`() {
        let cache = IndexCache(budget: 1 << 20)
        #expect(load(cache, 1) == [1])
        #expect(load(cache, 2) == [1, 2])
        #expect(cache.changes(in: key, since: 3, knownUIDNext: 3) == nil)
    }

    @Test func `a deleted mailbox leaves nothing in the budget`() {
        let cache = IndexCache(budget: 1 << 20)
        _ = load(cache, 1_000)
        let watch = cache.watch(key) {}
        var row = loaded(1_000).row
        row.deletedAt = 5
        row.highestModSeq += 1
        _ = cache.commit([:], rows: [key: row])
        cache.cancelWatch(key, watch)
        #expect(cache.statistics == (mailboxes: 0, bytes: 0))
    }
}
