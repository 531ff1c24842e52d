internal import MailStore
internal import MartletCore
internal import Records

extension StoreConformance {
    static let queueing: [ConformanceCase] = [
        ConformanceCase("local copies and queued recipients are one commit, with record and ledger") { test in
            let anna = try await test.makeAccount()
            var first = try test.recipient(0, "bob@far.test")
            first.original = "list@example.test"
            first.originalRecipient = "rfc822;list@example.test"
            first.notify = [.success, .failure]
            first.reversePath = try test.address("srs0=x=y@example.test")
            first.deliveredTo = try test.address("list@example.test")
            let second = try test.recipient(1, "eve@other.test", from: nil)
            var message = try test.outbound(1, [first, second], text: "to all", local: [(anna, "INBOX")])
            message.outbound?.message.envelopeID = "QQ=314159"
            message.outbound?.message.returnContent = .headers
            message.outbound?.message.needsSMTPUTF8 = true
            message.outbound?.message.body = .sevenBit
            let outbound = try require(message.outbound, "outbound")
            let results = try await test.store.deliver(message)
            try expectEqual(results, [.delivered(mailbox: "INBOX", uid: 1)])

            try expectEqual(try await test.store.queued(QueueQuery()), [outbound])
            let content = try await test.store.content(of: outbound.message.blob).readAll()
            try expectEqual(String(decoding: content, as: UTF8.self), "to all")
            let text = try await test.text(of: 1, in: try await test.inbox(of: anna))
            try expectEqual(text, "Delivered-To: \(anna)\r\nto all")
            try expectEqual(try await test.ledger(), [.accepted: 3, .delivered: 1, .queued: 2])
            let record = try await test.records?.records(RecordQuery(code: message.record.code)).first
            try expectEqual(record?.deliveries.map(\.outcome), [.deliver, .queue, .queue])
            try expectEqual(
                record?.deliveries.map(\.finalAddress), ["anna@example.test", "bob@far.test", "eve@other.test"])
            try expectEqual(
                record?.deliveries.map(\.recipient), ["Anna@example.test", "list@example.test", "eve@other.test"])
            // An outside recipient finds the record too.
            try expectEqual(try await test.records?.records(RecordQuery(address: "BOB@far.test")).count, 1)
        },
        ConformanceCase("addresses of every shape come back as they were queued") { test in
            let addresses = [
                "bob@far.test", "\"a b\"@far.test", "\"a\\\"b@c\"@far.test", "ünser@far.test", "bob@[192.0.2.1]",
                "bob@[IPv6:2001:db8::1]", "a+b=c@xn--mnchen-3ya.test",
            ]
            var recipients = try addresses.enumerated().map { try test.recipient($0.offset, $0.element) }
            for index in recipients.indices {
                recipients[index].reversePath = recipients[index].address
                recipients[index].sender = index % 2 == 0 ? nil : recipients[index].address
                recipients[index].deliveredTo = recipients[index].address
                recipients[index].destination = "far.test"
                recipients[index].hasDelayNotice = index % 2 == 0
                recipients[index].attempts = index
                recipients[index].lastReply = index == 0 ? nil : "451 4.7.1 später \(index)"
            }
            _ = try await test.store.deliver(try test.outbound(1, recipients))
            try expectEqual(try await test.store.queued(QueueQuery()).first?.recipients, recipients)
            // All of them want another reverse path: one transaction each.
            let claimed = try await test.claim("far.test")
            try expectEqual(claimed.map { $0.recipients.map(\.address) }, recipients.map { [$0.address] })
        },
        ConformanceCase("what a rule leaves out is counted as discarded, and kept in the record when it was all") {
            test in
            let anna = try await test.makeAccount()
            var some = try test.outbound(1, [try test.recipient(0, "bob@far.test")], local: [(anna, "INBOX")])
            some.discarded = 2
            _ = try await test.store.deliver(some)
            try expectEqual(try await test.ledger(), [.accepted: 4, .delivered: 1, .queued: 1, .discarded: 2])
            for enforcesQuota in [false, true] {
                var all = try test.accepted("all", to: [], enforcesQuota: enforcesQuota, number: enforcesQuota ? 2 : 3)
                all.discarded = 1
                try expectEqual(try await test.store.deliver(all), [])
                guard let records = test.records else { continue }
                try expectEqual(try await records.records(RecordQuery(code: all.record.code)).count, 1)
            }
            try expectEqual(try await test.ledger(), [.accepted: 6, .delivered: 1, .queued: 1, .discarded: 4])
        },
        ConformanceCase("a message without outside recipients is not queued") { test in
            let anna = try await test.makeAccount()
            _ = try await test.store.deliver(try test.outbound(1, [], local: [(anna, "INBOX")]))
            try expectEqual(try await test.store.deliver(try test.outbound(2, [])), [])
            try expectEqual(try await test.store.queued(QueueQuery()), [])
            try expectEqual(try await test.store.queueStatistics().messages, 0)
            try expectEqual(try await test.ledger(), [.accepted: 1, .delivered: 1])
        },
        ConformanceCase("what is over quota at home is still queued for elsewhere") { test in
            let small = try await test.makeAccount("small", quota: 10)
            var message = try test.outbound(
                1, [try test.recipient(0, "bob@far.test")], text: String(repeating: "x", count: 40),
                local: [(small, "INBOX")])
            message.enforcesQuota = true
            try expectEqual(try await test.store.deliver(message), [.overQuota])
            try expectEqual(try await test.ledger(), [.accepted: 1, .queued: 1])
            try expectEqual(try await test.claim("far.test").map(\.brief), [[1, 0]])
        },
        ConformanceCase("equal bytes of two queued messages are there until both have gone") { test in
            let texts = try [UInt32(1), 2].map { code in
                try test.outbound(code, [try test.recipient(0, "bob@far.test")], text: "the same")
            }
            for message in texts { _ = try await test.store.deliver(message) }
            _ = try await test.claim("far.test")
            try await test.settle(texts[0].record.code, [(0, .relayed(reply: "250 Ok"))])
            let content = try await test.store.content(of: texts[1].content.blob).readAll()
            try expectEqual(String(decoding: content, as: UTF8.self), "the same")
        },
    ]

