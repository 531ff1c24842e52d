import Foundation
import Logging
import MailStore
import MartletCore
import Records
import StoreConformance
import StoreEngine
import Testing

@Suite struct RepairTests {
    private func open(_ directory: String, clock: TestClock = TestClock()) async throws -> (
        EmbeddedStore, StoreUnderTest
    ) {
        let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
        return (store, StoreUnderTest(store: store, records: store, clock: clock))
    }

    private static let text = "Subject: letter\r\nFrom: Anna <anna@example.org>\r\n\r\nhello "

    private func fill(_ test: StoreUnderTest) async throws -> MailboxKey {
        let inbox = try await test.inbox(of: try await test.makeAccount(quota: 100_000))
        for number in 1...9 { try await test.append([RepairTests.text + "\(number)"], to: inbox) }
        _ = try await test.store.remove(in: inbox, uids: [9])
        return inbox
    }

    @Test(arguments: [
        "UPDATE mailboxes SET messages = 77 WHERE messages = 8", "UPDATE mailboxes SET unseen = 0 WHERE messages = 8",
        "UPDATE mailboxes SET deleted = 3 WHERE messages = 8",
        "UPDATE mailboxes SET size = size - 5 WHERE messages = 8",
        "UPDATE mailboxes SET uid_next = 5 WHERE messages = 8",
        "UPDATE mailboxes SET highest_modseq = 3 WHERE messages = 8",
        "UPDATE blobs SET refs = 0", "UPDATE blobs SET refs = refs + 5", "UPDATE blobs SET refs = -3",
        "DELETE FROM summaries WHERE uid = 4 AND mailbox_id > 0", "UPDATE messages SET size = 3 WHERE uid = 2",
        "UPDATE messages SET size = -1",
    ])
    func `what can be worked out anew is put right while the store is in use`(damage: String) async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let inbox = try await fill(test)
            _ = try await store.index(of: inbox)
            try await store.execute(damage)
            #expect(await !store.verify().isSound)
            store.close()
            (store, test) = try await open(directory)
            // A session has the mailbox open.
            _ = try? await store.index(of: inbox)
            let report = await store.repair(removingDamaged: false)
            #expect(report.repairCount > 0)
            #expect(report.verification.faults == [])
            for _ in 0..<2 {
                try await test.checkInvariants(of: inbox)
                let account = try #require(store.account(inbox.account))
                #expect(account.usedMessages == 8)
                for number in 1...8 {
                    #expect(try await test.text(of: UInt32(number), in: inbox) == RepairTests.text + "\(number)")
                }
                #expect(try await store.summaries(in: inbox, uids: Array(1...8)).count == 8)
                #expect(try await test.append(["new"], to: inbox)[0] >= 10)
                _ = try await store.remove(in: inbox, uids: [try await store.mailbox(inbox).uidNext - 1])
                store.close()
                (store, test) = try await open(directory)
            }
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    @Test func `a sound store is left alone`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, test) = try await open(directory)
            let inbox = try await fill(test)
            let before = try await store.mailbox(inbox)
            let report = await store.repair(removingDamaged: true)
            #expect(report.repairs == [])
            #expect(report.damagedCount == 0)
            #expect(try await store.mailbox(inbox) == before)
            store.close()
        }
    }

    @Test(arguments: [false, true])
    func `messages whose octets are lost stay and are told, or go when that is asked for`(removing: Bool) async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let inbox = try await fill(test)
            store.close()
            let path = directory + "/blobs/000001.seg"
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            bytes[100] ^= 1
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            (store, test) = try await open(directory)
            let report = await store.repair(removingDamaged: removing)
            #expect(report.damagedMessages.count == 1)
            #expect(report.damagedMessages[0].hasPrefix("anna@example.test, INBOX, UID 1, from Anna"))
            #expect(report.isDamagedRemoved == removing)
            #expect(try await store.index(of: inbox).uids == (removing ? Array(2...8) : Array(1...8)))
            #expect(report.verification.faultCount == (removing ? 0 : 1))
            for number in 2...8 {
                #expect(try await test.text(of: UInt32(number), in: inbox) == RepairTests.text + "\(number)")
            }
            try await test.checkInvariants(of: inbox)
            store.close()
        }
    }

    @Test func `a ledger that does not hold is told and never changed`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, test) = try await open(directory)
            let account = try await test.makeAccount()
            _ = try await store.deliver(try test.accepted("mail", to: [(account, "INBOX")], number: 1))
            try await store.execute("UPDATE ledger SET count = count + 1 WHERE entry = 'accepted'")
            let before = try await store.ledger()
            let report = await store.repair(removingDamaged: true)
            #expect(report.verification.faults == ["the ledger does not hold"])
            #expect(try await store.ledger() == before)
            store.close()
        }
    }
}

