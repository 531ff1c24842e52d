import Foundation
import Logging
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Testing

@Suite struct RecoveryTests {
    private func open(
        _ directory: String, _ options: StoreOptions = StoreOptions(), clock: TestClock = TestClock()
    ) async throws -> (EmbeddedStore, StoreUnderTest) {
        let store = try await EmbeddedStore.open(directory: directory, options: options, clock: clock, logger: .silent)
        return (store, StoreUnderTest(store: store, records: store, clock: clock))
    }

    @Test func `all is there after the store was closed and opened`() async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let account = try await test.makeAccount("anna", quota: 1_000)
            let inbox = try await test.inbox(of: account)
            try await test.append(
                ["one", "two", "three"], to: inbox, flags: NamedFlags(system: .flagged, keywords: ["Work"]))
            _ = try await store.remove(in: inbox, uids: [2])
            try await store.putAlias(
                try #require(EmailAddress("sales@example.test")),
                targets: [try #require(EmailAddress("anna@example.test"))])
            _ = try await store.deliver(try test.accepted("four", to: [(account, "Junk")]))
            let mailboxes = try await store.mailboxes(of: account)
            let index = try await store.index(of: inbox)
            let (domains, accounts, ledger) = (store.domains(), store.accounts(), try await store.ledger())
            store.close()
            await #expect(throws: StoreError.closed) { try await test.append(["late"], to: inbox) }

            (store, test) = try await open(directory)
            #expect(try await store.mailboxes(of: account) == mailboxes)
            #expect(try await store.index(of: inbox).uids == index.uids)
            #expect(try await store.index(of: inbox).flags == index.flags)
            #expect(store.domains() == domains)
            #expect(store.accounts() == accounts)
            #expect(store.aliases().count == 1)
            #expect(try await store.ledger() == ledger)
            #expect(try await test.text(of: 3, in: inbox) == "three")
            #expect(try await store.changes(in: inbox, since: ModSeq(2), knownUIDNext: 4).vanished == [2])
            #expect(try await test.append(["five"], to: inbox) == [4])
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    @Test func `equal bytes are stored once, also by a later run`() async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            let text = String(repeating: "the same ", count: 10_000)
            try await test.append([text, text], to: inbox)
            store.close()
            (store, test) = try await open(directory)
            try await test.append([text], to: inbox)
            let report = await store.verify()
            #expect(report.messages == 3)
            #expect(report.blobs == 1)
            #expect(report.bytes == 90_000)
            _ = try await store.remove(in: inbox, uids: [1, 2, 3])
            store.close()
            #expect(try size(of: directory + "/blobs/000001.seg") < 91_000)
        }
    }