    static let claims: [ConformanceCase] = [
        ConformanceCase("a claim takes what is due in its lane, the longest due first") { test in
            let now = test.now
            try await test.queue(1, to: "a@far.test", due: now + .seconds(-10))
            try await test.queue(2, to: "b@far.test", due: now + .seconds(-30))
            try await test.queue(3, to: "c@far.test", due: now + .seconds(1))
            try await test.queue(4, to: "d@far.test", lane: "other", due: now + .seconds(-50))
            try await test.queue(5, to: "e@near.test", due: now + .seconds(-50))
            try await test.queue(6, to: "f@far.test", "g@near.test", due: now + .seconds(-20))
            let claimed = try await test.claim("far.test")
            try expectEqual(claimed.map(\.brief), [[2, 0], [6, 0], [1, 0]])
            try expect(claimed.allSatisfy { $0.recipients.allSatisfy { $0.state == .leased } }, "not leased")
            try expectEqual(try await test.claim("far.test"), [])
            try expectEqual(try await test.claim("far.test", lane: "other").map(\.brief), [[4, 0]])
            try expectEqual(try await test.claim("near.test").map(\.brief), [[5, 0], [6, 1]])
            test.clock.advance(by: .seconds(1))
            try expectEqual(try await test.claim("far.test").map(\.brief), [[3, 0]])
            try expectEqual(try await test.claim("nowhere.test"), [])
        },
        ConformanceCase("a claim keeps to its number of messages and recipients") { test in
            for code in 1...5 as ClosedRange<UInt32> {
                try await test.queue(code, to: "a@far.test", "b@far.test", "c@far.test")
            }
            try expectEqual(try await test.claim("far.test", messages: 2).map(\.brief), [[1, 0, 1, 2], [2, 0, 1, 2]])
            try expectEqual(
                try await test.claim("far.test", messages: 2, recipients: 2).map(\.brief), [[3, 0, 1], [4, 0, 1]])
            try expectEqual(
                try await test.claim("far.test", recipients: 2).map(\.brief), [[3, 2], [4, 2], [5, 0, 1]])
            try expectEqual(try await test.claim("far.test", recipients: 0), [])
            try expectEqual(try await test.claim("far.test", messages: 0), [])
            try expectEqual(try await test.claim("far.test").map(\.brief), [[5, 2]])
            try expectEqual(try await test.claim("far.test"), [])
        },
        ConformanceCase("several claims in one call do not take the same") { test in
            for code in 1...3 as ClosedRange<UInt32> { try await test.queue(code, to: "a@far.test", "b@near.test") }
            let claims = [
                test.request("far.test", messages: 2), test.request("near.test", messages: 1),
                test.request("far.test", messages: 2),
            ]
            try expectEqual(
                try await test.store.claim(claims, now: test.now).map(\.brief), [[1, 0], [2, 0], [1, 1], [3, 0]])
        },
        ConformanceCase("reverse paths and forwarding aliases are kept apart, and all of them are taken") { test in
            var recipients = try (0..<6).map { try test.recipient($0, "r\($0)@far.test") }
            recipients[1].reversePath = nil
            recipients[3].reversePath = try test.address("srs@example.test")
            recipients[4].deliveredTo = try test.address("list@example.test")
            recipients[5].reversePath = nil
            _ = try await test.store.deliver(try test.outbound(1, recipients))
            try await test.queue(2, to: "x@far.test")
            // Each counts as a message of the claim.
            try expectEqual(try await test.claim("far.test", messages: 2).map(\.brief), [[1, 0, 2], [1, 1, 5]])
            try expectEqual(try await test.claim("far.test", messages: 9).map(\.brief), [[1, 3], [1, 4], [2, 0]])
        },
        ConformanceCase("what has outlived its time is claimed though it is not due, in all lanes") { test in
            let later = test.now + .seconds(90_000)
            try await test.queue(1, to: "a@far.test", due: later, expiresAfter: .seconds(50))
            try await test.queue(2, to: "b@far.test", lane: "other", expiresAfter: .seconds(50))
            try await test.queue(3, to: "c@far.test", due: later, expiresAfter: .seconds(500))
            let held = try await test.queue(4, to: "d@far.test", expiresAfter: .seconds(50))
            let leased = try await test.queue(5, to: "e@far.test", lane: "third", expiresAfter: .seconds(50))
            try await test.queue(6, to: "f@near.test", expiresAfter: .seconds(50))
            try await test.queue(
                7, to: "g@far.test", "h@near.test", "i@far.test", due: later, expiresAfter: .seconds(60))
            _ = try await test.store.change(.hold, of: QueueQuery(code: held), now: test.now)
            try expectEqual(try await test.claim("far.test", lane: "third").map(\.message.code), [leased])
            try expectEqual(try await test.claim("far.test", lane: "", isForExpired: true), [])
            test.clock.advance(by: .seconds(60))
            let some = try await test.claim("far.test", lane: "", messages: 2, isForExpired: true)
            try expectEqual(some.map(\.brief), [[1, 0], [2, 0]])
            let rest = try await test.claim("far.test", lane: "", messages: 2, isForExpired: true)
            try expectEqual(rest.map(\.brief), [[7, 0, 2]])
            try expectEqual(try await test.claim("far.test", lane: "", messages: 2, isForExpired: true), [])
        },
        ConformanceCase("expired messages that are held do not keep others from being claimed") { test in
            for code in 1...30 as ClosedRange<UInt32> {
                try await test.queue(code, to: "a@far.test", expiresAfter: .seconds(9))
            }
            try expectEqual(try await test.store.change(.hold, of: QueueQuery(), now: test.now), 30)
            try await test.queue(31, to: "b@far.test", due: test.now + .seconds(99), expiresAfter: .seconds(9))
            test.clock.advance(by: .seconds(10))
            let claimed = try await test.claim("far.test", lane: "", messages: 3, isForExpired: true)
            try expectEqual(claimed.map(\.brief), [[31, 0]])
        },
        ConformanceCase("an administrator claims by name, due or not, held or not, and leaves out what is leased") {
            test in
            let later = test.now + .seconds(90_000)
            let first = try await test.queue(1, to: "a@far.test", "b@near.test", due: later)
            try await test.queue(2, to: "c@far.test")
            let third = try await test.queue(3, to: "d@far.test", due: later)
            _ = try await test.store.change(.hold, of: QueueQuery(code: third), now: test.now)
            try expectEqual(try await test.claim("far.test").map(\.brief), [[2, 0]])
            func claim(_ query: QueueQuery) async throws -> [[Int]] {
                try await test.store.claim(query, owner: -1, leaseUntil: test.now + .seconds(60), now: test.now).map(
                    \.brief)
            }
            try expectEqual(try await claim(QueueQuery(code: first)), [[1, 0, 1]])
            try expectEqual(try await claim(QueueQuery(destination: "far.test", limit: 1)), [[3, 0]])
            try expectEqual(try await claim(QueueQuery()), [])
            test.clock.advance(by: .seconds(60))
            try expectEqual(try await claim(QueueQuery(address: "B@NEAR.test")), [[1, 1]])
        },
    ]

