import MailStore
import MartletCore
import Testing

@Suite(.serialized) struct SearchTests {
    static func filled() async throws -> TestServer {
        let server = try await TestServer()
        try await server.add(
            "From: Smith <smith@example.org>\r\nTo: anna@example.test\r\nSubject: =?iso-8859-1?Q?Caf=E9?= meeting\r\nDate: Tue, 1 Feb 1994 23:30:00 -0800\r\n\r\nLet us meet.\r\n",
            flags: NamedFlags(system: [.seen, .flagged]), date: Instant(year: 1994, month: 2, day: 2))
        try await server.add(
            "From: Jones <jones@example.org>\r\nCc: carl@example.org\r\nBcc: bert@example.org\r\nSubject: Report\r\nDate: Wed, 2 Feb 1994 10:00:00 +0000\r\nX-Spam: no\r\n\r\nNumbers, many numbers.\r\n",
            flags: NamedFlags(system: .deleted, keywords: ["$Work"]), date: Instant(year: 1994, month: 2, day: 3))
        try await server.add(
            nested, flags: NamedFlags(system: [.answered, .draft]), date: Instant(year: 2026, month: 11, day: 24))
        try await server.add(
            "Subject: =?utf-8?B?zpHOu8+GzrE=?=\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                .utf8
                + [0xF0, 0xD2, 0xC9, 0xD7, 0xC5, 0xD4, 0x0D, 0x0A], date: Instant(year: 2020, month: 1, day: 1))
        return server
    }

    static let keys: [(String, String)] = [
        ("ALL", " 1 2 3 4"), ("SEEN", " 1"), ("UNSEEN", " 2 3 4"), ("FLAGGED", " 1"), ("UNFLAGGED", " 2 3 4"),
        ("DELETED", " 2"), ("UNDELETED", " 1 3 4"),
        ("ANSWERED", " 3"), ("UNANSWERED", " 1 2 4"), ("DRAFT", " 3"), ("UNDRAFT", " 1 2 4"), ("KEYWORD $work", " 2"),
        ("UNKEYWORD $Work", " 1 3 4"),
        ("KEYWORD none", ""), ("RECENT", ""), ("NEW", ""), ("OLD", " 1 2 3 4"), ("FROM smith", " 1"),
        ("FROM EXAMPLE.ORG", " 1 2 3"), ("TO anna", " 1"),
        ("CC carl", " 2"), ("BCC bert", " 2"), ("SUBJECT report", " 2"), ("SUBJECT \"meeting\"", " 1"),
        ("SUBJECT caf", " 1"), ("BODY numbers", " 2"),
        ("BODY subject", " 3"), ("TEXT \"hello, WORLD\"", " 3"), ("TEXT Report", " 2"), ("TEXT inside", " 3"),
        ("BODY inside", " 3"),
        ("HEADER X-Spam \"\"", " 2"), ("HEADER x-spam NO", " 2"), ("HEADER Subject nested", " 3"),
        ("HEADER X-Long \"one two\"", " 3"),
        ("BEFORE 3-Feb-1994", " 1"), ("ON 3-Feb-1994", " 2"), ("SINCE 3-Feb-1994", " 2 3 4"),
        ("SENTON 1-Feb-1994", " 1"), ("SENTBEFORE 2-Feb-1994", " 1"),
        ("SENTSINCE 2-Feb-1994", " 2"), ("LARGER 300", " 3"), ("SMALLER 300", " 1 2 4"), ("2:3", " 2 3"),
        ("UID 3:*", " 3 4"), ("99", ""), ("NOT 1", " 2 3 4"),
        ("OR SEEN DELETED", " 1 2"), ("NOT (OR SEEN DELETED)", " 3 4"), ("UNSEEN SUBJECT report", " 2"),
        ("(FROM smith SEEN)", " 1"), ("OLDER 86400", " 1 2 4"),
        ("YOUNGER 86400", " 3"), ("OR BODY numbers SUBJECT meeting", " 1 2"), ("NOT BODY numbers", " 1 3 4"),
    ]

    @Test("every search key finds what it should", arguments: keys)
    func key(_ key: String, _ expected: String) async throws {
        let server = try await SearchTests.filled()
        let client = try server.select()
        #expect(client.command("SEARCH \(key)") == "* SEARCH\(expected)\r\nT OK SEARCH completed\r\n", "\(key)")
        await server.stop()
    }

