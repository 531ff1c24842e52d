internal import MailStore
internal import MartletCore

extension StoreConformance {
    static let messages: [ConformanceCase] = [
        ConformanceCase("appended messages get ascending UIDs, one MODSEQ, and are counted") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            let before = try await test.store.mailbox(key)
            let messages = [
                try test.message("first"),
                try test.message("second one", flags: NamedFlags(system: [.seen, .deleted], keywords: ["$Label1"])),
            ]
            let result = try await test.store.append(messages, to: key)
            try expectEqual(result, AppendResult(uidValidity: before.uidValidity, uids: [1, 2]))
            let info = try await test.store.mailbox(key)
            try expectEqual([info.messages, info.unseen, info.deleted, Int(info.size)], [2, 1, 1, 15])
            try expectEqual(info.uidNext, 3)
            try expectEqual(info.keywords, ["$Label1"])
            try expectEqual(info.highestModSeq, ModSeq(before.highestModSeq.value + 1))
            let index = try await test.store.index(of: key)
            try expectEqual(index.uids, [1, 2])
            try expectEqual(index.sizes, [5, 10])
            try expectEqual(index[1].flags, [.seen, .deleted, .keyword(0)])
            try expectEqual(index[0].internalDate, test.clock.now())
            try expectEqual(index.modSeqs, [info.highestModSeq.value, info.highestModSeq.value])
            let account2 = try require(test.store.account(account), "account")
            try expectEqual([account2.usedMessages, account2.usedBytes], [2, 15])
        },
        ConformanceCase("a message is read back, whole and in any part") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            // Sizes around a checksum's chunk and the spool's threshold, so that each way of storing is taken.
            for size in [0, 1, 7, 8, 4_096, 65_535, 65_536, 65_537, 131_072, 131_073, 262_145, 1_000_003] {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                let uid = try require(
                    try await test.store.append([try test.message(bytes: bytes)], to: key).uids.first, "UID")
                let message = try await test.store.message(in: key, uid: uid)
                try expectEqual(message.size, size)
                try expect(try await message.readAll() == bytes, "\(size) octets came back changed")
                for range in [
                    0..<1, 1..<5, 65_530..<65_540, size - 3..<size + 10, size / 2..<size / 2 + 70_000, size..<size,
                    size + 5..<size + 9,
                ]
                where range.lowerBound >= 0 {
                    let part = try await message.read(range)
                    try expect(
                        part == Array(bytes[range.clamped(to: 0..<size)]), "octets \(range) of \(size) are wrong")
                }
            }
        },
        ConformanceCase("equal bytes can be stored again and again, and each message goes alone") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            let uids = try await test.append(["same", "same", "other", "same"], to: key)
            _ = try await test.append(["same"], to: key)
            _ = try await test.store.remove(in: key, uids: Array(uids.prefix(2)))
            try expectEqual(try await test.text(of: 4, in: key), "same")
            try expectEqual(try await test.text(of: 5, in: key), "same")
        },
        ConformanceCase("an append that breaks a limit appends nothing") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            let before = try await test.store.mailbox(key)
            let long = NamedFlags(keywords: ["fine", String(repeating: "k", count: 256)])
            let messages = [try test.message("one"), try test.message("two", flags: long)]
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                _ = try await test.store.append(messages, to: key)
            }
            try expectEqual(try await test.store.mailbox(key), before)
        },
        ConformanceCase("flags are added, removed and replaced; only what changes gets a new MODSEQ") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a", "b", "c"], to: key)
            let appended = try await test.store.mailbox(key).highestModSeq
            let first = try await test.store.changeFlags(
                in: key, uids: [3, 1, 1, 99], .add(NamedFlags(system: [.seen, .flagged], keywords: ["Todo"])),
                unchangedSince: nil)
            try expectEqual(first.messages.map(\.uid), [1, 3])
            try expectEqual(
                first.messages.map(\.flags), [[.seen, .flagged, .keyword(0)], [.seen, .flagged, .keyword(0)]])
            try expectEqual(first.keywords, ["Todo"])
            try expect(
                first.messages.allSatisfy { $0.modSeq == first.highestModSeq }, "changed messages have the new MODSEQ")
            let second = try await test.store.changeFlags(
                in: key, uids: [1, 2, 3], .add(NamedFlags(system: .seen, keywords: ["TODO"])), unchangedSince: nil)
            try expectEqual(
                second.messages.map(\.modSeq), [first.highestModSeq, second.highestModSeq, first.highestModSeq])
            try expectEqual(
                second.previousModSeqs, [first.highestModSeq, appended, first.highestModSeq])
            try expectEqual([first.raisedModSeq, second.raisedModSeq], [true, true])
            let third = try await test.store.changeFlags(
                in: key, uids: [1, 2, 3], .add(NamedFlags(system: .seen)), unchangedSince: nil)
            try expectEqual(third.highestModSeq, second.highestModSeq)
            try expectEqual(third.raisedModSeq, false)
            try expectEqual(third.previousModSeqs, third.messages.map(\.modSeq))
            let removed = try await test.store.changeFlags(
                in: key, uids: [1], .remove(NamedFlags(system: .seen, keywords: ["todo", "unknown"])),
                unchangedSince: nil)
            try expectEqual(removed.messages.map(\.flags), [.flagged])
            let replaced = try await test.store.changeFlags(
                in: key, uids: [1], .replace(NamedFlags(system: .draft)), unchangedSince: nil)
            try expectEqual(replaced.messages.map(\.flags), [.draft])
            try await test.checkInvariants(of: key)
        },
        ConformanceCase("UNCHANGEDSINCE leaves alone what changed later, and names it") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a", "b"], to: key)
            let known = try await test.store.mailbox(key).highestModSeq
            _ = try await test.store.changeFlags(
                in: key, uids: [1], .add(NamedFlags(system: .seen)), unchangedSince: nil)
            let result = try await test.store.changeFlags(
                in: key, uids: [1, 2], .add(NamedFlags(system: .deleted)), unchangedSince: known)
            try expectEqual(result.modified, [1])
            try expectEqual(result.messages.map(\.uid), [2])
            try expectEqual(try await test.store.index(of: key).flags, [Flags.seen.rawValue, Flags.deleted.rawValue])
        },
        ConformanceCase("a mailbox has 58 keywords and not one more") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a"], to: key)
            let all = (0..<58).map { "k\($0)" }
            let result = try await test.store.changeFlags(
                in: key, uids: [1], .add(NamedFlags(keywords: all)), unchangedSince: nil)
            try expectEqual(result.messages.first?.flags.keywordIndices, Array(0..<58))
            try await expectError("limit", { if case .limit = $0 { true } else { false } }) {
                _ = try await test.store.changeFlags(
                    in: key, uids: [1], .add(NamedFlags(keywords: ["more"])), unchangedSince: nil)
            }
            try await test.checkInvariants(of: key)
        },
        ConformanceCase("a change of flags that changes nothing adds no keyword and raises no MODSEQ") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a"], to: key)
            let before = try await test.store.mailbox(key)
            for operation in [
                FlagOperation.add(NamedFlags(keywords: ["new"])), .replace(NamedFlags(keywords: ["new"])),
                .remove(NamedFlags(system: .seen, keywords: ["new"])),
            ] {
                let missing = try await test.store.changeFlags(in: key, uids: [9], operation, unchangedSince: nil)
                let conditional = try await test.store.changeFlags(
                    in: key, uids: [1], operation, unchangedSince: ModSeq(0))
                for result in [missing, conditional] {
                    try expectEqual(result.raisedModSeq, false)
                    try expectEqual(result.highestModSeq, before.highestModSeq)
                    try expectEqual(result.keywords, [])
                }
            }
            try expectEqual(try await test.store.mailbox(key), before)
        },
        ConformanceCase("when all keywords are taken, the place of one that no message has goes to a new one") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            try await test.append(["a", "b", "c"], to: key)
            func change(_ uid: UInt32, _ operation: FlagOperation) async throws -> FlagChangeResult {
                try await test.store.changeFlags(in: key, uids: [uid], operation, unchangedSince: nil)
            }
            func names(_ uid: UInt32, in key: MailboxKey) async throws -> Set<String> {
                let index = try await test.store.index(of: key)
                let place = try require(index.position(of: uid), "message \(uid)")
                return Set(index[place].flags.keywordIndices.map { index.keywords[$0] })
            }
            _ = try await change(1, .add(NamedFlags(keywords: (0..<58).map { "k\($0)" })))
            _ = try await change(2, .add(NamedFlags(keywords: ["k3"])))
            _ = try await change(1, .remove(NamedFlags(keywords: ["k3", "k4", "k5"])))
            // k4 is known and free: it keeps its place when it is asked for along with a new one.
            let result = try await change(3, .add(NamedFlags(keywords: ["new", "K4"])))
            try expectEqual(result.keywords.count, 58)
            try expectEqual(try await names(3, in: key), ["k4", "new"])
            try expectEqual(try await names(2, in: key), ["k3"])
            try expect(!result.keywords.contains("k5"), "k5 is still there")
            try expectEqual(try await test.store.mailbox(key).keywords, result.keywords)
            // Full now: STORE fails, messages come without the keyword.
            try await expectError("limit", { if case .limit = $0 { true } else { false } }) {
                _ = try await change(3, .add(NamedFlags(keywords: ["newer"])))
            }
            let appended = try await test.append(
                ["d"], to: key, flags: NamedFlags(system: .seen, keywords: ["newer", "k1"]))
            try expectEqual(try await names(appended[0], in: key), ["k1"])
            let other = try await test.store.mailbox(named: "Archive", of: account).key
            let foreign = try await test.append(
                ["e", "f"], to: other, flags: NamedFlags(system: .flagged, keywords: ["foreign", "k2"]))
            let copied = try await test.store.copy(from: other, uids: [foreign[0]], to: key).destinationUIDs
            let moved = try await test.store.move(from: other, uids: [foreign[1]], to: key).destinationUIDs
            for uid in copied + moved {
                try expectEqual(try await names(uid, in: key), ["k2"])
            }
            // A message that can be brought back keeps its keywords.
            _ = try await change(3, .replace(NamedFlags()))
            let last = try await change(2, .add(NamedFlags(keywords: ["newer"])))
            try expect(last.keywords.contains("newer"), "no place was given back")
            _ = try await test.store.remove(in: key, uids: [2])
            _ = try await change(1, .add(NamedFlags(keywords: ["last"])))
            let gone = try await test.store.expunged(of: account, limit: 1)
            try expectEqual(try await test.store.undelete(gone, of: account), 1)
            let back = try await test.store.mailbox(key).uidNext - 1
            try expectEqual(try await names(back, in: key), ["k3", "newer"])
            try await test.checkInvariants(of: key)
        },
        ConformanceCase("a copy has the content, flags, keywords and date of its original") { test in
            let account = try await test.makeAccount()
            let source = try await test.inbox(of: account)
            let target = try await test.store.mailbox(named: "Archive", of: account)
            try await test.append(["x"], to: target.key, flags: NamedFlags(keywords: ["Other"]))
            try await test.append(
                ["one", "two", "three"], to: source, flags: NamedFlags(system: .flagged, keywords: ["Work"]))
            let date = test.clock.now()
            test.clock.advance(by: .seconds(60))
            let result = try await test.store.copy(from: source, uids: [3, 1, 50], to: target.key)
            try expectEqual(
                result, CopyResult(uidValidity: target.uidValidity, sourceUIDs: [1, 3], destinationUIDs: [2, 3]))
            let index = try await test.store.index(of: target.key)
            try expectEqual(index.keywords, ["Other", "Work"])
            try expectEqual(index[1].flags, [.flagged, .keyword(1)])
            try expectEqual(index[1].internalDate, date)
            try expectEqual(try await test.text(of: 3, in: target.key), "three")
            try expectEqual(try await test.store.summaries(in: target.key, uids: [3]).map(\.summary.subject), ["three"])
            try expectEqual(try await test.store.index(of: source).uids, [1, 2, 3])
            try expectEqual(test.store.account(account)?.usedMessages, 6)
            try await test.checkInvariants(of: target.key)
        },
        ConformanceCase("a move takes messages away there and puts them here, also within one mailbox") { test in
            let account = try await test.makeAccount()
            let source = try await test.inbox(of: account)
            let target = try await test.store.mailbox(named: "Trash", of: account)
            try await test.append(
                ["one", "two", "three"], to: source, flags: NamedFlags(system: .seen, keywords: ["Work"]))
            let before = try await test.store.mailbox(source).highestModSeq
            let result = try await test.store.move(from: source, uids: [2, 3], to: target.key)
            try expectEqual(result.sourceUIDs, [2, 3])
            try expectEqual(result.destinationUIDs, [1, 2])
            try expectEqual(try await test.store.index(of: source).uids, [1])
            try expectEqual(try await test.text(of: 1, in: target.key), "two")
            try expectEqual(try await test.store.changes(in: source, since: before, knownUIDNext: 4).vanished, [2, 3])
            try await expectError(.noSuchMessage) { _ = try await test.store.message(in: source, uid: 2) }
            let within = try await test.store.move(from: source, uids: [1], to: source)
            try expectEqual(within.destinationUIDs, [4])
            try expectEqual(try await test.text(of: 4, in: source), "one")
            try expectEqual(test.store.account(account)?.usedMessages, 3)
            try expectEqual(try await test.store.expunged(of: account, limit: 10).count, 0)
            try await test.checkInvariants(of: source)
            try await test.checkInvariants(of: target.key)
        },
        ConformanceCase("several messages are read at once, in the order asked for, absent ones left out") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            try await test.append(["one", "two", "three"], to: key)
            _ = try await test.store.remove(in: key, uids: [2])
            var texts: [String] = []
            for (uid, message) in try await test.store.messages(in: key, uids: [3, 2, 1, 9]) {
                texts.append("\(uid) " + String(decoding: try await message.readAll(), as: UTF8.self))
            }
            try expectEqual(texts, ["3 three", "1 one"])
        },
        ConformanceCase("EXPUNGE removes what is marked, within the UIDs that are named") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            try await test.append(["a", "b", "c", "d"], to: key)
            _ = try await test.store.changeFlags(
                in: key, uids: [1, 2, 4], .add(NamedFlags(system: .deleted)), unchangedSince: nil)
            try expectEqual(try await test.store.expunge(in: key, uids: [2, 3]).uids, [2])
            let rest = try await test.store.expunge(in: key, uids: nil)
            try expectEqual(rest.uids, [1, 4])
            try expectEqual(rest.highestModSeq, try await test.store.mailbox(key).highestModSeq)
            let nothing = try await test.store.expunge(in: key, uids: nil)
            try expectEqual(nothing, ExpungeResult(uids: [], highestModSeq: rest.highestModSeq))
            try expectEqual(try await test.store.remove(in: key, uids: [3, 7]).uids, [3])
            try await expectError(.noSuchMessage) { _ = try await test.store.message(in: key, uid: 3) }
            try expectEqual(try await test.store.summaries(in: key, uids: [1, 2, 3, 4]).count, 0)
            try await test.checkInvariants(of: key)
            try expectEqual(try await test.append(["e"], to: key), [5])
        },
        ConformanceCase("expunged messages are listed newest first and come back with new UIDs") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            try await test.append(
                ["first", "second"], to: key, flags: NamedFlags(system: [.flagged, .deleted], keywords: ["Work"]))
            _ = try await test.store.expunge(in: key, uids: [1])
            test.clock.advance(by: .seconds(5))
            _ = try await test.store.expunge(in: key, uids: [2])
            let gone = try await test.store.expunged(of: account, limit: 10)
            try expectEqual(gone.map(\.subject), ["second", "first"])
            try expectEqual(gone.map(\.uid), [2, 1])
            try expectEqual(gone.first?.mailboxName, "INBOX")
            try expectEqual(try await test.store.expunged(of: account, limit: 1).count, 1)
            try expectEqual(try await test.store.undelete([gone[1]], of: account), 1)
            let index = try await test.store.index(of: key)
            try expectEqual(index.uids, [3])
            try expectEqual(index[0].flags, [.flagged, .keyword(0)])
            try expectEqual(try await test.text(of: 3, in: key), "first")
            try expectEqual(try await test.store.summaries(in: key, uids: [3]).map(\.summary.subject), ["first"])
            try expectEqual(try await test.store.undelete([gone[1]], of: account), 0)
            try expectEqual(try await test.store.expunged(of: account, limit: 10).map(\.uid), [2])
            try await test.checkInvariants(of: key)
        },
        ConformanceCase("what comes back to a mailbox that is gone comes to INBOX") { test in
            let account = try await test.makeAccount()
            let other = try await test.store.createMailbox(named: "Gone", of: account, use: nil)
            try await test.append(["text"], to: other.key)
            _ = try await test.store.remove(in: other.key, uids: [1])
            let gone = try await test.store.expunged(of: account, limit: 10)
            try await test.store.deleteMailbox(named: "Gone", of: account)
            try expectEqual(try await test.store.undelete(gone, of: account), 1)
            try expectEqual(try await test.text(of: 1, in: try await test.inbox(of: account)), "text")
        },
        ConformanceCase("summaries come in the order that was asked for, without those that are absent") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a", "b", "c"], to: key)
            let found = try await test.store.summaries(in: key, uids: [3, 9, 1])
            try expectEqual(found.map(\.uid), [3, 1])
            try expectEqual(found.map(\.summary), [StoreUnderTest.summary("c"), StoreUnderTest.summary("a")])
        },
        ConformanceCase("a scan goes through all summaries of its range in order, and ends when it is told") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            let messages = try (1...700).map { try test.message("number \($0)") }
            _ = try await test.store.append(messages, to: key)
            _ = try await test.store.remove(in: key, uids: [5, 600])
            let all = Collected()
            try await test.store.scanSummaries(in: key, range: 3...650) { all.add($0.map(\.uid)) }
            try expectEqual(all.uids, (3...650).filter { $0 != 5 && $0 != 600 }.map { UInt32($0) })
            let some = Collected(limit: 1)
            try await test.store.scanSummaries(in: key, range: 1...UInt32.max) { some.add($0.map(\.uid)) }
            try expect(!some.uids.isEmpty && some.uids.count < 698, "the scan did not end after one batch")
        },
        ConformanceCase("over quota nothing is appended or copied") { test in
            let account = try await test.makeAccount("small", quota: 10)
            let key = try await test.inbox(of: account)
            try await test.append(["12345678"], to: key)
            try await expectError(.overQuota) { _ = try await test.append(["123"], to: key) }
            try await expectError(.overQuota) { _ = try await test.store.copy(from: key, uids: [1], to: key) }
            try expectEqual(try await test.append(["12"], to: key), [2])
            _ = try await test.store.remove(in: key, uids: [1])
            try expectEqual(try await test.append(["12345678"], to: key), [3])
            try expectEqual(test.store.account(account)?.usedBytes, 10)
        },
    ]
}
