import Foundation
import Logging
import MailStore
import MartletCore
import Records
import StoreConformance
import StoreEngine
import Testing

@Suite struct QueueStoreTests {
    private func open(_ directory: String, clock: TestClock) async throws -> (EmbeddedStore, StoreUnderTest) {
        let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
        return (store, StoreUnderTest(store: store, records: store, clock: clock))
    }

    @Test func `a queue is there after the store was closed and opened, leases and postponement too`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            var (store, test) = try await open(directory, clock: clock)
            try await test.queue(1, to: "a@far.test", "b@near.test")
            let second = try await test.queue(2, to: "c@far.test", lane: "other")
            _ = try await test.claim("far.test", lane: "other")
            let later = test.now + .seconds(60)
            let outcome = QueueSettlement.Outcome.retry(at: later, reply: "451 4.3.0", hasDelayNotice: true)
            let attempt = DeliveryAttempt(at: test.now, duration: .seconds(1), destination: "far.test")
            try await test.settle(second, [(0, outcome)], attempt: attempt)
            _ = try await test.claim("near.test")
            try await store.postpone(destination: "far.test", until: test.now + .seconds(30))
            let (queued, ledger) = (try await store.queued(QueueQuery()), try await store.ledger())
            let (statistics, blobs) = (try await store.queueStatistics(), await store.verify().blobs)
            store.close()

