internal import MailStore
internal import MartletCore
internal import Records

extension StoreConformance {
    private static func attempt(_ test: StoreUnderTest, _ outcome: DeliveryAttempt.Recipient.Outcome) -> DeliveryAttempt
    {
        DeliveryAttempt(
            at: test.now, duration: .milliseconds(120), destination: "far.test", host: "mx.far.test",
            address: "192.0.2.9", tls: TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"),
            decisions: [Decision(check: "route", outcome: .pass, summary: "One MX.")],
            transcript: ["< 220 mx.far.test", "> EHLO one.test"],
            recipients: [.init(address: "a@far.test", outcome: outcome, reply: "a reply")])
    }

    static let settlements: [ConformanceCase] = [
        ConformanceCase("a recipient that was relayed is gone, and the message with its last one") { test in
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            let blob = try require(try await test.claim("far.test").first?.message.blob, "delivery")
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))], attempt: attempt(test, .relayed))
            try expectEqual(try await test.ledger(), [.accepted: 2, .queued: 1, .relayed: 1])
            try expectEqual(try await test.store.queued(QueueQuery()).map(\.brief), [[1, 1]])
            _ = try await test.store.content(of: blob).readAll()
            test.clock.advance(by: .seconds(1))
            try await test.settle(code, [(1, .relayed(reply: "250 Ok"))], attempt: attempt(test, .relayed))
            try expectEqual(try await test.ledger(), [.accepted: 2, .relayed: 2])
            try expectEqual(try await test.store.queued(QueueQuery()), [])
            let statistics = try await test.store.queueStatistics()
            try expectEqual(
                statistics,
                QueueStatistics(messages: 0, recipients: 0, held: 0, oldest: nil, destinations: []))
            let record = try await test.records?.records(RecordQuery(code: code)).first
            try expectEqual(record?.attempts.map(\.at), [test.now + .seconds(-1), test.now])
            try expectEqual(record?.attempts.last, attempt(test, .relayed))
        },
        ConformanceCase("a failure's notice reaches its sender's mailbox in the same commit") { test in
            let anna = try await test.makeAccount()
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.claim("far.test")
            let notice = try test.accepted("Subject: failed", to: [(anna, "INBOX")], number: 2)
            try await test.settle(
                code, [(0, .failed(reply: "550 5.1.1 no such user"))], attempt: attempt(test, .failed),
                notices: [notice])
            try expectEqual(try await test.ledger(), [.accepted: 2, .delivered: 1, .bounced: 1])
            let text = try await test.text(of: 1, in: try await test.inbox(of: anna))
            try expectEqual(text, "Delivered-To: \(anna)\r\nSubject: failed")
            try expectEqual(try await test.records?.records(RecordQuery()).count, 2)
        },
        ConformanceCase("a notice to somebody elsewhere is queued in the same commit") { test in
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.claim("far.test")
            let back = try test.recipient(0, "sender@origin.test", from: nil)
            let notice = try test.outbound(2, [back], lane: "<>", text: "Subject: failed")
            try await test.settle(code, [(0, .failed(reply: "550 5.1.1"))], notices: [notice])
            try expectEqual(try await test.ledger(), [.accepted: 2, .queued: 1, .bounced: 1])
            try expectEqual(try await test.due(), ["origin.test from <>"])
            let claimed = try await test.claim("origin.test", lane: "<>")
            try expectEqual(claimed.map(\.brief), [[2, 0]])
            try expectEqual(claimed.first?.recipients.first?.reversePath, nil)
            let content = try await test.store.content(of: notice.content.blob).readAll()
            try expectEqual(String(decoding: content, as: UTF8.self), "Subject: failed")
        },
        ConformanceCase("a failure that nobody is told of is discarded by a rule") { test in
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.claim("far.test")
            try await test.settle(code, [(0, .discarded(reply: "550 5.1.1", rule: "NOTIFY=NEVER"))])
            try expectEqual(try await test.ledger(), [.accepted: 1, .discarded: 1])
            try expectEqual(try await test.store.queued(QueueQuery()), [])
        },
        ConformanceCase("a retry waits for its time, with count, reply and what was told") { test in
            let code = try await test.queue(1, to: "a@far.test")
            let next = test.now + .seconds(300)
            for round in 1...3 {
                try expectEqual(try await test.claim("far.test").first?.recipients.first?.attempts, round - 1)
                let outcome = QueueSettlement.Outcome.retry(
                    at: test.now + .seconds(300), reply: "451 4.3.0 round \(round)", hasDelayNotice: round == 3)
                try await test.settle(code, [(0, outcome)], attempt: attempt(test, .delayed))
                if round == 1 {
                    try expectEqual(try await test.store.nextDue(excluding: QueueExclusion()), next)
                    try expectEqual(try await test.due(), [])
                    try expectEqual(try await test.claim("far.test"), [])
                }
                test.clock.advance(by: .seconds(300))
            }
            let recipient = try await test.store.queued(QueueQuery()).first?.recipients.first
            try expectEqual(recipient?.attempts, 3)
            try expectEqual(recipient?.lastReply, "451 4.3.0 round 3")
            try expectEqual(recipient?.hasDelayNotice, true)
            try expectEqual(recipient?.state, .waiting)
            try expectEqual(recipient?.nextAttempt, test.now)
            try expectEqual(try await test.ledger(), [.accepted: 1, .queued: 1])
            try expectEqual(try await test.records?.records(RecordQuery(code: code)).first?.attempts.count, 3)
        },
        ConformanceCase("what was not tried goes back as if it had not been leased") { test in
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.claim("far.test")
            try await test.settle(code, [(0, .returned(at: test.now + .seconds(5)))])
            let recipient = try await test.store.queued(QueueQuery()).first?.recipients.first
            try expectEqual(recipient?.attempts, 0)
            try expectEqual(recipient?.lastReply, nil)
            try expectEqual(try await test.claim("far.test"), [])
            test.clock.advance(by: .seconds(5))
            try expectEqual(try await test.claim("far.test").map(\.brief), [[1, 0]])
        },
        ConformanceCase("each recipient of one attempt has its own end") { test in
            let anna = try await test.makeAccount()
            let code = try await test.queue(
                1, to: "a@far.test", "b@far.test", "c@far.test", "d@far.test", "e@far.test", "f@near.test")
            _ = try await test.claim("far.test")
            let later = test.now + .seconds(60)
            try await test.settle(
                code,
                [
                    (0, .relayed(reply: "250 Ok")), (1, .failed(reply: "550 5.1.1")),
                    (2, .retry(at: later, reply: "450 4.2.1", hasDelayNotice: false)),
                    (3, .discarded(reply: "550", rule: "null sender")), (4, .returned(at: later)),
                ], notices: [try test.accepted("failed", to: [(anna, "INBOX")], number: 2)])
            try expectEqual(
                try await test.ledger(),
                [.accepted: 7, .delivered: 1, .relayed: 1, .bounced: 1, .discarded: 1, .queued: 3])
            test.clock.advance(by: .seconds(60))
            try expectEqual(try await test.claim("far.test").map(\.brief), [[1, 2, 4]])
            try expectEqual(try await test.claim("near.test").map(\.brief), [[1, 5]])
        },
        ConformanceCase("a settlement of which one lease is lost is left out whole, with its notices") { test in
            let anna = try await test.makeAccount()
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            let other = try await test.queue(2, to: "c@near.test")
            _ = try await test.claim("far.test", lease: .seconds(10))
            _ = try await test.claim("near.test", lease: .seconds(900))
            test.clock.advance(by: .seconds(11))
            try expectEqual(try await test.claim("far.test", recipients: 1, owner: 5).map(\.brief), [[1, 0]])
            let notice = try test.accepted("failed", to: [(anna, "INBOX")], number: 3)
            let lost = QueueSettlement(
                code: code, outcomes: [(1, .relayed(reply: "250 Ok")), (0, .failed(reply: "550"))],
                attempt: attempt(test, .failed), notices: [notice])
            let kept = QueueSettlement(code: other, outcomes: [(0, .relayed(reply: "250 Ok"))], attempt: nil)
            try await test.store.settle([lost, kept], owner: StoreUnderTest.owner)
            try expectEqual(try await test.ledger(), [.accepted: 3, .queued: 2, .relayed: 1])
            try expectEqual(try await test.store.mailbox(try await test.inbox(of: anna)).messages, 0)
            try expectEqual(try await test.store.queued(QueueQuery()).map(\.brief), [[1, 0, 1]])
            try expectEqual(try await test.records?.records(RecordQuery(code: code)).first?.attempts, [])
        },
        ConformanceCase("a settlement that was made already is left out") { test in
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            _ = try await test.claim("far.test")
            for _ in 0..<2 { try await test.settle(code, [(0, .relayed(reply: "250 Ok"))]) }
            try await test.settle(code, [(1, .relayed(reply: "250 Ok")), (1, .relayed(reply: "250 Ok"))])
            try expectEqual(try await test.ledger(), [.accepted: 2, .relayed: 2])
        },
        ConformanceCase("without an owner nothing is asked: an administrator's word ends what is there") { test in
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            _ = try await test.claim("far.test", recipients: 1)
            try await test.settle(
                code,
                [0, 1, 9].map { ($0, .discarded(reply: "cancelled", rule: "cancelled")) }, owner: 0)
            try expectEqual(try await test.ledger(), [.accepted: 2, .discarded: 2])
            try expectEqual(try await test.store.queued(QueueQuery()), [])
        },
        ConformanceCase("the ledger holds when a message outlives its record") { test in
            guard let records = test.records else { return }
            let code = try await test.queue(1, to: "a@far.test", "b@far.test", "c@far.test", "d@far.test")
            _ = try await test.claim("far.test")
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))], attempt: attempt(test, .relayed))
            test.clock.advance(by: .seconds(60))
            try expectEqual(try await records.purgeRecords(before: test.now), 1)
            try expectEqual(try await test.ledger(), [.accepted: 4, .queued: 3, .relayed: 1])
            // The first failure ever: the ledger has no such entry yet.
            try await test.settle(
                code, [(1, .failed(reply: "550")), (2, .discarded(reply: "550", rule: "NOTIFY=NEVER"))],
                attempt: attempt(test, .failed))
            try expectEqual(
                try await test.ledger(), [.accepted: 4, .queued: 1, .relayed: 1, .bounced: 1, .discarded: 1])
            try await test.settle(code, [(3, .relayed(reply: "250 Ok"))])
            try expectEqual(try await test.ledger(), [.accepted: 4, .relayed: 2, .bounced: 1, .discarded: 1])
            try expectEqual(try await records.records(RecordQuery(code: code)), [])
        },
        ConformanceCase("a record is purged with its attempts and what became of its recipients stays counted") {
            test in
            guard let records = test.records else { return }
            let code = try await test.queue(1, to: "a@far.test", "b@far.test")
            _ = try await test.claim("far.test")
            try await test.settle(
                code, [(0, .relayed(reply: "250 Ok")), (1, .failed(reply: "550"))], attempt: attempt(test, .relayed))
            test.clock.advance(by: .seconds(60))
            try expectEqual(try await records.purgeRecords(before: test.now), 1)
            try expectEqual(try await test.ledger(), [.accepted: 2, .relayed: 1, .bounced: 1])
        },
    ]
}
