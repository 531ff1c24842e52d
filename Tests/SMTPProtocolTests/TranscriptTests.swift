import MartletCore
import SMTPProtocol
import Testing

@Suite struct TranscriptTests {
    static let start = "EHLO c.test\r\n"
    static let envelope = "EHLO c.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<b@one.test>\r\n"

    private static func codes(_ input: String, role: SMTPServerSession.Role = .relay, limits: SMTPLimits = SMTPLimits())
        -> [String]
    {
        let driver = SessionDriver(role: role, limits: limits)
        driver.feed(input)
        return Array(driver.codes.dropFirst())
    }

    @Test(
        "What a client says gets these replies",
        arguments: [
            ("MAIL FROM:<a@b.test>\r\n", ["503/5.5.1"]), ("RCPT TO:<a@b.test>\r\n", ["503/5.5.1"]),
            ("DATA\r\n", ["503/5.5.1"]),
            ("HELO\r\n", ["501/5.5.4"]), ("HELO c.test\r\n", ["250"]), ("EHLO c.test\r\n", ["250"]),
            ("LHLO c.test\r\n", ["500/5.5.1"]),
            ("NOOP\r\nNOOP anything\r\n", ["250/2.0.0", "250/2.0.0"]), ("VRFY root\r\n", ["252/2.5.0"]),
            ("EXPN list\r\n", ["502/5.5.1"]),
            ("HELP\r\n", ["214/2.0.0"]), ("RSET\r\n", ["250/2.0.0"]), ("RSET x\r\n", ["501/5.5.4"]),
            ("QUIT\r\n", ["221/2.0.0"]),
            ("XYZZY\r\n", ["500/5.5.1"]), ("\r\n", ["500/5.5.1"]), ("AUTH PLAIN\r\n", ["502/5.5.1"]),
            (start + "MAIL FROM:<>\r\nRCPT TO:<b@one.test>\r\n", ["250", "250/2.1.0", "250/2.1.5"]),
            (start + "mail from:<a@b.test>\r\nrcpt to:<postmaster>\r\n", ["250", "250/2.1.0", "250/2.1.5"]),
            (start + "MAIL FROM: <a@b.test>\r\n", ["250", "250/2.1.0"]),
            (start + "MAIL FROM:a@b.test\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<@x.test,@y.test:a@b.test>\r\n", ["250", "250/2.1.0"]),
            (start + "MAIL FROM:<\"a>b\"@b.test>\r\n", ["250", "250/2.1.0"]),
            (start + "MAIL FROM:<a@b.test\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<a@b.test>SIZE=1\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<a b@c.test>\r\n", ["250", "501/5.1.7"]),
            (start + "MAIL FROM:<a@b.test> SIZE=99999999999999999999\r\n", ["250", "552/5.3.4"]),
            (start + "MAIL FROM:<a@b.test>\r\nRCPT TO:<b@bücher.test>\r\n", ["250", "250/2.1.0", "553/5.6.7"]),
            (start + "MAIL FROM:<a@b.test> SIZE=99999999999\r\n", ["250", "552/5.3.4"]),
            (start + "MAIL FROM:<a@b.test> SIZE=x\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<a@b.test> SIZE=99999999999999999999999\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<a@b.test> BODY=8BITMIME SMTPUTF8 AUTH=<>\r\n", ["250", "250/2.1.0"]),
            (start + "MAIL FROM:<a@b.test> BODY=9BIT\r\n", ["250", "501/5.5.4"]),
            (start + "MAIL FROM:<a@b.test> FOO=1\r\n", ["250", "555/5.5.4"]),
            (start + "MAIL FROM:<ü@b.test>\r\n", ["250", "553/5.6.7"]),
            (start + "MAIL FROM:<ü@b.test> SMTPUTF8\r\n", ["250", "250/2.1.0"]),
            (start + "MAIL FROM:<a@b.test>\r\nRCPT TO:<ü@one.test>\r\n", ["250", "250/2.1.0", "553/5.6.7"]),
            (start + "MAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\n", ["250", "250/2.1.0", "503/5.5.1"]),
            (start + "MAIL FROM:<bad@b.test>\r\nRCPT TO:<b@one.test>\r\n", ["250", "550/5.7.1", "503/5.5.1"]),
            (
                start + "MAIL FROM:<a@b.test>\r\nRCPT TO:<nobody@one.test>\r\nDATA\r\n",
                ["250", "250/2.1.0", "550/5.1.1", "554/5.5.1"]
            ),
            (
                start + "MAIL FROM:<a@b.test>\r\nRCPT TO:<>\r\nRCPT TO:<b@one.test> FOO=1\r\n",
                ["250", "250/2.1.0", "501/5.1.3", "555/5.5.4"]
            ),
            (envelope + "EHLO again.test\r\nDATA\r\n", ["250", "250/2.1.0", "250/2.1.5", "250", "503/5.5.1"]),
            (envelope + "RSET\r\nDATA\r\n", ["250", "250/2.1.0", "250/2.1.5", "250/2.0.0", "503/5.5.1"]),
            (
                envelope + "DATA\r\nx\r\n.\r\nNOOP\r\n",
                ["250", "250/2.1.0", "250/2.1.5", "354", "250/2.0.0", "250/2.0.0"]
            ),
            (envelope + "STARTTLS\r\n", ["250", "250/2.1.0", "250/2.1.5", "503/5.5.1"]),
            ("NOOP\0\r\nNOOP\r\n", ["500/5.5.2", "250/2.0.0"]),
        ] as [(String, [String])])
    func replies(input: String, expected: [String]) { #expect(Self.codes(input) == expected) }

    @Test(
        "Submission asks for a login",
        arguments: [
            (start + "MAIL FROM:<a@b.test>\r\n", ["250", "530/5.7.0"]),
            ("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", ["503/5.5.1"]),
            (start + "AUTH PLAIN AGFubmEAc2VjcmV0\r\nMAIL FROM:<a@b.test>\r\n", ["250", "235/2.7.0", "250/2.1.0"]),
            (start + "AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\nAUTH PLAIN\r\n", ["250", "334", "235/2.7.0", "503/5.5.1"]),
            (start + "AUTH PLAIN eA==\r\n", ["250", "535/5.7.8"]),
            (start + "AUTH PLAIN !!!\r\n", ["250", "501/5.5.2"]),
            (start + "AUTH PLAIN\r\n!!!\r\nNOOP\r\n", ["250", "334", "501/5.5.2", "250/2.0.0"]),
            (start + "AUTH PLAIN =\r\n", ["250", "535/5.7.8"]),
            (start + "AUTH\r\n", ["250", "501/5.5.4"]),
        ] as [(String, [String])])
    func submission(input: String, expected: [String]) { #expect(Self.codes(input, role: .submission) == expected) }

    @Test("An HTTP request ends the session, and its body is no command")
    func otherProtocol() {
        let driver = SessionDriver()
        driver.feed("POST / HTTP/1.1\r\nHost: x\r\n\r\n" + Self.envelope)
        #expect(driver.isClosed)
        #expect(driver.codes.dropFirst() == ["500/5.5.1"])
    }

    @Test("LMTP without a valid recipient answers DATA with 503")
    func lmtpData() {
        let input = "LHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@one.test>\r\nDATA\r\n"
        #expect(Self.codes(input, role: .lmtp).last == "503/5.5.1")
    }

    @Test("What the protocol refuses of an envelope is told to the driver for a record")
    func envelopeRefusals() {
        let driver = SessionDriver(role: .submission)
        driver.feed(
            Self.start + "MAIL FROM:<a@b.test>\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\nMAIL FROM:<a@b.test> SIZE=60000000\r\n"
        )
        driver.feed("MAIL FROM:<ü@b.test>\r\n")
        #expect(
            driver.envelopeRefusals == [
                EnvelopeRefusal(.authenticationRequired, sender: "a@b.test"),
                EnvelopeRefusal(.declaredTooLarge(60_000_000, limit: 50_000_000), sender: "a@b.test"),
                EnvelopeRefusal(.needsSMTPUTF8, sender: "ü@b.test"),
            ])
    }

    @Test(
        "A sender or recipient that is refused for its form is told with what was written, and RSET forgets the one before"
    )
    func malformedPaths() {
        let driver = SessionDriver()
        driver.feed(Self.start + "MAIL FROM:<first@b.test>\r\nRSET\r\n")
        let isClosed = !driver.session.isInTransaction
        #expect(isClosed)
        driver.feed("MAIL FROM:<second@b.test> FOO=1\r\nMAIL FROM:<@>\r\nMAIL FROM:<third@b.test>\r\n")
        let isOpen = driver.session.isInTransaction
        #expect(isOpen)
        driver.feed("RCPT TO:<d@one.test> FOO=1\r\nRCPT TO:e@one.test\r\nRCPT TO:<ü@one.test>\r\n")
        #expect(
            driver.envelopeRefusals == [
                EnvelopeRefusal(.malformed, sender: "second@b.test"), EnvelopeRefusal(.malformed, sender: "@"),
                EnvelopeRefusal(.malformed, sender: "third@b.test", recipient: "d@one.test"),
                EnvelopeRefusal(.malformed, sender: "third@b.test", recipient: "TO:e@one.test"),
                EnvelopeRefusal(.needsSMTPUTF8, sender: "third@b.test", recipient: "ü@one.test"),
            ])
    }

