import MartletCore
import SMTPProtocol
import Testing

@Suite struct ClientOpeningTests {
    @Test("Nothing is said before the greeting; then EHLO, and the session is ready")
    func greeting() {
        let driver = ClientDriver()
        #expect(driver.sent == "")
        driver.feed("220-mx.example.com\r\n220 ESMTP\r\n")
        #expect(driver.sent == "EHLO out.example.net\r\n")
        #expect(driver.readies == 0)
        driver.feed("250-mx.example.com at your service\r\n250-pipelining\r\n250-SIZE 1000\r\n250-8BitMime\r\n")
        driver.feed("250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n")
        driver.feed("250-X-ELSE a b\r\n250-REQUIRETLS\r\n250 LIMITS RCPTMAX=50 MAILMAX=7 OTHER=x\r\n")
        #expect(driver.readies == 1)
        #expect(driver.isReady)
        var expected = ServerCapabilities()
        expected.serverName = "mx.example.com"
        expected.pipelining = true
        expected.size = true
        expected.maximumSize = 1000
        expected.eightBitMIME = true
        expected.smtpUTF8 = true
        expected.chunking = true
        expected.binaryMIME = true
        expected.dsn = true
        expected.enhancedStatusCodes = true
        expected.requireTLS = true
        expected.maximumRecipients = 50
        expected.maximumTransactions = 7
        #expect(driver.capabilities == expected)
    }

    @Test(
        "SIZE tells a limit or none",
        arguments: [("SIZE", nil), ("SIZE 0", nil), ("SIZE 5", 5), ("SIZE x", nil), ("SIZE 99999999999999999999", nil)]
            as [(String, Int?)])
    func size(line: String, limit: Int?) {
        let capabilities = ClientDriver.ready([line]).capabilities
        #expect(capabilities.size)
        #expect(capabilities.maximumSize == limit)
    }

    @Test("A server without EHLO is greeted with HELO", arguments: ["500 what?", "502 5.5.1 no", "554 no", "504 no"])
    func helo(refusal: String) {
        let driver = ClientDriver()
        driver.feed("220 old\r\n")
        driver.feed("\(refusal)\r\n")
        #expect(driver.takeSent().hasSuffix("HELO out.example.net\r\n"))
        driver.feed("250 hello\r\n")
        #expect(driver.readies == 1)
        #expect(driver.capabilities == ServerCapabilities())
    }

    @Test(
        "An opening that fails says where and why",
        arguments: [
            (["554 5.7.1 go away\r\n"], .greeting, .refused(SMTPReply(554, EnhancedStatus(5, 7, 1), "go away"))),
            (["421 busy\r\n"], .greeting, .refused(SMTPReply(421, nil, "busy"))),
            (["250 hi\r\n"], .greeting, .unexpectedReply(SMTPReply(250, nil, "hi"))),
            (["354 hi\r\n"], .greeting, .unexpectedReply(SMTPReply(354, nil, "hi"))),
            (["SSH-2.0-OpenSSH\r\n"], .greeting, .malformedReply(.malformed("SSH-2.0-OpenSSH"))),
            (["220 a\r\n", "451 later\r\n"], .hello, .refused(SMTPReply(451, nil, "later"))),
            (["220 a\r\n", "550 no\r\n", "550 no\r\n"], .hello, .refused(SMTPReply(550, nil, "no"))),
            (["220 a\r\n", "334 eh\r\n"], .hello, .unexpectedReply(SMTPReply(334, nil, "eh"))),
            (["220 a\r\n", "250-a\r\n550 b\r\n"], .hello, .malformedReply(.contradictory(first: 250, last: 550))),
            // Two greetings: the second would be taken for EHLO's answer.
            (["220 a\r\n220 b\r\n"], .hello, .unexpectedReply(SMTPReply(220, nil, "b"))),
            (["220 a\r\n421 going\r\n"], .hello, .refused(SMTPReply(421, nil, "going"))),
        ] as [([String], SMTPClientStage, SMTPClientFailure)])
    func failures(server: [String], stage: SMTPClientStage, cause: SMTPClientFailure) {
        let driver = ClientDriver()
        for text in server { driver.feed(text) }
        #expect(driver.failures == [SMTPSessionFailure(stage: stage, cause: cause)])
        #expect(driver.isClosed)
        #expect(driver.readies == 0)
    }

