import IMAPServer
import MailStore
import MartletCore
import Testing

@Suite(.serialized) struct AppendTests {
    @Test("APPEND keeps octets, flags and date, and tells the UID")
    func one() async throws {
        let server = try await TestServer()
        let client = try server.select()
        client.send("a APPEND INBOX (\\Flagged $Label) \"07-Feb-1994 22:43:04 -0800\" {14}\r\n")
        #expect(client.line().hasPrefix("+ "))
        client.send("A: b\r\n\r\nbody\r\n\r\n")
        #expect(
            client.lines(to: "a ") == """
                * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label)\r
                * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label \\*)] Flags that are kept\r
                * 1 EXISTS\r
                a OK [APPENDUID 1 1] APPEND completed\r\n
                """)
        #expect(
            client.command("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])")
                == "* 1 FETCH (FLAGS (\\Flagged $Label) INTERNALDATE \" 8-Feb-1994 06:43:04 +0000\" BODY[] {14}\r\nA: b\r\n\r\nbody\r\n)\r\nT OK FETCH completed\r\n"
        )
        await server.stop()
    }

    @Test("several messages are appended together, and an empty one takes all of them back (RFC 3502)")
    func several() async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(
            client.command("APPEND Drafts (\\Draft) {6+}\r\nA: 1\r\n {6+}\r\nA: 2\r\n (\\Seen) {6+}\r\nA: 3\r\n")
                == "T OK [APPENDUID 3 1:3] APPEND completed\r\n")
        #expect(client.command("APPEND Drafts {6+}\r\nA: 4\r\n {0+}\r\n").hasPrefix("T NO APPEND cancelled"))
        #expect(client.command("APPEND Drafts {6+}\r\nA: 4\r\nrubbish").hasPrefix("T BAD"))
        #expect(
            client.command("STATUS Drafts (MESSAGES UNSEEN)")
                == "* STATUS Drafts (MESSAGES 3 UNSEEN 2)\r\nT OK STATUS completed\r\n")
        await server.stop()
    }

    @Test(
        "the parenthesis of UTF8 has to be closed, and none closed that is not open; nothing is stored then (RFC 6855 §4)",
        arguments: [
            "APPEND INBOX {5+}\r\nabcde)", "APPEND INBOX UTF8 (~{5+}\r\nabcde", "APPEND INBOX ~{5+}\r\nabcde)",
            "APPEND INBOX {1+}\r\na UTF8 (~{1+}\r\nb {1+}\r\nc", "APPEND INBOX UTF8 (~{5+}\r\nabcde))",
            "APPEND INBOX {5+}\r\nabcde) {15+}\r\n x NOOP\r\nx NOOP",
            "APPEND INBOX UTF8 (~{1+}\r\na (\\Seen) {6+}\r\ny NOOP",
        ])
    func parenthesis(_ command: String) async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(client.command(command) == "T BAD Expected another message or the end of APPEND\r\n")
        #expect(client.command("STATUS INBOX (MESSAGES)") == "* STATUS INBOX (MESSAGES 0)\r\nT OK STATUS completed\r\n")
        #expect(
            client.command("APPEND INBOX UTF8 (~{1+}\r\na) (\\Seen) {1+}\r\nb UTF8 (~{1+}\r\nc)")
                == "T OK [APPENDUID 1 1:3] APPEND completed\r\n")
        await server.stop()
    }

    @Test("a message that is too large, or has nowhere to go, is refused before an octet of it is read")
    func refused() async throws {
        var configuration = IMAPServerConfiguration()
        configuration.maximumMessageSize = 100
        let server = try await TestServer(configuration: configuration)
        let client = try server.login()
        #expect(client.command("APPEND INBOX {101}") == "T NO [TOOBIG] A message has 100 octets at most\r\n")
        #expect(client.command("APPEND Nowhere {10}") == "T NO [TRYCREATE] There is no such mailbox\r\n")
        // A literal that comes without being asked for is read past.
        let large = String(repeating: "x", count: 500)
        client.send("b APPEND INBOX {500+}\r\n\(large)\r\nc NOOP\r\n")
        #expect(client.line() == "b NO [TOOBIG] A message has 100 octets at most\r\n")
        #expect(client.line() == "c OK NOOP completed\r\n")
        #expect(
            client.command("STATUS INBOX (APPENDLIMIT MESSAGES)")
                == "* STATUS INBOX (MESSAGES 0 APPENDLIMIT 100)\r\nT OK STATUS completed\r\n")
        await server.stop()
    }

    @Test("NUL is refused in a literal, and in a literal8 as what cannot be stored")
    func nul() async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(client.command("APPEND INBOX {5+}\r\nab\0cd") == "T BAD NUL in a literal\r\n")
        #expect(
            client.command("APPEND INBOX ~{5+}\r\nab\0cd")
                == "T NO [UNKNOWN-CTE] A message with NUL cannot be stored\r\n")
        #expect(client.command("APPEND INBOX ~{6+}\r\nA: b\r\n") == "T OK [APPENDUID 1 1] APPEND completed\r\n")
        await server.stop()
    }

    @Test("an account without room gets OVERQUOTA and keeps what it has")
    func quota() async throws {
        let server = try await TestServer()
        try await server.store.updateAccount(
            server.account, displayName: nil, quota: .some(20), isAdministrator: nil, isSuspended: nil)
        let client = try server.login()
        #expect(client.command("APPEND INBOX {10+}\r\nA: 123456\n").hasPrefix("T OK"))
        #expect(client.command("APPEND INBOX {11+}\r\nA: 1234567\n") == "T NO [OVERQUOTA] The account has no room\r\n")
        #expect(client.command("SELECT INBOX").contains("* 1 EXISTS\r\n"))
        #expect(client.command("COPY 1 Trash").hasPrefix("T OK"))
        #expect(client.command("COPY 1 Trash") == "T NO [OVERQUOTA] The account has no room\r\n")
        await server.stop()
    }

    @Test("a message of many megabytes streams through")
    func large() async throws {
        let server = try await TestServer()
        let client = try server.login()
        let body =
            "Subject: large\r\n\r\n" + String(repeating: String(repeating: "y", count: 70) + "\r\n", count: 100_000)
        #expect(client.command("APPEND INBOX {\(body.utf8.count)+}\r\n\(body)").hasPrefix("T OK [APPENDUID 1 1]"))
        _ = client.command("SELECT INBOX")
        #expect(client.command("FETCH 1 (RFC822.SIZE BODY.PEEK[HEADER])").contains("RFC822.SIZE \(body.utf8.count) "))
        await server.stop()
    }

    @Test("a connection that ends inside APPEND stores nothing")
    func drop() async throws {
        let server = try await TestServer()
        let client = try server.login()
        client.send("a APPEND INBOX {100}\r\n")
        _ = client.line()
        client.send("half")
        client.drop()
        let other = try server.login()
        #expect(other.command("STATUS INBOX (MESSAGES)") == "* STATUS INBOX (MESSAGES 0)\r\nT OK STATUS completed\r\n")
        await server.stop()
    }
}
