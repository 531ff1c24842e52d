internal import MailStore
internal import MartletCore
internal import Records

extension StoreConformance {
    static let delivery: [ConformanceCase] = [
        ConformanceCase("a delivery puts one copy into each mailbox, with the recipient's own prefix") { test in
            let anna = try await test.makeAccount("anna")
            let bob = try await test.makeAccount("bob")
            let results = try await test.store.deliver(
                try test.accepted(
                    "Subject: hello\r\n\r\nbody",
                    to: [(anna, "INBOX"), (bob, "Junk"), (anna, "Nowhere"), (AccountID(4_711), "INBOX")]))
            try expectEqual(
                results,
                [
                    .delivered(mailbox: "INBOX", uid: 1), .delivered(mailbox: "Junk", uid: 1),
                    .delivered(mailbox: "INBOX", uid: 2), .noSuchAccount,
                ])
            let key = try await test.inbox(of: anna)
            let expected = "Delivered-To: \(anna)\r\nSubject: hello\r\n\r\nbody"
            try expectEqual(try await test.text(of: 1, in: key), expected)
            let message = try await test.store.message(in: key, uid: 1)
            try expectEqual(message.size, expected.utf8.count)
            for range in [0..<5, 10..<40, 16..<17, 17..<20, 30..<900] {
                try expectEqual(
                    try await message.read(range),
                    Array(Array(expected.utf8)[range.clamped(to: 0..<expected.utf8.count)]))
            }
            let info = try await test.store.mailbox(key)
            try expectEqual([info.messages, info.unseen, Int(info.size)], [2, 2, 2 * expected.utf8.count])
            try expectEqual(test.store.account(anna)?.usedBytes, Int64(2 * expected.utf8.count))
            try expectEqual(try await test.store.index(of: key)[0].size, expected.utf8.count)
        },
        ConformanceCase("where the quota is asked, a recipient without room fails alone") { test in
            let small = try await test.makeAccount("small", quota: 30)
            let large = try await test.makeAccount("large")
            let text = String(repeating: "x", count: 40)
            let results = try await test.store.deliver(
                try test.accepted(text, to: [(small, "INBOX"), (large, "INBOX")], enforcesQuota: true))
            try expectEqual(results, [.overQuota, .delivered(mailbox: "INBOX", uid: 1)])
            let inbox = try await test.inbox(of: small)
            try expectEqual(try await test.store.mailbox(inbox).messages, 0)
            let accepted = try await test.store.deliver(try test.accepted(text, to: [(small, "INBOX")], number: 2))
            try expectEqual(accepted, [.delivered(mailbox: "INBOX", uid: 1)])
        },
        ConformanceCase("a large message streams through the spool and is read back") { test in
            let anna = try await test.makeAccount()
            let text = (0..<60_000).map { "line \($0)\r\n" }.joined()
            _ = try await test.store.deliver(try test.accepted(text, to: [(anna, "INBOX")]))
            let read = try await test.text(of: 1, in: try await test.inbox(of: anna))
            try expect(read == "Delivered-To: \(anna)\r\n" + text, "a large message came back changed")
        },
        ConformanceCase("a spool that is thrown away leaves nothing") { test in
            let spool = try test.store.makeSpool()
            let part = [UInt8](repeating: 65, count: 600_000)
            try part.withUnsafeBytes { try spool.append($0) }
            try expectEqual(spool.size, 600_000)
            spool.discard()
        },
    ]

