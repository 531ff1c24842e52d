import MailStore
import MartletCore
import Testing

@Suite(.serialized) struct StoreTests {
    func filled(_ count: Int = 4) async throws -> TestServer {
        let server = try await TestServer()
        for number in 1...count { try await server.add("Subject: \(number)\r\n\r\n") }
        return server
    }

    @Test("STORE replaces, adds and removes flags and keywords, and tells the result")
    func flags() async throws {
        let server = try await filled()
        let client = try server.select()
        #expect(
            client.command("STORE 1:2 FLAGS (\\Seen \\Answered)")
                == "* 1 FETCH (UID 1 FLAGS (\\Answered \\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Answered \\Seen))\r\nT OK STORE completed\r\n"
        )
        #expect(
            client.command("STORE 1 -FLAGS (\\Seen)")
                == "* 1 FETCH (UID 1 FLAGS (\\Answered))\r\nT OK STORE completed\r\n")
        #expect(
            client.command("UID STORE 2 +FLAGS ($Forwarded)") == """
                * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)\r
                * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded \\*)] Flags that are kept\r
                * 2 FETCH (UID 2 FLAGS (\\Answered \\Seen $Forwarded))\r
                T OK UID STORE completed\r\n
                """)
        #expect(client.command("STORE 2 FLAGS.SILENT ()") == "T OK STORE completed\r\n")
        #expect(
            client.command("FETCH 1:2 FLAGS")
                == "* 1 FETCH (FLAGS (\\Answered))\r\n* 2 FETCH (FLAGS ())\r\nT OK FETCH completed\r\n")
        #expect(client.command("UID STORE 99 +FLAGS (\\Seen)") == "T OK UID STORE completed\r\n")
        #expect(client.command("STORE 1 +FLAGS (\\Recent)").hasPrefix("T BAD"))
        await server.stop()
    }

    @Test("UNCHANGEDSINCE leaves changed messages alone and names them (RFC 7162 §3.1.3)")
    func conditional() async throws {
        let server = try await filled()
        let client = try server.select()
        // Four messages were added one by one: MODSEQ 2 to 5.
        #expect(
            client.command("STORE 1:3 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen)") == """
                * OK [HIGHESTMODSEQ 5] CONDSTORE is on\r
                * 1 FETCH (UID 1 MODSEQ (6))\r
                * 2 FETCH (UID 2 MODSEQ (6))\r
                T OK [MODIFIED 3] STORE completed\r\n
                """)
        #expect(
            client.command("UID STORE 2:4 (UNCHANGEDSINCE 5) FLAGS (\\Flagged)") == """
                * 3 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (7))\r
                * 4 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (7))\r
                T OK [MODIFIED 2] UID STORE completed\r\n
                """)
        #expect(
            client.command("FETCH 1:4 MODSEQ")
                == "* 1 FETCH (MODSEQ (6))\r\n* 2 FETCH (MODSEQ (6))\r\n* 3 FETCH (MODSEQ (7))\r\n* 4 FETCH (MODSEQ (7))\r\nT OK FETCH completed\r\n"
        )
        await server.stop()
    }

    @Test("COPY and MOVE tell the UIDs, and a missing mailbox TRYCREATE")
    func copies() async throws {
        let server = try await filled()
        let client = try server.select()
        #expect(client.command("COPY 2:3 Archive") == "T OK [COPYUID 6 2:3 1:2] COPY completed\r\n")
        #expect(client.command("UID COPY 9 Archive") == "T OK UID COPY completed\r\n")
        #expect(client.command("COPY 1 Nowhere") == "T NO [TRYCREATE] There is no such mailbox\r\n")
        #expect(
            client.command("MOVE 1,3 Trash") == """
                * OK [COPYUID 5 1,3 1:2] Moved\r
                * 3 EXPUNGE\r
                * 1 EXPUNGE\r
                T OK MOVE completed\r\n
                """)
        #expect(
            client.command("UID FETCH 1:* FLAGS")
                == "* 1 FETCH (UID 2 FLAGS ())\r\n* 2 FETCH (UID 4 FLAGS ())\r\nT OK UID FETCH completed\r\n")
        #expect(
            client.command("STATUS Trash (MESSAGES UIDNEXT)")
                == "* STATUS Trash (MESSAGES 2 UIDNEXT 3)\r\nT OK STATUS completed\r\n")
        await server.stop()
    }

    @Test("EXPUNGE removes what is marked, UID EXPUNGE only what it names, CLOSE tells nothing")
    func expunges() async throws {
        let server = try await filled(6)
        let client = try server.select()
        _ = client.command("STORE 1,3,5,6 +FLAGS.SILENT (\\Deleted)")
        #expect(client.command("UID EXPUNGE 3:4") == "* 3 EXPUNGE\r\nT OK UID EXPUNGE completed\r\n")
        #expect(client.command("EXPUNGE") == "* 5 EXPUNGE\r\n* 4 EXPUNGE\r\n* 1 EXPUNGE\r\nT OK EXPUNGE completed\r\n")
        #expect(client.command("EXPUNGE") == "T OK EXPUNGE completed\r\n")
        _ = client.command("STORE 1 +FLAGS.SILENT (\\Deleted)")
        #expect(client.command("CLOSE") == "T OK CLOSE completed\r\n")
        #expect(client.command("STATUS INBOX (MESSAGES)") == "* STATUS INBOX (MESSAGES 1)\r\nT OK STATUS completed\r\n")
        #expect(client.command("FETCH 1 FLAGS").hasPrefix("T BAD"))
        await server.stop()
    }

    @Test(
        "a mailbox that is open for reading only is not changed",
        arguments: ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 Trash"])
    func readOnly(_ command: String) async throws {
        let server = try await filled()
        let client = try server.login()
        #expect(client.command("EXAMINE INBOX").contains("T OK [READ-ONLY]"))
        #expect(client.command(command).hasPrefix("T NO [READ-ONLY]"))
        // CLOSE of a read-only mailbox expunges nothing.
        let other = try server.select()
        _ = other.command("STORE 1 +FLAGS (\\Deleted)")
        #expect(client.command("CLOSE").hasSuffix("T OK CLOSE completed\r\n"))
        #expect(other.command("NOOP") == "T OK NOOP completed\r\n")
        await server.stop()
    }

    @Test("changes by one connection reach the others, and expunges wait until they may be told")
    func two() async throws {
        let server = try await filled()
        let one = try server.select()
        let two = try server.select()
        _ = one.command("STORE 2 +FLAGS (\\Flagged)")
        #expect(two.command("NOOP") == "* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\nT OK NOOP completed\r\n")
        _ = one.command("STORE 1,4 +FLAGS.SILENT (\\Deleted)")
        _ = one.command("EXPUNGE")
        try await server.add("Subject: new\r\n\r\n")
        // During FETCH with numbers the numbers stay as they were (RFC 9051 §7.5.1).
        #expect(
            two.command("FETCH 1:4 UID") == """
                * 2 FETCH (UID 2)\r
                * 3 FETCH (UID 3)\r
                * 5 EXISTS\r
                T NO [EXPUNGEISSUED] Some messages are gone\r\n
                """)
        #expect(two.command("SEARCH ALL") == "* SEARCH 2 3 5\r\nT OK SEARCH completed\r\n")
        #expect(
            two.command("STORE 3 +FLAGS (\\Seen)") == "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\nT OK STORE completed\r\n")
        #expect(
            two.command("UID FETCH 3 FLAGS")
                == "* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n* 4 EXPUNGE\r\n* 1 EXPUNGE\r\nT OK UID FETCH completed\r\n")
        #expect(
            two.command("FETCH 1:3 UID")
                == "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 5)\r\nT OK FETCH completed\r\n")
        #expect(one.command("NOOP") == "* 3 EXISTS\r\n* 2 FETCH (UID 3 FLAGS (\\Seen))\r\nT OK NOOP completed\r\n")
        await server.stop()
    }

    @Test("a STORE or FETCH that changes nothing hides nothing that others have done")
    func unchanged() async throws {
        let server = try await filled()
        let one = try server.select()
        let two = try server.select()
        for client in [one, two] { _ = client.command("FETCH 1:4 UID") }
        _ = one.command("STORE 1 +FLAGS (\\Seen)")
        _ = two.command("NOOP")
        _ = one.command("STORE 2 +FLAGS (\\Flagged)")
        #expect(
            two.command("STORE 1 +FLAGS (\\Seen)")
                == "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Flagged))\r\nT OK STORE completed\r\n"
        )
        _ = one.command("STORE 3 +FLAGS (\\Deleted)")
        _ = two.command("NOOP")
        _ = one.command("EXPUNGE")
        // Not during STORE with a number, but it is not forgotten (RFC 9051 §7.5.1).
        _ = two.command("STORE 1 +FLAGS.SILENT (\\Seen)")
        #expect(two.command("NOOP") == "* 3 EXPUNGE\r\nT OK NOOP completed\r\n")
        try await server.add("Subject: new\r\n\r\n")
        #expect(two.command("UID STORE 2 +FLAGS.SILENT (\\Flagged)") == "* 4 EXISTS\r\nT OK UID STORE completed\r\n")
        // A FETCH that sets \Seen tells of another's change as well.
        _ = one.command("UID STORE 4 +FLAGS (\\Seen)")
        #expect(two.command("FETCH 1 BODY[TEXT]").contains("* 3 FETCH (UID 4 FLAGS (\\Seen))"))
        await server.stop()
    }

    @Test("an EXPUNGE with nothing to remove tells what others have done")
    func emptyExpunge() async throws {
        let server = try await filled()
        let client = try server.select()
        _ = client.command("FETCH 1:4 UID")
        try await server.add("Subject: new\r\n\r\n")
        #expect(client.command("EXPUNGE") == "* 5 EXISTS\r\nT OK EXPUNGE completed\r\n")
        #expect(client.command("FETCH 5 UID") == "* 5 FETCH (UID 5)\r\nT OK FETCH completed\r\n")
        try await server.add("Subject: newer\r\n\r\n")
        #expect(client.command("UID EXPUNGE 1:*") == "* 6 EXISTS\r\nT OK UID EXPUNGE completed\r\n")
        await server.stop()
    }

    @Test("SILENT keeps quiet about its own change, not about another's (RFC 9051 §6.4.6)", arguments: [false, true])
    func silent(_ isConditional: Bool) async throws {
        let server = try await filled()
        let one = try server.login()
        if isConditional { _ = one.command("ENABLE CONDSTORE") }
        _ = one.command("SELECT INBOX")
        let two = try server.select()
        for client in [one, two] { _ = client.command("FETCH 1:4 FLAGS") }
        _ = two.command("STORE 1 +FLAGS (\\Flagged)")
        let modSeq = isConditional ? " MODSEQ (7)" : ""
        #expect(
            one.command("STORE 1:2 +FLAGS.SILENT (\\Seen)") == """
                * 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen)\(modSeq))\r
                \(isConditional ? "* 2 FETCH (UID 2 MODSEQ (7))\r\n" : "")T OK STORE completed\r\n
                """)
        #expect(one.command("NOOP") == "T OK NOOP completed\r\n")
        await server.stop()
    }

    @Test(
        "a keyword that no message has gives its place to a new one; a mailbox that is full takes messages all the same"
    )
    func keywords() async throws {
        let server = try await filled(2)
        let client = try server.select()
        // What changes nothing takes no place.
        for number in 0..<60 { #expect(client.command("UID STORE 99 +FLAGS (no\(number))").hasPrefix("T OK")) }
        let all = (0..<58).map { "key\($0)" }
        _ = client.command("STORE 1 +FLAGS.SILENT (\(all.joined(separator: " ")))")
        #expect(client.command("STORE 2 +FLAGS (more)") == "T NO [LIMIT] A limit is reached: keywords in a mailbox\r\n")
        #expect(client.command("APPEND INBOX (more key1) {6+}\r\nA: b\r\n").contains("T OK [APPENDUID 1 3]"))
        #expect(client.command("FETCH 3 FLAGS").contains("FLAGS (key1))"))
        _ = client.command("STORE 1 -FLAGS.SILENT (key7)")
        let answer = client.command("STORE 2 +FLAGS (more)")
        #expect(answer.contains("* 2 FETCH (UID 2 FLAGS (more))\r\nT OK"), "\(answer)")
        #expect(answer.contains("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft key0"))
        #expect(!answer.contains("key7 "))
        #expect(client.command("FETCH 1 FLAGS").contains("key6 key8"))
        #expect(client.command("SEARCH KEYWORD more") == "* SEARCH 2\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("a mailbox whose UIDs were never asked for learns of expunges all the same")
    func lazy() async throws {
        let server = try await filled()
        let two = try server.select()
        let one = try server.select()
        _ = one.command("STORE 2:3 +FLAGS.SILENT (\\Deleted)")
        _ = one.command("EXPUNGE")
        try await server.add("Subject: new\r\n\r\n")
        try await server.add("Subject: newer\r\n\r\n")
        // A UID that was not announced yet is nothing to UID STORE.
        _ = one.command("NOOP")
        _ = one.command("UID STORE 5 +FLAGS.SILENT (\\Deleted)")
        _ = one.command("EXPUNGE")
        #expect(two.command("NOOP") == "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 3 EXISTS\r\nT OK NOOP completed\r\n")
        #expect(
            two.command("FETCH 1:* UID")
                == "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 4)\r\n* 3 FETCH (UID 6)\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("a session whose mailbox is deleted by another is ended")
    func deleted() async throws {
        let server = try await filled()
        let one = try server.login()
        _ = one.command("CREATE Work")
        let two = try server.select("Work")
        #expect(one.command("DELETE Work") == "T OK DELETE completed\r\n")
        #expect(two.command("NOOP") == "* BYE The selected mailbox was deleted\r\n")
        await server.stop()
    }
}
