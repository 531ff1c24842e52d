import MailStore
import Testing

@Suite(.serialized) struct BasicTests {
    @Test("a client logs in, selects INBOX and reads a message whole")
    func thinSlice() async throws {
        let server = try await TestServer()
        let message = "From: a@example.org\r\nSubject: One\r\n\r\nHello\r\n"
        try await server.add(message)
        let client = try server.login()
        #expect(
            client.command("SELECT INBOX") == """
                * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r
                * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags that are kept\r
                * 1 EXISTS\r
                * 0 RECENT\r
                * OK [UNSEEN 1] First unseen message\r
                * OK [UIDVALIDITY 1] UIDs are valid\r
                * OK [UIDNEXT 2] Next UID\r
                * OK [HIGHESTMODSEQ 2] Highest\r
                T OK [READ-WRITE] SELECT completed\r\n
                """)
        #expect(
            client.command("UID FETCH 1 BODY[]")
                == "* 1 FETCH (UID 1 BODY[] {\(message.utf8.count)}\r\n\(message) FLAGS (\\Seen))\r\nT OK UID FETCH completed\r\n"
        )
        #expect(client.command("LOGOUT") == "* BYE Logging out\r\nT OK LOGOUT completed\r\n")
        #expect(client.readToEnd() == "")
        await server.stop()
    }
}
