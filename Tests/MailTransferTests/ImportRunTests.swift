import Foundation
import MailStore
import MailTransfer
import MartletCore
import Testing

@Suite struct ImportRunTests {
    @Test func `an mbox file comes with content, flags, keywords, dates and order`() async throws {
        let fixture = try await TransferFixture()
        let path = try fixture.write(
            """
            From a@b.test Tue Nov 24 11:41:21 2026
            Subject: one
            Status: RO
            X-Status: AF
            X-Keywords: blue $Forwarded

            >From here

            From - no date
            Subject: two
            Date: Mon, 23 Nov 2026 10:00:00 +0000

            x

            From nobody
            Subject: three

            y

            """, to: "box")
        let report = await fixture.run(MboxSource(paths: [path]), mapping: FolderMapping(below: "Old"))
        #expect(report.failure == nil)
        #expect(report.stored == 2)
        let messages = try await fixture.messages(in: "Old")
        // “From - no date” has neither a date nor one word: it is text.
        #expect(
            messages.map(\.content) == [
                "Subject: one\r\n\r\nFrom here\r\n\r\nFrom - no date\r\nSubject: two\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nx\r\n",
                "Subject: three\r\n\r\ny\r\n",
            ])
        #expect(messages[0].flags == [.seen, .answered, .flagged])
        #expect(messages[0].keywords == ["blue", "$Forwarded"])
        #expect(messages[0].date == Instant(year: 2026, month: 11, day: 24, hour: 11, minute: 41, second: 21))
        // Neither From_ line nor Date field has one.
        #expect(messages[1].date == TransferFixture.now)
    }

    @Test func `many messages keep their order, and a second import stores none`() async throws {
        let fixture = try await TransferFixture()
        let path = try fixture.write(numberedMbox(0..<2_000), to: "Box.mbox")
        let first = await fixture.run(MboxSource(paths: [path]))
        #expect(first.stored == 2_000 && first.duplicates == 0 && first.failure == nil)
        let messages = try await fixture.messages(in: "Box")
        #expect(messages.count == 2_000)
        #expect(messages.enumerated().allSatisfy { $1.content.hasSuffix("x \($0)\r\n") })
        let second = await fixture.run(MboxSource(paths: [path]))
        #expect(second.stored == 0 && second.duplicates == 2_000)
        // The same message twice in a file is one; with another body it is another.
        let again = try fixture.write(
            numberedMbox(0..<3) + numberedMbox(2_000..<2_001) + numberedMbox(2_000..<2_001)
                + numberedMbox(0..<1, size: 199), to: "more/Box")
        let third = await fixture.run(MboxSource(paths: [again]))
        #expect(third.stored == 2 && third.duplicates == 4)
        let kept = await fixture.run(MboxSource(paths: [again]), into: fixture.importer(skipsDuplicates: false))
        #expect(kept.stored == 6)
    }

    @Test(arguments: [1, 2, 100, 1_500, 3_000, 4_001]) func `an import that was interrupted goes on, without doubles`(
        _ place: Int
    ) async throws {
        let fixture = try await TransferFixture()
        let path = try fixture.write(numberedMbox(0..<2_000), to: "Box")
        let state = fixture.directory + "/state"
        let cut = await fixture.run(InterruptedSource(MboxSource(paths: [path]), at: place), state: state)
        #expect(cut.failure == "interrupted" && cut.isUnreachable)
        let rest = await fixture.run(MboxSource(paths: [path]), state: state)
        #expect(rest.failure == nil)
        #expect(rest.isResumed == (cut.stored > 0))
        // What was stored is not even read again.
        #expect(rest.messages == 2_000 - cut.stored)
        #expect(rest.stored == 2_000 - cut.stored)
        let messages = try await fixture.messages(in: "Box")
        #expect(messages.count == 2_000)
        #expect(messages.enumerated().allSatisfy { $1.content.hasSuffix("x \($0)\r\n") })
        #expect(!FileManager.default.fileExists(atPath: state))
    }

    @Test func `imports at the same time do not store a message twice`() async throws {
        let fixture = try await TransferFixture()
        let path = try fixture.write(numberedMbox(0..<2_000), to: "Box")
        let (store, account) = (fixture.store, fixture.account)
        let stored = await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    let importer = StoreImporter(store: store, account: account, clock: TransferFixture.FixedClock())
                    var run = ImportRun(
                        source: MboxSource(paths: [path]), target: importer,
                        options: ImportRun.Options(account: TransferFixture.address))
                    return await run.run().stored
                }
            }
            return await group.reduce(0, +)
        }
        #expect(stored == 2_000)
        #expect(Set(try await fixture.messages(in: "Box").map(\.content)).count == 2_000)
        #expect(try await fixture.messages(in: "Box").count == 2_000)
    }

    @Test func `a file that has changed is read from its beginning`() async throws {
        let fixture = try await TransferFixture()
        let path = try fixture.write(numberedMbox(0..<2_000), to: "Box")
        let state = fixture.directory + "/state"
        _ = await fixture.run(InterruptedSource(MboxSource(paths: [path]), at: 3_000), state: state)
        _ = try fixture.write(numberedMbox(500..<2_100), to: "Box")
        let rest = await fixture.run(MboxSource(paths: [path]), state: state)
        #expect(rest.messages == 1_600)
        #expect(rest.problems.contains { $0.contains("has changed") })
        #expect(try await fixture.messages(in: "Box").count == 2_100)
    }

    @Test func `a dry run stores nothing and says where all would go`() async throws {
        let fixture = try await TransferFixture()
        _ = try fixture.write(numberedMbox(0..<10), to: "mail/Gesendet")
        _ = try fixture.write(numberedMbox(0..<5), to: "mail/Gesendet.sbd/2024")
        _ = try fixture.write("no mail", to: "mail/Gesendet.msf")
        let before = try await fixture.mailboxNames()
        let report = await fixture.run(MboxSource(paths: [fixture.directory + "/mail"]), isDryRun: true)
        #expect(report.isDryRun && report.failure == nil)
        #expect(report.folders.map(\.folder) == ["Gesendet", "Gesendet/2024"])
        #expect(report.folders.map(\.target) == ["Sent", "Sent/2024"])
        #expect(report.folders.map(\.messages) == [10, 5])
        #expect(try await fixture.mailboxNames() == before)
        #expect(try await fixture.messages(in: "Sent").isEmpty)
    }

    @Test(
        arguments: [
            ("", nil, 0), ("Subject: x\n\nbody\n", "no mbox", 0), ("\u{1F}\u{8B}", "no mbox", 0),
            ("PK\u{3}\u{4}xxxx", "compressed", 0),
            ("BZh91AY", "compressed", 0),
        ] as [(String, String?, Int)]) func `a file of the wrong shape is told`(
            _ content: String, _ failure: String?, _ stored: Int
        ) async throws
    {
        let fixture = try await TransferFixture()
        let path = try fixture.write(content, to: "Box")
        let report = await fixture.run(MboxSource(paths: [path]))
        if let failure {
            #expect(report.failure?.contains(failure) == true, "\(report.failure ?? "-")")
        } else {
            #expect(report.failure == nil)
        }
        #expect(report.stored == stored)
    }

    @Test func `damage is told, counted, and what can be saved is`() async throws {
        let fixture = try await TransferFixture()
        let from = "From a@b.test Tue Nov 24 11:41:21 2026\n"
        let path = try fixture.write(
            "rubbish\n\n" + from + "A: 1\n\nx\0y\n" + from + "A: 2\nContent-Length: 99999\n\nz\n\n" + from, to: "Box")
        let report = await fixture.run(MboxSource(paths: [path]))
        #expect(report.failure == nil)
        #expect(report.stored == 2 && report.failed == 2)
        for part in [
            "8 octets belong to no message", "1 NUL", "no empty line", "Content-Length 99999 is wrong",
            "without a message",
        ] {
            #expect(report.problems.contains { $0.contains(part) }, "\(part): \(report.problems)")
        }
        #expect(try await fixture.messages(in: "Box").map(\.content) == ["A: 1\r\n\r\nxy\r\n", "A: 2\r\n\r\nz\r\n"])
    }

    @Test func `an account without room ends the import, and what is stored stays`() async throws {
        let fixture = try await TransferFixture()
        try await fixture.store.updateAccount(
            fixture.account, displayName: nil, quota: .some(200_000), isAdministrator: nil, isSuspended: nil)
        let path = try fixture.write(numberedMbox(0..<2_000), to: "Box")
        let state = fixture.directory + "/state"
        let cut = await fixture.run(MboxSource(paths: [path]), state: state)
        #expect(cut.failure?.contains("no room") == true)
        #expect(try await fixture.messages(in: "Box").count == cut.stored)
        try await fixture.store.updateAccount(
            fixture.account, displayName: nil, quota: .some(nil), isAdministrator: nil, isSuspended: nil)
        let rest = await fixture.run(MboxSource(paths: [path]), state: state)
        #expect(rest.failure == nil && rest.stored == 2_000 - cut.stored)
        #expect(
            try await fixture.messages(in: "Box").map(\.content).enumerated().allSatisfy { $1.hasSuffix("x \($0)\r\n") }
        )
    }

    @Test func `there is no such file or folder`() async throws {
        let fixture = try await TransferFixture()
        #expect(await fixture.run(MboxSource(paths: ["/no/such"])).failure == "there is no /no/such")
        #expect(await fixture.run(MaildirSource(path: "/no/such")).failure?.contains("no directory") == true)
        #expect(await fixture.run(MaildirSource(path: fixture.directory)).failure?.contains("no Maildir") == true)
    }
}