            (store, test) = try await open(directory, clock: clock)
            #expect(try await store.queued(QueueQuery()) == queued)
            #expect(try await store.ledger() == ledger)
            #expect(try await store.queueStatistics() == statistics)
            #expect(try await store.nextDue(excluding: QueueExclusion()) == test.now + .seconds(30))
            #expect(try await store.dueLanes(now: test.now, excluding: QueueExclusion(), limit: 9) == [])
            #expect(try await store.records(RecordQuery(code: second)).first?.attempts == [attempt])
            try await store.endLeases(exceptOf: 1, now: test.now)
            #expect(try await test.claim("near.test").count == 1)
            let report = await store.verify()
            #expect(report.faults == [])
            #expect(report.blobs == blobs)
            #expect(report.unreferencedBlobs == 0)
            store.close()
        }
    }

    @Test func `the bytes of a message are free when its last recipient has gone`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, test) = try await open(directory, clock: TestClock())
            let account = try await test.makeAccount()
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            let kept = try test.outbound(
                2, [try test.recipient(0, "c@far.test")], text: "at home too", local: [(account, "INBOX")])
            _ = try await store.deliver(kept)
            _ = try await test.claim("far.test")
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))])
            #expect(await store.verify().unreferencedBlobs == 0)
            try await test.settle(code, [(1, .relayed(reply: "250 Ok"))])
            try await test.settle(kept.record.code, [(0, .relayed(reply: "250 Ok"))])
            let report = await store.verify()
            #expect(report.faults == [])
            #expect(report.blobs == 2)
            #expect(report.unreferencedBlobs == 1)
            store.close()
        }
    }

    @Test(arguments: [
        "UPDATE queue_lanes SET recipients = recipients + 1", "UPDATE queue_lanes SET next_due = next_due + 1",
        "UPDATE queue_lanes SET next_due = 0", "DELETE FROM queue_lanes", "DELETE FROM queue_messages",
        "DELETE FROM queue_recipients", "UPDATE queue_messages SET lane = 'another'",
        "INSERT INTO queue_lanes VALUES (0, 'ghost.test', 'x', 0, 0, 1)", "UPDATE blobs SET refs = refs + 1",
        "UPDATE ledger SET count = count + 1 WHERE entry = 'queued'",
        "UPDATE records SET relayed = relayed + 1",
    ])
    func `verification finds rows of the queue that do not fit`(damage: String) async throws {
        try await withTemporaryDirectory { directory in
            let (store, test) = try await open(directory, clock: TestClock())
            try await test.queue(1, to: "a@far.test", "b@near.test")
            try await test.queue(2, to: "a@far.test")
            #expect(await store.verify().faults == [])
            try await store.execute(damage)
            #expect(await store.verify().faultCount > 0)
            store.close()
        }
    }

    @Test func `a store from before the queue keeps its mail, records and ledger`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            var (store, test) = try await open(directory, clock: clock)
            let account = try await test.makeAccount()
            let message = try test.accepted("old mail", to: [(account, "INBOX")], number: 1)
            _ = try await store.deliver(message)
            for table in ["queue_messages", "queue_recipients", "queue_lanes", "attempts"] {
                try await store.execute("DROP TABLE \(table)")
            }
            for column in ["relayed", "bounced"] {
                try await store.execute("ALTER TABLE records DROP COLUMN \(column)")
            }
            try await store.execute("PRAGMA user_version = 1")
            store.close()

            (store, test) = try await open(directory, clock: clock)
            #expect(try await store.ledger().holds)
            #expect(try await store.records(RecordQuery(code: message.record.code)).first?.deliveries.count == 1)
            #expect(try await test.text(of: 1, in: try await test.inbox(of: account)) == "Delivered-To: 1\r\nold mail")
            let code = try await test.queue(2, to: "a@far.test")
            _ = try await test.claim("far.test")
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))])
            #expect(try await store.ledger().ledger[.relayed] == 1)
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    @Test func `an attempt of a message that outlived its record leaves nothing behind`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let (store, test) = try await open(directory, clock: clock)
            let code = try await test.queue(1, to: "a@far.test")
            clock.advance(by: .seconds(60))
            #expect(try await store.purgeRecords(before: clock.now()) == 1)
            _ = try await test.claim("far.test")
            let attempt = DeliveryAttempt(at: test.now, duration: .seconds(1), destination: "far.test")
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))], attempt: attempt)
            // The same code again has a record of its own, and no attempts.
            _ = try await store.deliver(
                try test.outbound(1, [try test.recipient(0, "a@far.test")]).withCode(code))
            #expect(try await store.records(RecordQuery(code: code)).first?.attempts == [])
            #expect(await store.verify().faults == [])
            store.close()
        }
    }

    /// Times of looks, of a claim, and of the end of dead processes' leases, each the best of several.
    private func times(
        messages: Int, _ directory: String
    ) async throws -> (look: Duration, next: Duration, claim: Duration, end: Duration) {
        let (store, test) = try await open(directory, clock: TestClock())
        defer { store.close() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<20 {
                group.addTask {
                    for code in stride(from: first, to: messages, by: 20) {
                        let recipients = try (0..<50).map { number in
                            try test.recipient(
                                number, "user\(code)@d\(number).test", due: test.now + .milliseconds(code % 7 - 6))
                        }
                        _ = try await store.deliver(
                            try test.outbound(UInt32(code + 1), recipients, lane: "lane \(code % 4)"))
                    }
                }
            }
            try await group.waitForAll()
        }
        let clock = ContinuousClock()
        var best = (
            look: Duration.seconds(9), next: Duration.seconds(9), claim: Duration.seconds(9), end: Duration.seconds(9)
        )
        var excluded = QueueExclusion()
        for round in 0..<15 {
            let lane = "lane \(round % 4)"
            let destination = "d\(round).test"
            best.look = min(
                best.look,
                try await clock.measure {
                    let lanes = try await store.dueLanes(now: test.now, excluding: excluded, limit: 20)
                    #expect(lanes.count == 20)
                })
            best.next = min(best.next, try await clock.measure { _ = try await store.nextDue(excluding: excluded) })
            best.end = min(
                best.end,
                try await clock.measure { try await store.endLeases(exceptOf: StoreUnderTest.owner, now: test.now) })
            excluded.destinations.insert(destination)
            best.claim = min(
                best.claim,
                try await clock.measure {
                    let owner = round % 2 == 0 ? StoreUnderTest.owner : 5
                    let claimed = try await test.claim(destination, lane: lane, messages: 2, owner: owner)
                    #expect(claimed.count == 2)
                })
        }
        #expect(try await store.ledger().holds)
        return best
    }

    @Test func `a claim and a look cost the same with 100,000 recipients as with 1,000`() async throws {
        try await withTemporaryDirectory { directory in
            let small = try await times(messages: 20, directory + "-small")
            let large = try await times(messages: 2_000, directory + "-large")
            #expect(large.look < small.look * 5, "look: \(small.look), then \(large.look)")
            #expect(large.next < small.next * 5, "next: \(small.next), then \(large.next)")
            #expect(large.claim < small.claim * 5, "claim: \(small.claim), then \(large.claim)")
            #expect(large.end < small.end * 5, "end of leases: \(small.end), then \(large.end)")
        }
    }
}

extension AcceptedMessage {
    fileprivate func withCode(_ code: LookupCode) -> AcceptedMessage {
        var message = self
        message.record.code = code
        message.outbound?.message.code = code
        return message
    }
}