    static let leases: [ConformanceCase] = [
        ConformanceCase("work can be leased with the commit that queues it") { test in
            var recipients = try [test.recipient(0, "a@far.test"), test.recipient(1, "b@near.test")]
            recipients[0].state = .leased
            var message = try test.outbound(1, recipients)
            let lease = AcceptedMessage.OutboundLease(owner: StoreUnderTest.owner, until: test.now + .seconds(60))
            message.outboundLease = lease
            _ = try await test.store.deliver(message)
            var without = try test.outbound(2, [recipients[0]])
            without.outbound?.message.lane = "other"
            _ = try await test.store.deliver(without)
            try expectEqual(
                try await test.store.queued(QueueQuery()).map { $0.recipients.map(\.state) },
                [[.leased, .waiting], [.waiting]])
            try expectEqual(
                try await test.due(), ["far.test from other", "near.test from anna@example.test"])
            try expectEqual(try await test.claim("far.test", owner: 5), [])
            try expectEqual(try await test.claim("near.test", owner: 5).map(\.brief), [[1, 1]])
            test.clock.advance(by: .seconds(60))
            try await test.settle(message.record.code, [(0, .relayed(reply: "250 Ok"))])
            try expectEqual(try await test.ledger(), [.accepted: 3, .queued: 2, .relayed: 1])
        },
        ConformanceCase("a lease ends by itself, and somebody else takes the work up") { test in
            let code = try await test.queue(1, to: "a@far.test")
            try expectEqual(try await test.claim("far.test", owner: 1, lease: .seconds(60)).count, 1)
            test.clock.advance(by: .seconds(59))
            try expectEqual(try await test.claim("far.test", owner: 2), [])
            test.clock.advance(by: .seconds(1))
            try expectEqual(try await test.due(), ["far.test from anna@example.test"])
            try expectEqual(try await test.claim("far.test", owner: 2).count, 1)
            // The first owner's word is too late, whatever it is.
            let lost = QueueLease(code: code, numbers: [0], owner: 1)
            try expectEqual(try await test.store.renew([lost], until: test.now + .seconds(900)), [])
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))], owner: 1)
            try expectEqual(try await test.ledger(), [.accepted: 1, .queued: 1])
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))], owner: 2)
            try expectEqual(try await test.ledger(), [.accepted: 1, .relayed: 1])
        },
        ConformanceCase("a lease is prolonged by its owner alone, and whole") { test in
            let first = try await test.queue(1, to: "a@far.test", "b@far.test")
            let second = try await test.queue(2, to: "c@far.test")
            _ = try await test.claim("far.test", lease: .seconds(60))
            let leases = [
                QueueLease(code: first, numbers: [0, 1], owner: StoreUnderTest.owner),
                QueueLease(code: second, numbers: [0], owner: 5),
                QueueLease(code: first, numbers: [0, 7], owner: StoreUnderTest.owner),
            ]
            try expectEqual(try await test.store.renew(leases, until: test.now + .seconds(300)), [leases[0]])
            test.clock.advance(by: .seconds(100))
            try expectEqual(try await test.claim("far.test", owner: 5).map(\.brief), [[2, 0]])
            test.clock.advance(by: .seconds(200))
            try expectEqual(try await test.claim("far.test", owner: 5).map(\.brief), [[1, 0, 1]])
            let one = QueueLease(code: first, numbers: [0], owner: StoreUnderTest.owner)
            try expectEqual(try await test.store.renew([one], until: test.now + .seconds(900)), [])
        },
        ConformanceCase("a lease that ran out and was not taken up is still its owner's") { test in
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.claim("far.test", lease: .seconds(60))
            test.clock.advance(by: .seconds(600))
            let lease = QueueLease(code: code, numbers: [0], owner: StoreUnderTest.owner)
            try expectEqual(try await test.store.renew([lease], until: test.now + .seconds(60)), [lease])
            try expectEqual(try await test.claim("far.test", owner: 5), [])
            test.clock.advance(by: .seconds(61))
            try await test.settle(code, [(0, .relayed(reply: "250 Ok"))])
            try expectEqual(try await test.ledger(), [.accepted: 1, .relayed: 1])
        },
        ConformanceCase("the leases of dead processes end at once, the living one's do not") { test in
            for code in 1...3 as ClosedRange<UInt32> { try await test.queue(code, to: "a@far.test") }
            try await test.queue(4, to: "a@near.test")
            _ = try await test.claim("far.test", messages: 1, owner: 1)
            _ = try await test.claim("far.test", messages: 1, owner: 2)
            _ = try await test.claim("near.test", owner: 3)
            test.clock.advance(by: .seconds(1))
            try await test.store.endLeases(exceptOf: 2, now: test.now)
            try expectEqual(try await test.store.queued(QueueQuery(state: .leased)).map(\.brief), [[2, 0]])
            try expectEqual(try await test.claim("far.test", owner: 9).map(\.brief), [[3, 0], [1, 0]])
            try expectEqual(try await test.due(), ["near.test from anna@example.test"])
            try expectEqual(
                try await test.store.queued(QueueQuery(destination: "near.test")).first?.recipients.first?.attempts, 0)
        },
    ]
}
