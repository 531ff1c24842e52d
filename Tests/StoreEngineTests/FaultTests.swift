import Logging
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Testing

/// Disks that are full, read-only or failing: the call fails with `.unavailable`, nothing else happens, and the store goes on
/// when the disk does.
@Suite struct FaultTests {
    static let faults: [(FaultyFiles.Fault?, FaultyFiles.Fault?, Int)] = [
        (.full, nil, 0), (.full, nil, 1_000), (.failing, nil, 0), (.readOnly, nil, 0), (nil, .failing, 0),
        (nil, .full, 0),
    ]

    @Test(arguments: FaultTests.faults)
    func `a disk that fails under the messages loses nothing`(
        writes: FaultyFiles.Fault?, syncs: FaultyFiles.Fault?, room: Int
    ) async throws {
        try await withTemporaryDirectory { directory in
            let files = FaultyFiles()
            let clock = TestClock()
            var store = try EmbeddedStore.open(
                directory: directory, options: StoreOptions(), clock: clock, logger: .silent, layer: files)
            var test = StoreUnderTest(store: store, records: store, clock: clock)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            try await test.append(["before"], to: inbox)
            let info = try await store.mailbox(inbox)

            files.fail(writes: writes, syncs: syncs, room: room)
            let text = String(repeating: "during ", count: 500)
            let message = try test.message(text)
            await expectUnavailable { _ = try await store.append([message], to: inbox) }
            let accepted = try test.accepted(text, to: [(account, "INBOX")])
            await expectUnavailable { _ = try await store.deliver(accepted) }
            #expect(try await store.mailbox(inbox) == info)
            #expect(try await test.text(of: 1, in: inbox) == "before")
            // What needs no segment file goes on.
            _ = try await store.changeFlags(in: inbox, uids: [1], .add(NamedFlags(system: .seen)), unchangedSince: nil)

            files.fail()
            #expect(try await test.append([text], to: inbox) == [2])
            #expect(
                try await store.deliver(try test.accepted("later", to: [(account, "INBOX")])) == [
                    .delivered(mailbox: "INBOX", uid: 3)
                ])
            #expect(await store.verify().faults == [])
            #expect(try await store.ledger().holds)
            store.close()

            // The same after a power cut: what failed to sync is not trusted although the disk says nothing any more.
            store = try EmbeddedStore.open(
                directory: directory, options: StoreOptions(), clock: clock, logger: .silent,
                layer: files.losingPower(seed: 1))
            test = StoreUnderTest(store: store, records: store, clock: clock)
            #expect(await store.verify().faults == [])
            #expect(try await test.text(of: 2, in: inbox) == text)
            store.close()
        }
    }

    @Test func `a full disk under the database refuses mail, and takes it again when there is room`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            try await store.limitDatabase(toPages: 60)
            var taken: [UInt32] = []
            var number: UInt32 = 0
            let text = String(repeating: "x", count: 900)
            while true {
                number += 1
                do {
                    let results = try await store.deliver(
                        try test.accepted("\(number) \(text)", to: [(account, "INBOX")], number: number))
                    guard case .delivered(_, let uid) = results[0] else { throw StoreError.noSuchAccount }
                    taken.append(uid)
                } catch StoreError.unavailable {
                    break
                }
                try #require(number < 5_000, "the database never became full")
            }
            #expect(taken.count > 3)
            #expect(try await store.mailbox(inbox).messages == taken.count)
            try await test.checkInvariants(of: inbox)
            try await store.limitDatabase(toPages: 0)
            let more = try await store.deliver(try test.accepted("more", to: [(account, "INBOX")], number: number + 1))
            #expect(more == [.delivered(mailbox: "INBOX", uid: UInt32(taken.count + 1))])
            #expect(await store.verify().faults == [])
            #expect(try await store.ledger().holds)
            store.close()
        }
    }

    @Test func `one operation that is refused does not harm the others of its batch`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            // Undelete of a message whose keywords do not fit fails after rows were written: the batch is done again one by one.
            let full = (0..<58).map { "a\($0)" }
            let other = try await store.createMailbox(named: "Other", of: account, use: nil).key
            try await test.append(["fits", "does not"], to: other)
            _ = try await store.changeFlags(
                in: other, uids: [2], .add(NamedFlags(keywords: ["foreign"])), unchangedSince: nil)
            _ = try await store.remove(in: other, uids: [1, 2])
            let gone = try await store.expunged(of: account, limit: 10).sorted { $0.uid < $1.uid }
            try await store.deleteMailbox(named: "Other", of: account)
            try await test.append(["k"], to: inbox, flags: NamedFlags(keywords: full))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<10 {
                    group.addTask {
                        for number in 0..<10 { try await test.append(["\(round) \(number)"], to: inbox) }
                    }
                    group.addTask {
                        await #expect(throws: StoreError.limit(name: "keywords in a mailbox")) {
                            _ = try await store.undelete(gone, of: account)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.mailbox(inbox).messages == 101)
            #expect(try await store.expunged(of: account, limit: 10).count == 2)
            try await test.checkInvariants(of: inbox)
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    private func expectUnavailable(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("the call did not fail")
        } catch StoreError.unavailable {
        } catch {
            Issue.record("\(error) instead of unavailable")
        }
    }
}
