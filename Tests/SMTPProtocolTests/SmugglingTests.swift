import SMTPProtocol
import Testing

/// Ends of data that some servers take and others do not: none may end a message here, and the message is refused.
@Suite struct SmugglingTests {
    static let smuggled = "MAIL FROM:<evil@far.test>\r\nRCPT TO:<b@one.test>\r\nDATA\r\nfake\r\n.\r\n"

    @Test(
        "A line end that is not CRLF does not end the message",
        arguments: [
            "\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\r\n.\r\r\n", "\n\n.\n\n", "\r\n.\r\r\n",
            "\n.\r", "\r\n\0.\r\n",
        ])
    func ends(end: String) {
        let driver = SessionDriver()
        driver.feed(TranscriptTests.envelope + "DATA\r\nreal" + end + Self.smuggled)
        // One message came, it was refused, and what looked like commands was inside it.
        #expect(driver.messages.isEmpty)
        #expect(driver.refusals.count == 1)
        #expect(driver.codes.filter { $0 == "250/2.1.0" }.count == 1)
        #expect(driver.codes.last?.hasPrefix("550/5.6.0") == true)
        #expect(driver.output.contains("bare") || driver.output.contains("NUL"))
    }

    @Test(
        "A command line that ends with a bare LF or holds a bare CR ends the session",
        arguments: ["NOOP\nNOOP\r\n", "NO\rOP\r\nNOOP\r\n", "NOOP\r\r\n"])
    func commands(input: String) {
        let driver = SessionDriver()
        driver.feed(input)
        #expect(driver.isClosed)
        #expect(driver.codes.dropFirst() == ["500/5.5.2"])
    }

    @Test("A bare line end in a chunk is refused like in DATA", arguments: ["a\nb\r\n", "a\rb\r\n", "abcd\r"])
    func chunks(text: String) {
        let driver = SessionDriver()
        driver.feed(TranscriptTests.envelope + "BDAT \(text.utf8.count) LAST\r\n" + text)
        #expect(driver.messages.isEmpty)
        #expect(driver.refusals.count == 1)
    }

    @Test(
        "A BDAT whose size is not understood ends the session, so that its octets are no commands",
        arguments: ["BDAT", "BDAT x", "BDAT -1 LAST", "BDAT 5 FIRST", "BDAT 5 LAST LAST", "BDAT 99999999999999999999"])
    func chunkWithoutSize(command: String) {
        let driver = SessionDriver()
        driver.feed(TranscriptTests.envelope + command + "\r\nNOOP\r\n")
        #expect(driver.isClosed)
        #expect(driver.codes.last == "501/5.5.4")
    }
}
