internal import MailStore
internal import MartletCore

extension StoreConformance {
    static let mailboxes: [ConformanceCase] = [
        ConformanceCase("a new account has the standard mailboxes, INBOX first, all subscribed") { test in
            let account = try await test.makeAccount()
            let all = try await test.store.mailboxes(of: account)
            try expectEqual(all.first?.name, "INBOX")
            try expectEqual(all.map(\.name), ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"])
            try expectEqual(Set(all.compactMap(\.specialUse)), [.archive, .drafts, .junk, .sent, .trash])
            for info in all {
                try expect(info.subscribed, "\(info.name) is not subscribed")
                try expectEqual(info.uidNext, 1)
                try expect(
                    info.uidValidity > 0 && info.highestModSeq.value > 0, "UIDVALIDITY and MODSEQ begin at 1 or above")
                try expectEqual([info.messages, info.unseen, info.deleted, Int(info.size)], [0, 0, 0, 0])
            }
        },
        ConformanceCase("INBOX is found in any case, other names in their own only") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            for name in ["inbox", "Inbox", "iNBOX"] {
                try expectEqual(try await test.store.mailbox(named: name, of: account).key, key)
            }
            try await expectError(.noSuchMailbox) { _ = try await test.store.mailbox(named: "sent", of: account) }
        },
        ConformanceCase("a mailbox is made with the levels above it") { test in
            let account = try await test.makeAccount()
            let made = try await test.store.createMailbox(named: "Work/2026/März", of: account, use: nil)
            try expectEqual(made.name, "Work/2026/März")
            let names = try await test.store.mailboxes(of: account).map(\.name)
            try expect(names.contains("Work") && names.contains("Work/2026"), "the levels above are missing")
            try await expectError(.mailboxExists) {
                _ = try await test.store.createMailbox(named: "Work", of: account, use: nil)
            }
            try await expectError(.mailboxExists) {
                _ = try await test.store.createMailbox(named: "inbox", of: account, use: nil)
            }
        },
        ConformanceCase("a special use is given once") { test in
            let account = try await test.makeAccount()
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                _ = try await test.store.createMailbox(named: "Spam", of: account, use: .junk)
            }
            try expectEqual(
                try await test.store.createMailbox(named: "Everything", of: account, use: .all).specialUse, .all)
        },
        ConformanceCase("names that cannot be mailboxes are refused") { test in
            let account = try await test.makeAccount()
            let deep = Array(repeating: "a", count: 40).joined(separator: "/")
            for name in [
                "", "/a", "a/", "a//b", "a\u{0}b", "a\tb", "\u{7F}", "\u{85}", String(repeating: "x", count: 1_001),
                deep,
            ] {
                try await expectError(
                    "invalidName for \(name.debugDescription)", { if case .invalidName = $0 { true } else { false } }
                ) {
                    _ = try await test.store.createMailbox(named: name, of: account, use: nil)
                }
            }
        },
        ConformanceCase(
            "a deleted mailbox is gone, those below it stay, and its name comes back with another UIDVALIDITY"
        ) { test in
            let account = try await test.makeAccount()
            let first = try await test.store.createMailbox(named: "A", of: account, use: nil)
            _ = try await test.store.createMailbox(named: "A/B", of: account, use: nil)
            try await test.append(["one", "two"], to: first.key)
            try await test.store.deleteMailbox(named: "A", of: account)
            try await expectError(.noSuchMailbox) { _ = try await test.store.mailbox(named: "A", of: account) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.index(of: first.key) }
            try await expectError(.noSuchMailbox) { _ = try await test.append(["three"], to: first.key) }
            try expectEqual(try await test.store.mailbox(named: "A/B", of: account).name, "A/B")
            try expectEqual(test.store.account(account)?.usedMessages, 0)
            let again = try await test.store.createMailbox(named: "A", of: account, use: nil)
            try expect(again.uidValidity > first.uidValidity, "UIDVALIDITY did not grow")
            try expect(again.key != first.key, "the number of a deleted mailbox was used again")
            try expectEqual(try await test.store.index(of: again.key).count, 0)
        },
        ConformanceCase("INBOX cannot be deleted, and what is not there neither") { test in
            let account = try await test.makeAccount()
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                try await test.store.deleteMailbox(named: "Inbox", of: account)
            }
            try await expectError(.noSuchMailbox) { try await test.store.deleteMailbox(named: "Nowhere", of: account) }
        },
        ConformanceCase("a rename takes along messages and all mailboxes below") { test in
            let account = try await test.makeAccount()
            let before = try await test.store.createMailbox(named: "A/B/C", of: account, use: nil)
            try await test.append(["one"], to: before.key)
            try await test.store.renameMailbox(named: "A", to: "X/Y", of: account)
            let after = try await test.store.mailbox(named: "X/Y/B/C", of: account)
            try expectEqual(after.key, before.key)
            try expectEqual(after.messages, 1)
            let names = try await test.store.mailboxes(of: account).map(\.name)
            try expect(names.contains("X") && names.contains("X/Y"), "the levels above the new name are missing")
            try expect(!names.contains { $0 == "A" || $0.hasPrefix("A/") }, "an old name is still there")
        },
        ConformanceCase("a rename of a level that is no mailbox takes along what is below") { test in
            let account = try await test.makeAccount()
            let below = try await test.store.createMailbox(named: "A/B/C", of: account, use: nil)
            try await test.append(["one"], to: below.key)
            try await test.store.deleteMailbox(named: "A", of: account)
            try await test.store.renameMailbox(named: "A", to: "X/Y", of: account)
            try expectEqual(try await test.store.mailbox(named: "X/Y/B/C", of: account).key, below.key)
            let names = try await test.store.mailboxes(of: account).map(\.name)
            try expect(names.contains("X") && names.contains("X/Y/B"), "\(names)")
            try expect(!names.contains("X/Y") && !names.contains { $0.hasPrefix("A") && $0 != "Archive" }, "\(names)")
            try await expectError(.noSuchMailbox) {
                try await test.store.renameMailbox(named: "A", to: "Z", of: account)
            }
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                try await test.store.renameMailbox(named: "X/Y", to: "X/Y/B/Z", of: account)
            }
        },
        ConformanceCase("a rename to a name that is taken, below itself, or of nothing is refused and changes nothing")
        { test in
            let account = try await test.makeAccount()
            _ = try await test.store.createMailbox(named: "A/B", of: account, use: nil)
            let before = try await test.store.mailboxes(of: account)
            try await expectError(.mailboxExists) {
                try await test.store.renameMailbox(named: "A", to: "Sent", of: account)
            }
            try await expectError(.noSuchMailbox) {
                try await test.store.renameMailbox(named: "Z", to: "Y", of: account)
            }
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                try await test.store.renameMailbox(named: "A", to: "A/B/A", of: account)
            }
            try expectEqual(try await test.store.mailboxes(of: account), before)
        },
        ConformanceCase("renaming INBOX moves its messages and leaves it empty") { test in
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            _ = try await test.store.createMailbox(named: "INBOX/below", of: account, use: nil)
            try await test.append(["one", "two"], to: inbox, flags: NamedFlags(system: .seen, keywords: ["$Work"]))
            try await test.store.renameMailbox(named: "inbox", to: "Old/Mail", of: account)
            try expectEqual(try await test.inbox(of: account), inbox)
            try expectEqual(try await test.store.index(of: inbox).count, 0)
            let moved = try await test.store.mailbox(named: "Old/Mail", of: account)
            try expectEqual(moved.messages, 2)
            try expectEqual(moved.keywords, ["$Work"])
            try expectEqual(try await test.text(of: 2, in: moved.key), "two")
            try expectEqual(try await test.store.mailbox(named: "INBOX/below", of: account).name, "INBOX/below")
            try await test.checkInvariants(of: inbox)
            try await test.checkInvariants(of: moved.key)
        },
        ConformanceCase("subscriptions are names: they need no mailbox and outlive it") { test in
            let account = try await test.makeAccount()
            try await test.store.setSubscribed(true, name: "Lists/Swift", of: account)
            try await test.store.setSubscribed(false, name: "Junk", of: account)
            try await test.store.setSubscribed(false, name: "Junk", of: account)
            var names = try await test.store.subscriptions(of: account)
            try expect(names.contains("Lists/Swift") && !names.contains("Junk"), "\(names)")
            try expectEqual(try await test.store.mailbox(named: "Junk", of: account).subscribed, false)
            _ = try await test.store.createMailbox(named: "Lists/Swift", of: account, use: nil)
            try expectEqual(try await test.store.mailbox(named: "Lists/Swift", of: account).subscribed, true)
            try await test.store.deleteMailbox(named: "Lists/Swift", of: account)
            names = try await test.store.subscriptions(of: account)
            try expect(names.contains("Lists/Swift"), "the subscription went with its mailbox")
        },
        ConformanceCase("an account that is not there is an error for each call that names one") { test in
            let nobody = AccountID(987_654)
            try await expectError(.noSuchAccount) { _ = try await test.store.mailboxes(of: nobody) }
            try await expectError(.noSuchAccount) { _ = try await test.store.mailbox(named: "INBOX", of: nobody) }
            try await expectError(.noSuchAccount) {
                _ = try await test.store.createMailbox(named: "A", of: nobody, use: nil)
            }
            try await expectError(.noSuchAccount) { try await test.store.deleteMailbox(named: "A", of: nobody) }
            try await expectError(.noSuchAccount) {
                try await test.store.renameMailbox(named: "A", to: "B", of: nobody)
            }
            try await expectError(.noSuchAccount) { try await test.store.setSubscribed(true, name: "A", of: nobody) }
            try await expectError(.noSuchAccount) { _ = try await test.store.subscriptions(of: nobody) }
            try await expectError(.noSuchAccount) { _ = try await test.store.expunged(of: nobody, limit: 10) }
        },
        ConformanceCase("a mailbox that is not there is an error for each call that names one") { test in
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            let nowhere = MailboxKey(account: account, mailbox: MailboxID(987_654))
            try await expectError(.noSuchMailbox) { _ = try await test.store.mailbox(nowhere) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.index(of: nowhere) }
            try await expectError(.noSuchMailbox) {
                _ = try await test.store.changes(in: nowhere, since: ModSeq(1), knownUIDNext: 1)
            }
            try await expectError(.noSuchMailbox) { _ = try await test.store.summaries(in: nowhere, uids: [1]) }
            try await expectError(.noSuchMailbox) {
                try await test.store.scanSummaries(in: nowhere, range: 1...9) { _ in true }
            }
            try await expectError(.noSuchMailbox) { _ = try await test.store.message(in: nowhere, uid: 1) }
            try await expectError(.noSuchMailbox) { _ = try await test.append(["x"], to: nowhere) }
            try await expectError(.noSuchMailbox) {
                _ = try await test.store.changeFlags(
                    in: nowhere, uids: [1], .add(NamedFlags(system: .seen)), unchangedSince: nil)
            }
            try await expectError(.noSuchMailbox) { _ = try await test.store.copy(from: nowhere, uids: [1], to: inbox) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.copy(from: inbox, uids: [1], to: nowhere) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.move(from: inbox, uids: [1], to: nowhere) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.expunge(in: nowhere, uids: nil) }
            try await expectError(.noSuchMailbox) { _ = try await test.store.remove(in: nowhere, uids: [1]) }
        },
    ]
}