@Suite struct UpgradeTests {
    /// Makes a store one of the program before the queue.
    private func makeOlder(_ store: EmbeddedStore) async throws {
        for table in ["queue_messages", "queue_recipients", "queue_lanes", "attempts"] {
            try await store.execute("DROP TABLE \(table)")
        }
        for column in ["relayed", "bounced"] { try await store.execute("ALTER TABLE records DROP COLUMN \(column)") }
        try await store.execute("PRAGMA user_version = 1")
    }

    @Test func `a rehearsal tells what would change and changes nothing; the migration keeps the rows as they were`()
        async throws
    {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            var store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            let account = try await test.makeAccount()
            _ = try await store.deliver(try test.accepted("old mail", to: [(account, "INBOX")], number: 1))
            try await makeOlder(store)
            store.close()
            let before = try Data(contentsOf: URL(fileURLWithPath: directory + "/store.db"))

            let rehearsal = try UpgradeRehearsal(of: directory, in: directory).run(readsMessages: true)
            #expect(rehearsal.found == 1)
            #expect(rehearsal.steps.map(\.version) == Array(2...rehearsal.known))
            #expect(rehearsal.changes.contains("table queue_messages is new"))
            #expect(rehearsal.changes.contains("table records changes"))
            #expect(rehearsal.verification.faults == [])
            #expect(rehearsal.verification.messages == 1)
            #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/store.db")) == before)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("rehearsal") }
                    == [])

            store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            #expect(await store.verify().faults == [])
            store.close()
            let kept = directory + "/before-migration-1.db"
            let old = try UpgradeRehearsal(of: directory, in: directory).run(readsMessages: false)
            #expect(old.steps == [])
            #expect(old.changes == [])
            #expect(FileManager.default.fileExists(atPath: kept))
            // The copy is a store of the old version, from which the migration can be made again.
            try FileManager.default.removeItem(atPath: directory + "/store.db")
            try FileManager.default.copyItem(atPath: kept, toPath: directory + "/store.db")
            store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    @Test func `a backup of an older store is read, and restored as it was`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            let inbox = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["old mail"], to: inbox)
            try await makeOlder(store)
            store.close()
            let set = BackupSet(directory + "-backup")
            let made = try BackupWriter(of: directory, to: set, files: [], hostname: "", version: "").make(
                now: clock.now())
            #expect(made.manifest.schema == 1)
            let reader = try BackupReader(set, made.name, isForced: false)
            let mailbox = try #require(try reader.mailboxes(of: inbox.account).first)
            #expect(try reader.uids(in: mailbox) == [1])
            let target = directory + "-restored"
            let restored = try BackupRestorer(set, made.name).restore(
                to: target, .isOlder, isForced: false, now: clock.now())
            #expect(restored.manifest.schema == 1)
            let again = try await EmbeddedStore.open(directory: target + "/store", clock: clock, logger: .silent)
            #expect(await again.verify().faults == [])
            again.close()
        }
    }
}