    @Test func `what no row names is cut off, and left-over files go`() async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let inbox = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["kept"], to: inbox)
            store.close()
            let segment = directory + "/blobs/000001.seg"
            let size = try size(of: segment)
            let handle = try #require(FileHandle(forWritingAtPath: segment))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(repeating: 7, count: 5_000))
            try handle.close()
            _ = FileManager.default.createFile(
                atPath: directory + "/blobs/000002.seg", contents: Data(repeating: 1, count: 10))
            _ = FileManager.default.createFile(atPath: directory + "/spool/17", contents: Data(repeating: 1, count: 10))
            (store, test) = try await open(directory)
            #expect(try self.size(of: segment) == size)
            #expect(!FileManager.default.fileExists(atPath: directory + "/blobs/000002.seg"))
            #expect(!FileManager.default.fileExists(atPath: directory + "/spool/17"))
            try await test.append(["new"], to: inbox)
            #expect(try await test.text(of: 1, in: inbox) == "kept")
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    @Test(arguments: [0, 9, 20, 50, 53, 57, 64, 70, 40_000, 65_599, 70_000, 199_000])
    func `an octet that changed on disk is reported and never served`(place: Int) async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let inbox = try await test.inbox(of: try await test.makeAccount())
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            _ = try await store.append([try test.message(bytes: bytes), try test.message("untouched")], to: inbox)
            store.close()
            let segment = directory + "/blobs/000001.seg"
            let handle = try #require(FileHandle(forUpdatingAtPath: segment))
            try handle.seek(toOffset: UInt64(place))
            let octet = try #require(try handle.read(upToCount: 1)?.first)
            try handle.seek(toOffset: UInt64(place))
            try handle.write(contentsOf: Data([octet ^ 0x10]))
            try handle.close()

            (store, test) = try await open(directory)
            let damaged = try await store.message(in: inbox, uid: 1)
            await #expect(throws: StoreError.self) { _ = try await damaged.readAll() }
            do {
                // Parts that lie in other chunks may be given; they must be right.
                let part = try await damaged.read(100_000..<100_100)
                #expect(part == Array(bytes[100_000..<100_100]))
            } catch StoreError.corrupt {}
            #expect(try await test.text(of: 2, in: inbox) == "untouched")
            #expect(await store.verify().faultCount == 1)
            store.close()
        }
    }

    @Test(arguments: [0, 30, 64, 70_000])
    func `a segment that was cut short is reported and never served`(length: Int) async throws {
        try await withTemporaryDirectory { directory in
            var (store, test) = try await open(directory)
            let inbox = try await test.inbox(of: try await test.makeAccount())
            _ = try await store.append([try test.message(bytes: [UInt8](repeating: 5, count: 100_000))], to: inbox)
            store.close()
            let handle = try #require(FileHandle(forWritingAtPath: directory + "/blobs/000001.seg"))
            try handle.truncate(atOffset: UInt64(length))
            try handle.close()
            (store, test) = try await open(directory)
            await #expect(throws: StoreError.self) { _ = try await store.message(in: inbox, uid: 1).readAll() }
            #expect(await store.verify().faultCount == 1)
            // What comes later does not lie in the hole's shadow.
            try await test.append(["later"], to: inbox)
            #expect(try await test.text(of: 2, in: inbox) == "later")
            store.close()
        }
    }

    @Test func `a store of a newer program is not opened`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, _) = try await open(directory)
            store.close()
            // SQLite keeps the schema's version at octet 60 of the file, big-endian.
            let handle = try #require(FileHandle(forUpdatingAtPath: directory + "/store.db"))
            try handle.seek(toOffset: 60)
            try handle.write(contentsOf: Data([0, 0, 0, 99]))
            try handle.close()
            do {
                let (opened, _) = try await open(directory)
                opened.close()
                Issue.record("a newer store was opened")
            } catch let error as StoreOpenError {
                guard case .newerSchema(found: 99, known: _) = error else { throw error }
                #expect(error.description.contains("99"))
            }
        }
    }

    @Test func `a store is opened once, and the error names the process that has it`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, _) = try await open(directory)
            await #expect(throws: StoreOpenError.locked(directory: directory, pid: getpid())) {
                _ = try await self.open(directory)
            }
            store.close()
            let (again, _) = try await open(directory)
            again.close()
        }
    }

    @Test func `expunged messages are forgotten when their time is over, and their bytes counted as free`() async throws
    {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let (store, test) = try await open(directory, clock: clock)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            try await test.append((1...1_200).map { "message \($0)" }, to: inbox)
            let then = try await store.mailbox(inbox).highestModSeq
            _ = try await store.remove(in: inbox, uids: Array(1...1_100))
            clock.advance(by: .seconds(13 * 86_400))
            _ = try await store.remove(in: inbox, uids: [1_150])
            #expect(try await store.housekeep().forgottenMessages == 0)
            clock.advance(by: .seconds(2 * 86_400))
            #expect(try await store.housekeep().forgottenMessages == 1_100)
            #expect(try await store.expunged(of: account, limit: 10_000).map(\.uid) == [1_150])
            let report = await store.verify()
            #expect(report.faults == [])
            #expect(report.unreferencedBlobs == 1_100)
            store.close()
            // A client that comes back after that time still learns what is gone (RFC 7162 §3.2.5.2).
            let (again, _) = try await open(directory, clock: clock)
            let vanished = try await again.changes(in: inbox, since: then, knownUIDNext: 1_201).vanished
            #expect(Set(vanished).isSuperset(of: Array(1...1_100) + [1_150]))
            #expect(Set(vanished).isDisjoint(with: [1_101, 1_149, 1_200]))
            again.close()
        }
    }

    @Test func `a deleted mailbox can be brought back message by message until its time is over`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let (store, test) = try await open(directory, clock: clock)
            let account = try await test.makeAccount()
            let work = try await store.createMailbox(named: "Work", of: account, use: nil)
            try await test.append(["a", "b"], to: work.key)
            try await store.deleteMailbox(named: "Work", of: account)
            let gone = try await store.expunged(of: account, limit: 10)
            #expect(gone.map(\.mailboxName) == ["Work", "Work"])
            #expect(try await store.undelete([gone[0]], of: account) == 1)
            #expect(try await test.text(of: 1, in: try await test.inbox(of: account)) == "b")
            clock.advance(by: .seconds(15 * 86_400))
            #expect(try await store.housekeep().forgottenMessages == 2)
            #expect(try await store.expunged(of: account, limit: 10) == [])
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    private func size(of path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    }

    @Test func `a deleted mailbox is forgotten when nothing of it can be brought back`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let (store, test) = try await open(directory, clock: clock)
            let account = try await test.makeAccount()
            let used = try await store.createMailbox(named: "used", of: account, use: nil)
            try await test.append(["one", "two"], to: used.key)
            try await store.deleteMailbox(named: "used", of: account)
            for _ in 0..<3 {
                _ = try await store.createMailbox(named: "empty", of: account, use: nil)
                try await store.deleteMailbox(named: "empty", of: account)
            }
            clock.advance(by: .seconds(15 * 86_400))
            let report = try await store.housekeep()
            #expect(report.forgottenMessages == 2)
            // The empty ones went at once.
            #expect(report.forgottenMailboxes == 1)
            #expect(await store.verify().faults == [])
            store.close()
        }
    }
}