@Suite struct MaildirSourceTests {
    private func put(_ fixture: TransferFixture, _ path: String, _ text: String = "Subject: x\n\ny\n") throws {
        for part in ["cur", "new", "tmp"] {
            let folder = (path as NSString).deletingLastPathComponent + "/../" + part
            try FileManager.default.createDirectory(
                atPath: fixture.directory + "/" + folder, withIntermediateDirectories: true)
        }
        _ = try fixture.write(text, to: path)
    }

    @Test func `a Maildir with its folders`() async throws {
        let fixture = try await TransferFixture()
        try put(fixture, "M/cur/2.a:2,FS", "Subject: 2\n\nb\n")
        try put(fixture, "M/new/1.a:2,S", "Subject: 1\n\na\n")
        try put(fixture, "M/cur/3.a:2,Tab", "Subject: 3\r\n\r\nc\r\n")
        _ = try fixture.write("0 blue\n1 $Junk\n", to: "M/dovecot-keywords")
        try put(fixture, "M/.Sent Items/cur/1.a:2,S")
        try put(fixture, "M/.Entw&APw-rfe/cur/1.a:2,D")
        try put(fixture, "M/.Lists.Swift/cur/1.a:2,")
        try put(fixture, "M/.Empty/tmp/not-there-yet")
        let path = fixture.directory + "/M"
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000)], ofItemAtPath: path + "/cur/2.a:2,FS")
        let report = await fixture.run(MaildirSource(path: path))
        #expect(report.failure == nil && report.failed == 0, "\(report)")
        let inbox = try await fixture.messages(in: "INBOX")
        #expect(inbox.map(\.content) == ["1\r\n\r\na", "2\r\n\r\nb", "3\r\n\r\nc"].map { "Subject: \($0)\r\n" })
        #expect(inbox.map(\.flags) == [[], [.flagged, .seen], [.deleted]])
        #expect(inbox.map(\.keywords) == [[], [], ["blue", "$Junk"]])
        #expect(inbox[1].date == Instant(seconds: 1_700_000_000))
        #expect(try await fixture.messages(in: "Sent").count == 1)
        #expect(try await fixture.messages(in: "Drafts").map(\.flags) == [[.draft]])
        #expect(try await fixture.messages(in: "Lists/Swift").count == 1)
        #expect(try await fixture.messages(in: "Empty").isEmpty)
        #expect(await fixture.run(MaildirSource(path: path)).stored == 0)
    }

    @Test func `folders as directories`() async throws {
        let fixture = try await TransferFixture()
        try put(fixture, "M/INBOX/cur/1.a:2,S")
        try put(fixture, "M/Trash/cur/1.a:2,S")
        try put(fixture, "M/Work/2024/new/1.a")
        try put(fixture, "N/INBOX.Sent/cur/1.a:2,S")
        try put(fixture, "N/INBOX/cur/2.a:2,S")
        let first = await fixture.run(MaildirSource(path: fixture.directory + "/M/"))
        #expect(first.folders.map(\.target) == ["INBOX", "Trash", "Work/2024"])
        let second = await fixture.run(MaildirSource(path: fixture.directory + "/N"))
        #expect(second.folders.map(\.target) == ["INBOX", "Sent"])
    }

    @Test func `what is no message is told`() async throws {
        let fixture = try await TransferFixture()
        try put(fixture, "M/cur/1.a:2,S")
        try put(fixture, "M/cur/2.a:2,S", "")
        try put(fixture, "M/cur/3.a:2,S", "\0\0")
        let cur = fixture.directory + "/M/cur"
        try FileManager.default.createDirectory(atPath: cur + "/4.directory", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: cur + "/5.link", withDestinationPath: "/etc/passwd")
        mkfifo(cur + "/6.fifo", 0o600)
        let report = await fixture.run(MaildirSource(path: fixture.directory + "/M"))
        #expect(report.failure == nil)
        #expect(report.stored == 1 && report.failed == 5, "\(report)")
        for part in [
            "2.a:2,S is empty", "message is empty", "4.directory is no regular file", "5.link is a symbolic link",
            "6.fifo is no regular file",
        ] {
            #expect(report.problems.contains { $0.contains(part) }, "\(part): \(report.problems)")
        }
    }

    @Test func `an import that was interrupted goes on`() async throws {
        let fixture = try await TransferFixture()
        for number in 1_000..<2_000 { try put(fixture, "M/cur/\(number).a:2,S", "Subject: \(number)\n\nx\n") }
        let state = fixture.directory + "/state"
        let source = MaildirSource(path: fixture.directory + "/M")
        let cut = await fixture.run(InterruptedSource(source, at: 1_500), state: state)
        #expect(cut.stored > 0 && cut.failure != nil)
        let rest = await fixture.run(MaildirSource(path: fixture.directory + "/M"), state: state)
        #expect(rest.messages == 1_000 - cut.stored && rest.duplicates == 0)
        #expect(try await fixture.messages(in: "INBOX").count == 1_000)
    }
}
