import MartletCore
import SMTPProtocol
import Testing

@Suite("A client that asks for a recipient and sends nothing")
struct ClientProbeTests {
    private static func anna(_ text: String = "anna@example.com") throws -> EmailAddress {
        try #require(EmailAddress(text))
    }

    @Test("MAIL FROM:<>, RCPT and RSET go one after the other, then QUIT, and never DATA")
    func conversation() throws {
        let driver = ClientDriver.ready()
        driver.probe(try Self.anna())
        #expect(driver.takeSent() == "MAIL FROM:<>\r\n")
        #expect(!driver.isReady)
        driver.feed("250 2.1.0 ok\r\n")
        #expect(driver.takeSent() == "RCPT TO:<anna@example.com>\r\n")
        driver.feed("250-2.1.5 fine\r\n250 2.1.5 indeed\r\n")
        #expect(driver.takeSent() == "RSET\r\n")
        #expect(driver.probes.isEmpty)
        driver.feed("250 ok\r\n")
        let result = try #require(driver.probes.first)
        #expect(result.senderReply?.code == 250)
        #expect(result.recipientReply == SMTPReply(250, EnhancedStatus(2, 1, 5), lines: ["fine", "indeed"]))
        #expect(result.failure == nil)
        #expect(result.transcript.contains("> RCPT TO:<anna@example.com>"))
        #expect(driver.isReady)
        driver.quit()
        #expect(driver.takeSent() == "QUIT\r\n")
        #expect(!driver.sent.contains("DATA") && !driver.sent.contains("BDAT"))
    }

    @Test(
        "A recipient that is refused is told of, and the session is ready again",
        arguments: ["550 5.1.1 no", "451 4.7.1 later"])
    func refused(_ reply: String) throws {
        let driver = ClientDriver.ready()
        driver.probe(try Self.anna())
        driver.feed("250 ok\r\n\(reply)\r\n")
        // Two replies to one command: what comes unasked ends the session.
        #expect(driver.isClosed)
        let other = ClientDriver.ready()
        other.probe(try Self.anna())
        other.feed("250 ok\r\n")
        other.feed("\(reply)\r\n")
        other.feed("250 ok\r\n")
        #expect(other.probes.first?.recipientReply?.description == reply)
        #expect(other.isReady)
    }

    @Test("A sender that is refused ends it without RCPT")
    func senderRefused() throws {
        let driver = ClientDriver.ready()
        driver.probe(try Self.anna())
        driver.feed("550 5.7.1 no bounces here\r\n")
        let result = try #require(driver.probes.first)
        #expect(result.senderReply?.code == 550 && result.recipientReply == nil)
        #expect(driver.isReady)
        #expect(!driver.sent.contains("RCPT"))
    }

    @Test("An address that needs SMTPUTF8 is asked for where that is offered, and nowhere else")
    func internationalised() throws {
        let driver = ClientDriver.ready(["SMTPUTF8"])
        driver.probe(try Self.anna("änna@example.com"))
        #expect(driver.takeSent() == "MAIL FROM:<> SMTPUTF8\r\n")
        let other = ClientDriver.ready(["PIPELINING"])
        other.probe(try Self.anna("änna@example.com"))
        #expect(other.takeSent() == "")
        #expect(other.probes.first?.needsSMTPUTF8 == true)
        #expect(other.isReady)
    }

    @Test(
        "Whatever ends it, what was answered before is kept",
        arguments: ["drop", "wait", "421 4.3.2 bye\r\n", "354 go\r\n", "garbage\r\n"])
    func endings(_ how: String) throws {
        for stage in 0..<3 {
            let driver = ClientDriver.ready()
            driver.probe(try Self.anna())
            if stage > 0 { driver.feed("250 ok\r\n") }
            if stage > 1 { driver.feed("250 2.1.5 taken\r\n") }
            switch how {
            case "drop": driver.drop()
            case "wait": driver.wait()
            default: driver.feed(how)
            }
            let result = try #require(driver.probes.first)
            #expect(driver.probes.count == 1 && driver.failures.isEmpty)
            #expect(driver.isClosed)
            #expect(result.failure?.stage == (stage == 1 ? .recipient : .mail))
            if stage > 1 { #expect(result.recipientReply?.code == 250) }
            if stage == 1 { #expect(result.recipientReply?.code == (how.hasPrefix("421") ? 421 : nil)) }
        }
    }
}
