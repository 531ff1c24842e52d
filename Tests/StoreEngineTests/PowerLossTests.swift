import Foundation
import Logging
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Synchronization
import Testing

/// Power is cut at a moment of a run with many writers; the store is opened on what a disk would hold then.
///
/// What is simulated: segment files lose what was not synced since their last `fdatasync`, write by write, torn at sectors;
/// the write-ahead log of SQLite loses a random part of the commit that was being written. What is not: reordered writes
/// inside SQLite's checkpoint, which rests on SQLite's own tests, and disks that lie about having synced.
@Suite struct PowerLossTests {
    /// Where a message is and how it is flagged.
    struct Place: Hashable, Sendable {
        var mailbox: String
        var flags: Flags
    }

    /// What was answered for each message, and what was asked and not answered yet. Nil: the message is not there.
    struct Model: Sendable {
        var answered: [String: Place?] = [:]
        var asked: [String: Place?] = [:]
        /// What was ever asked for each message.
        var everAsked: [String: Set<Place?>] = [:]
        /// What was asked between the moment of this model and that of the database: commits without a message need no sync.
        var askedSince: [String: Set<Place?>] = [:]
    }

    struct Snapshot: Sendable {
        var model: Model
        var files: FaultyFiles
        /// Files that had a name at that moment.
        var present: [String]
        /// Octets of the write-ahead log at that moment, all of them synced.
        var logSize: Int
        var isTakenInCommit: Bool
    }

    /// What writers and the moment of the cut share.
    final class Journal: Sendable {
        let model = Mutex(Model())
        let snapshot = Mutex<Snapshot?>(nil)

        func ask(_ text: String, _ place: Place?) {
            model.withLock { model in
                model.asked[text] = .some(place)
                model.everAsked[text, default: []].insert(place)
            }
        }

        func answer(_ text: String) {
            model.withLock { model in
                guard let asked = model.asked.removeValue(forKey: text) else { return }
                model.answered[text] = .some(asked)
            }
        }
    }

    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `what was answered is there after power was lost, once, and nothing is damaged`(seed: UInt64) async throws {
        try await losePower(seed: seed, isCompacting: false)
    }

    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func `the same while segment files are compacted`(seed: UInt64) async throws {
        try await losePower(seed: seed, isCompacting: true)
    }

    private func losePower(seed: UInt64, isCompacting: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let after = directory + "-after"
            let journal = Journal()
            var random = SystemSplitMix(seed: seed)
            let moment = Int.random(in: 3...24, using: &random)
            let isTakenInCommit = Bool.random(using: &random)
            let cut = UInt64.random(in: 0...UInt64.max, using: &random)
            let files = FaultyFiles()
            let clock = TestClock()
            var options = StoreOptions()
            options.segmentSize = 40_000
            options.spoolThreshold = 6_000
            if isCompacting {
                options.segmentSize = 15_000
                options.expungedRetention = .zero
            }
            let store = try EmbeddedStore.open(
                directory: directory, options: options, clock: clock, logger: .silent, layer: files)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            let account = try await test.makeAccount()
            files.beforeEachSync { number in
                if number == moment {
                    // The committer's thread stands here: every earlier commit is on disk, this batch's rows are not begun.
                    try? FileManager.default.createDirectory(atPath: after, withIntermediateDirectories: true)
                    let log = copyDatabase(from: directory, to: after)
                    let found = Snapshot(
                        model: journal.model.withLock { $0 },
                        files: files.losingPower(seed: seed, renaming: (directory, after)), present: files.paths(),
                        logSize: log,
                        isTakenInCommit: isTakenInCommit)
                    journal.snapshot.withLock { $0 = found }
                } else if number == moment + 1, isTakenInCommit {
                    // Between the two syncs this log was written: the commit of the batch before. Nothing else was answered then.
                    guard let before = journal.snapshot.withLock({ $0 }) else { return }
                    _ = copyDatabase(from: directory, to: after, cuttingLogAfter: before.logSize, seed: cut)
                    // A file that went since then went after a commit that is lost here, which a disk cannot do.
                    let there = Set(before.present)
                    let asked = journal.model.withLock { $0.everAsked }
                    journal.snapshot.withLock {
                        for (text, places) in asked {
                            $0?.model.askedSince[text] = places.subtracting(before.model.everAsked[text] ?? [])
                        }
                        $0?.files = files.losingPower(seed: seed, renaming: (directory, after), keeping: there)
                    }
                }
            }
            let inbox = try await test.inbox(of: account)
            let archive = try await store.mailbox(named: "Archive", of: account).key
            let compaction = Task {
                guard isCompacting else { return }
                let policy = CompactionPolicy(deadShare: 0.01, minimumInPresentFile: 1, bytesPerSecond: nil)
                while !Task.isCancelled {
                    clock.advance(by: .seconds(1))
                    _ = try? await store.housekeep()
                    _ = try? await store.compact(policy)
                }
            }
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<6 {
                    group.addTask { await write(writer, seed: seed, test, account, inbox, archive, journal) }
                }
            }
            compaction.cancel()
            await compaction.value
            files.beforeEachSync(nil)
            store.close()
            let found = try #require(journal.snapshot.withLock { $0 }, "the run had fewer syncs than the moment")