    @Test("A connection that is lost or silent before it is ready")
    func lost() {
        for (server, stage) in [
            ("", SMTPClientStage.greeting), ("220 a\r\n", .hello), ("220 a\r\n|250-a\r\n250 STARTTLS\r\n", .startTLS),
        ] {
            for isSilent in [false, true] {
                let driver = ClientDriver()
                for part in server.split(separator: "|") { driver.feed(String(part)) }
                #expect(driver.deadline != nil)
                isSilent ? driver.wait() : driver.drop()
                #expect(
                    driver.failures == [
                        SMTPSessionFailure(stage: stage, cause: isSilent ? .timedOut : .connectionClosed)
                    ])
                #expect(driver.isClosed)
            }
        }
    }

    // MARK: STARTTLS

    @Test("After the handshake EHLO is said again, and what was offered before is forgotten")
    func startTLS() {
        let driver = ClientDriver()
        driver.feed("220 a\r\n")
        driver.feed("250-a\r\n250-SIZE 5\r\n250-CHUNKING\r\n250 STARTTLS\r\n")
        #expect(driver.takeSent() == "EHLO out.example.net\r\nSTARTTLS\r\n")
        driver.feed("220 go\r\n")
        #expect(driver.takeSent() == "<TLS>EHLO out.example.net\r\n")
        #expect(driver.capabilities == ServerCapabilities())
        #expect(driver.readies == 0)
        driver.feed("250-b\r\n250-STARTTLS\r\n250 PIPELINING\r\n")
        #expect(driver.readies == 1)
        #expect(driver.isEncrypted)
        #expect(driver.capabilities.pipelining)
        #expect(!driver.capabilities.chunking)
        #expect(driver.capabilities.maximumSize == nil)
        // No second STARTTLS.
        #expect(driver.takeSent() == "")
    }

    @Test(
        "Octets between the answer to STARTTLS and the handshake end the session",
        arguments: ["220 go\r\n250 injected\r\n", "220 go\r\n2", "220 go\r\n\u{16}\u{3}\u{1}"])
    func injection(text: String) {
        let driver = ClientDriver()
        driver.feed("220 a\r\n")
        driver.feed("250-a\r\n250 STARTTLS\r\n")
        driver.feed(text)
        #expect(driver.failures == [SMTPSessionFailure(stage: .startTLS, cause: .octetsBeforeHandshake)])
        #expect(!driver.sent.contains("<TLS>"))
    }

    @Test("Octets in clear while the handshake is awaited end the session")
    func clearTextInHandshake() {
        var session = SMTPClientSession(options: SMTPClientOptions(localName: "a"))
        for text in ["220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n"] {
            Array(text.utf8).withUnsafeBytes { session.receive($0) }
            while session.next() != nil {}
        }
        let deadline = session.deadline
        #expect(deadline == SMTPClientTimeouts().handshake)
        Array("250 x\r\n".utf8).withUnsafeBytes { session.receive($0) }
        let actions = [session.next(), session.next(), session.next()]
        #expect(
            actions == [.failed(SMTPSessionFailure(stage: .handshake, cause: .octetsBeforeHandshake)), .close, nil])
    }

    @Test("STARTTLS refused: in clear when TLS is not required, the end when it is")
    func startTLSRefused() {
        for tls in [SMTPClientOptions.TLSUse.whenOffered, .required] {
            let driver = ClientDriver(tls: tls)
            driver.feed("220 a\r\n")
            driver.feed("250-a\r\n250 STARTTLS\r\n")
            driver.feed("454 4.7.0 not now\r\n")
            let reply = SMTPReply(454, EnhancedStatus(4, 7, 0), "not now")
            if tls == .required {
                #expect(driver.failures == [SMTPSessionFailure(stage: .startTLS, cause: .startTLSRefused(reply))])
                #expect(driver.readies == 0)
            } else {
                #expect(driver.readies == 1)
                #expect(driver.startTLSRefusal == reply)
                #expect(!driver.isEncrypted)
            }
        }
    }

    @Test("STARTTLS not offered, or not wanted")
    func startTLSNotOffered() {
        let required = ClientDriver(tls: .required)
        required.feed("220 a\r\n")
        required.feed("250 a\r\n")
        #expect(required.failures == [SMTPSessionFailure(stage: .startTLS, cause: .startTLSNotOffered)])
        let opportunistic = ClientDriver.ready([])
        #expect(opportunistic.isReady)
        let none = ClientDriver(tls: .none)
        none.feed("220 a\r\n")
        none.feed("250-a\r\n250 STARTTLS\r\n")
        #expect(none.isReady)
    }

    @Test("A reply that nobody asked for ends an idle session")
    func idle() {
        let shutdown = ClientDriver.ready()
        #expect(shutdown.deadline == nil)
        shutdown.feed("421 4.3.2 shutting down\r\n")
        let reply = SMTPReply(421, EnhancedStatus(4, 3, 2), "shutting down")
        #expect(shutdown.failures == [SMTPSessionFailure(stage: .idle, cause: .refused(reply))])
        let unasked = ClientDriver.ready()
        unasked.feed("250 ok\r\n")
        #expect(
            unasked.failures == [SMTPSessionFailure(stage: .idle, cause: .unexpectedReply(SMTPReply(250, nil, "ok")))])
        #expect(unasked.isClosed)
    }

    @Test(
        "QUIT is said, and its answer, the end or the deadline closes",
        arguments: ["221 bye\r\n", "550 no\r\n", "x\r\n", ""])
    func quit(answer: String) {
        let driver = ClientDriver.ready()
        driver.quit()
        #expect(driver.takeSent() == "QUIT\r\n")
        answer.isEmpty ? driver.drop() : driver.feed(answer)
        #expect(driver.isClosed)
        #expect(driver.failures.isEmpty)
        let silent = ClientDriver.ready()
        silent.quit()
        silent.wait()
        #expect(silent.isClosed && silent.failures.isEmpty)
    }
}