    @Test("texts are compared in Unicode without regard to case, in the charset that the client names")
    func charsets() async throws {
        let server = try await SearchTests.filled()
        let client = try server.select()
        #expect(
            client.command("SEARCH CHARSET UTF-8 SUBJECT {5+}\r\nCAF\u{C9}")
                == "* SEARCH 1\r\nT OK SEARCH completed\r\n")
        #expect(client.command("SEARCH CHARSET UTF-8 SUBJECT {4+}\r\nαλ") == "* SEARCH 4\r\nT OK SEARCH completed\r\n")
        #expect(
            client.command("SEARCH CHARSET UTF-8 BODY {12+}\r\nПРИВЕТ") == "* SEARCH 4\r\nT OK SEARCH completed\r\n")
        client.send(
            Array("k SEARCH CHARSET KOI8-R BODY {6+}\r\n".utf8) + [0xD0, 0xD2, 0xC9, 0xD7, 0xC5, 0xD4] + [0x0D, 0x0A])
        #expect(client.lines(to: "k ") == "* SEARCH 4\r\nk OK SEARCH completed\r\n")
        #expect(client.command("SEARCH CHARSET X-NONE SUBJECT x").hasPrefix("T NO [BADCHARSET (US-ASCII UTF-8)]"))
        await server.stop()
    }

    @Test("ESEARCH tells what RETURN asks, SAVE keeps it for `$` (RFC 4731, RFC 5182)")
    func extended() async throws {
        let server = try await SearchTests.filled()
        let client = try server.select()
        #expect(
            client.command("SEARCH RETURN (MIN MAX COUNT) UNSEEN")
                == "* ESEARCH (TAG \"a3\") MIN 2 MAX 4 COUNT 3\r\nT OK SEARCH completed\r\n")
        #expect(
            client.command("UID SEARCH RETURN () 1:3")
                == "* ESEARCH (TAG \"a4\") UID ALL 1:3\r\nT OK UID SEARCH completed\r\n")
        #expect(client.command("SEARCH RETURN (SAVE) UNSEEN") == "T OK SEARCH completed\r\n")
        #expect(
            client.command("FETCH $ UID")
                == "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("SEARCH RETURN (SAVE MIN) $ UNDELETED")
                == "* ESEARCH (TAG \"a7\") MIN 3\r\nT OK SEARCH completed\r\n")
        #expect(client.command("UID STORE $ +FLAGS.SILENT (\\Deleted)") == "T OK UID STORE completed\r\n")
        #expect(client.command("UID SEARCH DELETED") == "* SEARCH 2 3\r\nT OK UID SEARCH completed\r\n")
        _ = client.command("EXPUNGE")
        #expect(client.command("SEARCH $") == "* SEARCH\r\nT OK SEARCH completed\r\n")
        #expect(
            client.command("SEARCH MODSEQ 5")
                == "* OK [HIGHESTMODSEQ 7] CONDSTORE is on\r\n* SEARCH 2 (MODSEQ 5)\r\nT OK SEARCH completed\r\n")
        #expect(
            client.command("SEARCH RETURN (ALL) MODSEQ 2")
                == "* ESEARCH (TAG \"a13\") ALL 1:2 MODSEQ 5\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("what a summary cut off, or did not take, is looked for in the header")
    func beyondSummary() async throws {
        let server = try await TestServer()
        let many = (0..<1_000).map { "user number \($0) <u\($0)@host.test>" }.joined(separator: ",\r\n ")
        try await server.add("To: \(many)\r\nSubject: big\r\n\r\nx\r\n")
        try await server.add("To: first@x.test\r\nTo: second@x.test\r\nSubject: one\r\nSubject: two\r\n\r\nx\r\n")
        let encoded = (0..<900).map { "=?utf-8?q?=D0=9F=D1=80=D0=B8=D0=B2=D0=B5=D1=82_\($0)?=" }.joined(
            separator: "\r\n ")
        try await server.add("Subject: \(encoded)\r\nMessage-ID: no.brackets@x\r\n\r\nx\r\n")
        let client = try server.select()
        for (key, expected) in [
            ("TO u999@host.test", " 1"), ("TO u5@host", " 1"), ("HEADER To u999@host.test", " 1"), ("TO u1000@", ""),
            ("NOT TO u999@host.test", " 2 3"), ("OR TO u999@ TO first", " 1 2"), ("TO u999@ BODY x", " 1"),
            ("HEADER To second", " 2"), ("HEADER Subject two", " 2"), ("HEADER Subject one", " 2"),
            ("HEADER Cc second", ""), ("NOT HEADER To second", " 1 3"), ("SUBJECT \" 899\"", " 3"),
            ("HEADER Message-ID no.brackets", " 3"), ("HEADER Message-ID other", ""),
        ] {
            #expect(client.command("SEARCH \(key)") == "* SEARCH\(expected)\r\nT OK SEARCH completed\r\n", "\(key)")
        }
        await server.stop()
    }

    @Test("TEXT looks at the MIME headers of parts, BODY does not (RFC 9051 §6.4.4)")
    func partHeaders() async throws {
        let server = try await TestServer()
        try await server.add(
            """
            Content-Type: multipart/mixed; boundary=b\r
            \r
            --b\r
            Content-Type: application/octet-stream\r
            Content-Disposition: attachment; filename=zebra.bin\r
            \r
            x\r
            --b\r
            Content-Type: message/rfc822\r
            Content-Description: the =?utf-8?q?z=C3=A9bu?=\r
            \r
            Subject: inside\r
            \r
            text\r
            --b--\r

            """)
        let client = try server.select()
        for (key, expected) in [
            ("TEXT zebra.bin", " 1"), ("BODY zebra.bin", ""), ("TEXT octet-stream", " 1"), ("BODY inside", " 1"),
            ("TEXT content-description", " 1"), ("NOT TEXT zebra", ""),
        ] {
            #expect(client.command("SEARCH \(key)") == "* SEARCH\(expected)\r\nT OK SEARCH completed\r\n", "\(key)")
        }
        #expect(client.command("SEARCH TEXT {5+}\r\nzébu") == "* SEARCH 1\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("a SEARCH with SAVE that is answered with NO empties `$`, one with BAD leaves it (RFC 5182 §2.1)")
    func failedSave() async throws {
        let server = try await SearchTests.filled()
        let client = try server.select()
        func saved() -> String { client.command("SEARCH $") }
        for (key, answer, left) in [
            ("CHARSET X-NOPE SUBJECT a", "NO [BADCHARSET", ""), ("FOO", "BAD", " 1 2"),
            (String(repeating: "(", count: 100) + "ALL" + String(repeating: ")", count: 100), "NO [LIMIT]", ""),
        ] {
            _ = client.command("SEARCH RETURN (SAVE) 1:2")
            #expect(saved() == "* SEARCH 1 2\r\nT OK SEARCH completed\r\n")
            #expect(client.command("SEARCH RETURN (SAVE) \(key)").hasPrefix("T \(answer)"))
            #expect(saved() == "* SEARCH\(left)\r\nT OK SEARCH completed\r\n", "\(key)")
        }
        // Without SAVE nothing is forgotten.
        _ = client.command("SEARCH RETURN (SAVE) 1:2")
        _ = client.command("SEARCH CHARSET X-NOPE SUBJECT a")
        #expect(saved() == "* SEARCH 1 2\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("after ENABLE UTF8=ACCEPT a CHARSET is a mistake (RFC 6855 §3)")
    func utf8Charset() async throws {
        let server = try await SearchTests.filled()
        let client = try server.select()
        #expect(client.command("SEARCH CHARSET UTF-8 SEEN").hasSuffix("T OK SEARCH completed\r\n"))
        _ = client.command("ENABLE UTF8=ACCEPT")
        #expect(client.command("SEARCH CHARSET UTF-8 SEEN").hasPrefix("T BAD"))
        #expect(client.command("SEARCH SUBJECT \"caf\u{E9}\"") == "* SEARCH 1\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("a search over many messages by summaries finds them all")
    func many() async throws {
        let server = try await TestServer()
        for number in 1...2_000 {
            try await server.add("Subject: \(number % 7 == 0 ? "wanted" : "other") \(number)\r\n\r\n")
        }
        let client = try server.select()
        let expected = (1...2_000).filter { $0 % 7 == 0 }.map { " \($0)" }.joined()
        #expect(client.command("UID SEARCH SUBJECT WANTED") == "* SEARCH\(expected)\r\nT OK UID SEARCH completed\r\n")
        #expect(client.command("SEARCH 1500:1510 SUBJECT wanted") == "* SEARCH 1505\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }
}