            let again = try EmbeddedStore.open(
                directory: after, options: options, clock: clock, logger: .silent, layer: found.files)
            let report = await again.verify()
            #expect(report.faults == [])
            let survived = StoreUnderTest(store: again, records: again, clock: clock)
            try await check(found.model, survived, account)
            // Life goes on.
            let uid = try await survived.append(["after the power came back"], to: inbox)
            #expect(try await survived.text(of: uid[0], in: inbox) == "after the power came back")
            again.close()
        }
    }
}

/// One writer's life: messages come in, are flagged, moved and removed, one call after the other.
private func write(
    _ writer: Int, seed: UInt64, _ test: StoreUnderTest, _ account: AccountID, _ inbox: MailboxKey,
    _ archive: MailboxKey,
    _ journal: PowerLossTests.Journal
) async {
    var random = SystemSplitMix(seed: seed &+ UInt64(writer) &* 7_919)
    for number in 0..<14 {
        let filling = String(repeating: "0123456789", count: Int.random(in: 0...900, using: &random))
        let text = "writer \(writer) message \(number) \(filling)"
        do {
            if Int.random(in: 0..<3, using: &random) == 0 {
                let code = UInt32(100_000 + writer * 1_000 + number)
                try await relay(text, code, test, account, journal, &random)
                continue
            }
            journal.ask(text, PowerLossTests.Place(mailbox: "INBOX", flags: []))
            let uid: UInt32
            var full = text
            if Bool.random(using: &random) {
                uid = try await test.append([text], to: inbox)[0]
            } else {
                full = "Delivered-To: \(account)\r\n" + text
                journal.ask(full, PowerLossTests.Place(mailbox: "INBOX", flags: []))
                journal.model.withLock { $0.asked[text] = nil }
                let number = UInt32(writer * 1_000 + number)
                let results = try await test.store.deliver(
                    try test.accepted(text, to: [(account, "INBOX")], number: number))
                guard case .delivered(_, let delivered) = results[0] else { return }
                uid = delivered
            }
            journal.answer(full)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                journal.ask(full, PowerLossTests.Place(mailbox: "INBOX", flags: .seen))
                _ = try await test.store.changeFlags(
                    in: inbox, uids: [uid], .add(NamedFlags(system: .seen)), unchangedSince: nil)
                journal.answer(full)
            case 1:
                journal.ask(full, PowerLossTests.Place(mailbox: "Archive", flags: []))
                _ = try await test.store.move(from: inbox, uids: [uid], to: archive)
                journal.answer(full)
            case 2:
                journal.ask(full, nil)
                _ = try await test.store.remove(in: inbox, uids: [uid])
                journal.answer(full)
            default: break
            }
        } catch {
            Issue.record("a call failed: \(error)")
            return
        }
    }
}