    @Test("LMTP says LHLO and refuses EHLO")
    func lmtp() {
        #expect(
            Self.codes("EHLO c.test\r\nLHLO c.test\r\nMAIL FROM:<>\r\n", role: .lmtp) == [
                "500/5.5.1", "250", "250/2.1.0",
            ])
    }

    @Test("EHLO announces every extension, AUTH only where it may be used")
    func extensions() {
        let relay = SessionDriver()
        relay.feed(Self.start)
        for word in [
            "PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "ENHANCEDSTATUSCODES",
            "LIMITS RCPTMAX=1000", "STARTTLS",
        ] {
            #expect(relay.output.contains(word))
        }
        #expect(!relay.output.contains("AUTH"))
        let submission = SessionDriver(role: .submission)
        submission.feed(Self.start)
        #expect(submission.output.contains("AUTH PLAIN"))
        submission.feed("AUTH PLAIN AGFubmEAc2VjcmV0\r\n")
        submission.output = ""
        submission.feed(Self.start)
        #expect(!submission.output.contains("AUTH"))
    }

    @Test("STARTTLS begins anew; bytes behind it end the session unused")
    func startTLS() {
        let driver = SessionDriver()
        driver.feed(Self.start + "STARTTLS\r\n")
        #expect(driver.output.hasSuffix("<TLS>"))
        driver.feed("MAIL FROM:<a@b.test>\r\n")
        #expect(driver.codes.last == "503/5.5.1", "EHLO is needed again")
        driver.feed("EHLO c.test\r\n")
        #expect(!driver.output.split(separator: "<TLS>")[1].contains("STARTTLS"))

        let injected = SessionDriver()
        injected.feed(Self.start + "STARTTLS\r\nMAIL FROM:<evil@b.test>\r\n")
        #expect(injected.isClosed)
        #expect(!injected.output.contains("<TLS>"))
    }

    @Test("Dots are taken out, and the message is what was sent", arguments: ["DATA", "BDAT"])
    func content(way: String) {
        let body = "Subject: x\r\n\r\n.one\r\n..two\r\n\r\n.\u{FF}\r\n"
        let driver = SessionDriver()
        driver.feed(Self.envelope)
        if way == "DATA" {
            driver.feed("DATA\r\n" + body.replacing("\r\n.", with: "\r\n..") + ".\r\n")
        } else {
            driver.feed("BDAT 5\r\n" + body.prefix(5))
            driver.feed("BDAT \(body.utf8.count - 5) LAST\r\n" + body.dropFirst(5))
        }
        #expect(driver.messages == [Array(body.utf8)])
    }

    @Test("BDAT that is refused still takes its octets, so that they are no commands")
    func refusedChunk() {
        #expect(Self.codes("EHLO c.test\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n") == ["250", "503/5.5.1", "250/2.0.0"])
        #expect(
            Self.codes(Self.envelope + "BDAT 3\r\nabcDATA\r\nRSET\r\nNOOP\r\n").suffix(4) == [
                "250/2.0.0", "503/5.5.1", "250/2.0.0", "250/2.0.0",
            ])
        #expect(
            Self.codes(Self.start + "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<b@one.test>\r\nDATA\r\n").last
                == "503/5.5.1")
    }

    @Test("BINARYMIME takes every octet as it is")
    func binary() {
        let driver = SessionDriver()
        driver.feed("EHLO c.test\r\nMAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<b@one.test>\r\nBDAT 256 LAST\r\n")
        let bytes = (0...255).map { UInt8($0) }
        driver.feed(bytes)
        #expect(driver.messages == [bytes])
    }
}