    static let records: [ConformanceCase] = [
        ConformanceCase("the record of a delivery is found by code, message-id and addresses, with its deliveries") {
            test in
            guard let records = test.records else { return }
            let anna = try await test.makeAccount()
            let message = try test.accepted("text", to: [(anna, "INBOX")], number: 5, messageID: "<id-1@example.org>")
            _ = try await test.store.deliver(message)
            let queries = [
                RecordQuery(code: message.record.code), RecordQuery(messageID: "<id-1@example.org>"),
                RecordQuery(messageID: "id-1@example.org"),
                RecordQuery(address: "SENDER@example.org"), RecordQuery(address: "anna@example.test"),
                RecordQuery(kind: .message),
                RecordQuery(since: test.clock.now(), until: test.clock.now()), RecordQuery(outcome: .accept),
            ]
            for query in queries {
                let found = try await records.records(query)
                try expectEqual(found.map(\.code), [message.record.code])
                try expectEqual(
                    found.first?.deliveries,
                    [
                        Record.Delivery(
                            recipient: "Anna@example.test", finalAddress: "anna@example.test", mailbox: "INBOX", uid: 1,
                            outcome: .deliver)
                    ])
            }
            let misses = [
                RecordQuery(messageID: "<id-2@example.org>"), RecordQuery(address: "nobody@example.test"),
                RecordQuery(kind: .login),
                RecordQuery(since: test.clock.now() + .seconds(1)),
                RecordQuery(code: message.record.code, address: "nobody@example.test"),
            ]
            for query in misses { try expectEqual(try await records.records(query), []) }
        },
        ConformanceCase("records come newest first and no more than asked") { test in
            guard let records = test.records else { return }
            let anna = try await test.makeAccount()
            for number in 1...10 as ClosedRange<UInt32> {
                test.clock.advance(by: .seconds(1))
                _ = try await test.store.deliver(
                    try test.accepted("text \(number)", to: [(anna, "INBOX")], number: number))
            }
            let found = try await records.records(RecordQuery(limit: 4))
            try expectEqual(found.flatMap { $0.deliveries.map(\.uid) }, [10, 9, 8, 7])
            let byAddress = try await records.records(RecordQuery(address: "anna@example.test", limit: 3))
            try expectEqual(byAddress.flatMap { $0.deliveries.map(\.uid) }, [10, 9, 8])
            try expectEqual(try await records.records(RecordQuery(limit: 0)), [])
        },
        ConformanceCase("a refusal's record is there after the next commit, and stands for nothing in the ledger") {
            test in
            guard let records = test.records else { return }
            let anna = try await test.makeAccount()
            let refusal = Record(
                code: LookupCode(at: test.clock.now(), counter: 1), kind: .refusal, at: test.clock.now(),
                service: "smtp",
                peer: Record.Peer(address: "192.0.2.1"), recipients: ["nobody@example.test"],
                decisions: [Decision(check: "recipient", outcome: .refuse, summary: "Unknown.")], reply: "550 5.1.1")
            try await records.write(refusal)
            try await test.append(["x"], to: try await test.inbox(of: anna))
            try expectEqual(try await records.records(RecordQuery(address: "nobody@example.test")), [refusal])
            try expectEqual(try await records.records(RecordQuery(outcome: .refuse)).count, 1)
            let report = try await records.ledger()
            try expect(report.holds && report.ledger[.accepted] == 0, "\(report)")
        },
        ConformanceCase("the ledger counts each recipient, holds, and goes on holding when records are purged") {
            test in
            guard let records = test.records else { return }
            let anna = try await test.makeAccount("anna")
            let bob = try await test.makeAccount("bob")
            _ = try await test.store.deliver(
                try test.accepted("one", to: [(anna, "INBOX"), (bob, "INBOX")], number: 1))
            test.clock.advance(by: .seconds(3_600))
            _ = try await test.store.deliver(try test.accepted("two", to: [(anna, "INBOX")], number: 2))
            // Taken for two, and one account is gone: accounted for, not lost.
            _ = try await test.store.deliver(
                try test.accepted("three", to: [(anna, "INBOX"), (AccountID(99), "INBOX")], number: 3))
            // Nobody got it: nothing was taken.
            _ = try await test.store.deliver(try test.accepted("four", to: [(AccountID(99), "INBOX")], number: 4))
            var report = try await records.ledger()
            try expect(report.holds, "\(report)")
            try expectEqual(report.ledger[.accepted], 5)
            try expectEqual(report.ledger[.delivered], 4)
            try expectEqual(report.ledger[.discarded], 1)
            try expectEqual(try await records.purgeRecords(before: test.clock.now()), 1)
            try expectEqual(try await records.records(RecordQuery()).count, 2)
            try expectEqual(try await records.records(RecordQuery(address: "anna@example.test")).count, 2)
            report = try await records.ledger()
            try expect(report.holds, "\(report)")
            try expectEqual(report.ledger[.accepted], 5)
        },
    ]
}