/// A message for another server is queued, tried, and leaves the queue or stays.
private func relay(
    _ text: String, _ code: UInt32, _ test: StoreUnderTest, _ account: AccountID, _ journal: PowerLossTests.Journal,
    _ random: inout SystemSplitMix
) async throws {
    let queue = PowerLossTests.Place(mailbox: "queue", flags: [])
    journal.ask(text, queue)
    let lane = "lane \(code)"
    let message = try test.outbound(code, [try test.recipient(0, "a@far.test")], lane: lane, text: text)
    _ = try await test.store.deliver(message)
    journal.answer(text)
    #expect(try await test.claim("far.test", lane: lane).count == 1)
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
        journal.ask(text, nil)
        try await test.settle(message.record.code, [(0, .relayed(reply: "250 Ok"))])
        journal.answer(text)
    case 1:
        let notice = "Delivered-To: \(account)\r\nfailed: \(text)"
        journal.ask(text, nil)
        journal.ask(notice, PowerLossTests.Place(mailbox: "INBOX", flags: []))
        let bounce = try test.accepted("failed: \(text)", to: [(account, "INBOX")], number: code + 500_000)
        try await test.settle(message.record.code, [(0, .failed(reply: "550 5.1.1"))], notices: [bounce])
        journal.answer(text)
        journal.answer(notice)
    case 2:
        let outcome = QueueSettlement.Outcome.retry(at: test.now, reply: "451 4.3.0", hasDelayNotice: false)
        try await test.settle(message.record.code, [(0, outcome)])
    default: break
    }
}

private func check(_ model: PowerLossTests.Model, _ test: StoreUnderTest, _ account: AccountID) async throws {
    var there: [String: [PowerLossTests.Place]] = [:]
    for info in try await test.store.mailboxes(of: account) {
        try await test.checkInvariants(of: info.key)
        let index = try await test.store.index(of: info.key)
        for position in 0..<index.count {
            let entry = index[position]
            let text = try await test.text(of: entry.uid, in: info.key)
            there[text, default: []].append(PowerLossTests.Place(mailbox: info.name, flags: entry.flags))
        }
    }
    try await test.store.endLeases(exceptOf: -1, now: test.now)
    for delivery in try await test.store.queued(QueueQuery(limit: .max)) {
        let text = String(decoding: try await test.store.content(of: delivery.message.blob).readAll(), as: UTF8.self)
        there[text, default: []].append(PowerLossTests.Place(mailbox: "queue", flags: []))
        #expect(try await test.claim("far.test", lane: delivery.message.lane).count == 1)
    }
    for (text, place) in model.answered {
        let found = there[text] ?? []
        if model.askedSince[text]?.contains(found.first) == true { continue }
        #expect(found.count <= 1, "\(text.prefix(30)) is there \(found.count) times")
        if let asked = model.asked[text] {
            #expect(
                found.first == place || found.first == asked,
                "\(text.prefix(30)): \(found), neither \(String(describing: place)) nor what was asked")
        } else {
            #expect(found.first == place, "\(text.prefix(30)): \(found) instead of \(String(describing: place))")
        }
    }
    for (text, places) in there where model.answered[text] == nil && model.askedSince[text]?.isEmpty != false {
        #expect(
            places.count == 1 && model.asked[text] != nil, "\(text.prefix(30)) was never asked for, or is there twice")
    }
}

/// Copies the database as it is on disk. Returns the size of its log.
///
/// With `cuttingLogAfter`, the log's octets from there on are a commit that was being written: sectors of it are lost by the dice.
private func copyDatabase(from: String, to: String, cuttingLogAfter: Int? = nil, seed: UInt64 = 0) -> Int {
    func copy(_ name: String) -> Int {
        var bytes = [UInt8](FileManager.default.contents(atPath: "\(from)/\(name)") ?? Data())
        let size = bytes.count
        if name.hasSuffix("-wal"), let start = cuttingLogAfter, start < size {
            var random = SystemSplitMix(seed: seed)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes = Array(bytes.prefix(Int.random(in: start...size, using: &random)))
            case 1:
                for sector in stride(from: (start + 511) / 512 * 512, to: size, by: 512)
                where Bool.random(using: &random) {
                    for index in sector..<min(sector + 512, size) { bytes[index] = 0 }
                }
            default: break
            }
        }
        _ = FileManager.default.createFile(atPath: "\(to)/\(name)", contents: Data(bytes))
        return size
    }
    _ = copy("store.db")
    return copy("store.db-wal")
}
