import MartletCore
import SMTPProtocol
import Testing

@Suite struct ClientTransactionTests {
    static let ok = SMTPReply(250, nil, "ok")

    @Test("With PIPELINING the envelope and DATA go in one write")
    func pipelined() {
        let driver = ClientDriver.ready()
        driver.begin(.to(["anna@example.com", "cora@example.com"]))
        #expect(
            driver.takeSent()
                == "MAIL FROM:<ben@example.net> SIZE=21\r\nRCPT TO:<anna@example.com>\r\nRCPT TO:<cora@example.com>\r\nDATA\r\n"
        )
        driver.feed("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
        #expect(driver.takeSent() == "Subject: x\r\n\r\nhello\r\n.\r\n")
        #expect(driver.results.isEmpty)
        driver.feed("250 2.0.0 queued\r\n")
        #expect(driver.result?.summary == ["accepted at endOfContent", "refused 550 at RCPT"])
        #expect(driver.readies == 2)
        // The connection is used again.
        driver.begin(.to(from: nil))
        #expect(driver.takeSent() == "MAIL FROM:<> SIZE=21\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n")
        driver.feed("250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
        // The last reply came before there was anything to reply to.
        #expect(driver.result?.summary == ["failed at content"])
        #expect(driver.isClosed)
    }

    @Test("Without PIPELINING each command waits for the answer to the one before")
    func oneByOne() {
        let driver = ClientDriver.ready([])
        driver.begin(.to(["anna@example.com", "cora@example.com"]))
        let steps = [
            ("MAIL FROM:<ben@example.net>\r\n", "250 ok\r\n"), ("RCPT TO:<anna@example.com>\r\n", "450 later\r\n"),
            ("RCPT TO:<cora@example.com>\r\n", "251 ok\r\n"), ("DATA\r\n", "354 go\r\n"),
            ("Subject: x\r\n\r\nhello\r\n.\r\n", "250 ok\r\n"),
        ]
        for (sent, answer) in steps {
            #expect(driver.takeSent() == sent)
            driver.feed(answer)
        }
        #expect(driver.result?.summary == ["refused 450 at RCPT", "accepted at endOfContent"])
        #expect(driver.result?.recipients.map(\.isPermanent) == [false, false])
    }

    @Test("MAIL refused: nothing else is sent without PIPELINING, and with it the rest is let go by")
    func mailRefused() {
        let slow = ClientDriver.ready([])
        slow.begin(.to())
        slow.feed("550 5.7.1 no\r\n")
        #expect(slow.takeSent() == "MAIL FROM:<ben@example.net>\r\n")
        #expect(slow.result?.summary == ["refused 550 at MAIL"])
        let fast = ClientDriver.ready()
        fast.begin(.to())
        fast.feed("550 5.7.1 no\r\n503 eh\r\n")
        #expect(fast.results.isEmpty)
        fast.feed("503 eh\r\n")
        #expect(fast.result?.summary == ["refused 550 at MAIL"])
        for driver in [slow, fast] {
            #expect(driver.isReady)
            #expect(driver.wantedContent == 0)
            driver.begin(.to())
            #expect(driver.takeSent().contains("MAIL FROM"))
            #expect(!driver.sent.contains("RSET"))
        }
    }

    @Test("All recipients refused: no content is sent, and RSET goes before the next MAIL")
    func allRefused() {
        let slow = ClientDriver.ready([])
        slow.begin(.to())
        for answer in ["250 ok\r\n", "550 no\r\n"] { slow.feed(answer) }
        #expect(!slow.sent.contains("DATA"))
        let fast = ClientDriver.ready()
        fast.begin(.to())
        for answer in ["250 ok\r\n", "550 no\r\n", "554 no recipients\r\n"] { fast.feed(answer) }
        for driver in [slow, fast] {
            #expect(driver.result?.summary == ["refused 550 at RCPT"])
            #expect(driver.wantedContent == 0)
            _ = driver.takeSent()
            driver.begin(.to())
        }
        #expect(slow.takeSent() == "RSET\r\n")
        slow.feed("250 ok\r\n")
        #expect(slow.takeSent() == "MAIL FROM:<ben@example.net>\r\n")
        #expect(
            fast.takeSent() == "RSET\r\nMAIL FROM:<ben@example.net> SIZE=21\r\nRCPT TO:<anna@example.com>\r\nDATA\r\n")
        fast.feed("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n")
        fast.feed("250 ok\r\n")
        #expect(fast.result?.summary == ["accepted at endOfContent"])
    }

    @Test("A server that wants content for nobody gets an empty one (RFC 2920 §3.1)")
    func contentForNobody() {
        let driver = ClientDriver.ready()
        driver.begin(.to())
        driver.feed("250 ok\r\n550 no\r\n354 go\r\n")
        #expect(driver.takeSent().hasSuffix("DATA\r\n.\r\n"))
        driver.feed("554 no valid recipients\r\n")
        #expect(driver.result?.summary == ["refused 550 at RCPT"])
        #expect(driver.isReady)
        #expect(driver.wantedContent == 0)
    }

    @Test("RSET that is refused ends the session; the message is tried again")
    func resetRefused() {
        let driver = ClientDriver.ready([])
        driver.begin(.to())
        for answer in ["250 ok\r\n", "550 no\r\n"] { driver.feed(answer) }
        driver.begin(.to())
        driver.feed("502 no RSET\r\n")
        #expect(driver.result?.summary == ["failed at MAIL"])
        #expect(driver.result?.recipients.first?.isPermanent == false)
        #expect(driver.isClosed)
    }

    @Test("DATA refused, the message refused", arguments: [("451 4.3.0 later", false), ("554 5.6.0 no", true)])
    func contentRefused(answer: String, isPermanent: Bool) {
        let code = answer.prefix(3)
        for isAtData in [true, false] {
            let driver = ClientDriver.ready()
            driver.begin(.to())
            driver.feed("250 ok\r\n250 ok\r\n")
            if !isAtData { driver.feed("354 go\r\n") }
            driver.feed(answer + "\r\n")
            #expect(driver.result?.summary == ["refused \(code) at \(isAtData ? "DATA" : "endOfContent")"])
            #expect(driver.result?.recipients.first?.isPermanent == isPermanent)
            #expect(driver.isReady)
            _ = driver.takeSent()
            driver.begin(.to())
            #expect(driver.takeSent().hasPrefix(isAtData ? "RSET\r\n" : "MAIL"))
        }
    }

    @Test("552 to RCPT means too many recipients, unless it says that a mailbox is full (RFC 5321 §4.5.3.1.10)")
    func tooManyRecipients() {
        for (answer, isPermanent) in [("552 too many", false), ("552 5.5.3 too many", false), ("552 5.2.2 full", true)]
        {
            let driver = ClientDriver.ready()
            driver.begin(.to())
            driver.feed("250 ok\r\n\(answer)\r\n554 no\r\n")
            #expect(driver.result?.recipients.first?.isPermanent == isPermanent)
            #expect(driver.result?.recipients.first?.status.category == (isPermanent ? 5 : 4))
        }
    }

    @Test("Content comes in pieces, as they are asked for")
    func pieces() {
        let driver = ClientDriver.ready()
        driver.givesContent = false
        driver.begin(.to(), content: [])
        driver.feed("250 ok\r\n250 ok\r\n354 go\r\n")
        _ = driver.takeSent()
        for (number, piece) in ["a\r\n.b", "c\r", "\n.\r\n"].enumerated() {
            #expect(driver.wantedContent == number + 1)
            let waits = driver.waits
            #expect(driver.deadline == SMTPClientTimeouts().contentPiece)
            driver.session.content(Array(piece.utf8), isLast: number == 2)
            #expect(driver.waits > waits)
            driver.feed("")
        }
        #expect(driver.takeSent() == "a\r\n..bc\r\n..\r\n.\r\n")
        #expect(driver.deadline == SMTPClientTimeouts().endOfContent)
        driver.feed("250 ok\r\n")
        #expect(driver.result?.transcript.contains("* 11 octets of message") == true)
    }

    @Test("Content that nobody wants any more is ignored")
    func staleContent() {
        let driver = ClientDriver.ready(["PIPELINING", "CHUNKING"])
        driver.givesContent = false
        driver.begin(.to(), content: [])
        #expect(driver.wantedContent == 1)
        driver.feed("250 ok\r\n550 no\r\n")
        #expect(driver.result?.summary == ["refused 550 at RCPT"])
        _ = driver.takeSent()
        driver.session.content([65], isLast: true)
        driver.feed("")
        #expect(driver.takeSent() == "")
        #expect(driver.isReady)
        // The server has begun a transaction, which came to nothing.
        driver.begin(.to(), content: [])
        #expect(driver.takeSent().hasPrefix("RSET\r\nMAIL"))
        // Neither is it when only what was pipelined is still to be answered.
        driver.feed("250 ok\r\n550 no\r\n")
        driver.session.content([65], isLast: true)
        driver.feed("503 no\r\n")
        #expect(driver.takeSent() == "")
        #expect(driver.result?.summary == ["refused 550 at MAIL"])
        driver.begin(.to(), content: [])
        #expect(driver.takeSent().hasPrefix("MAIL"))
    }

    // MARK: BDAT

    @Test("A small message goes with BDAT in the same write as its envelope")
    func earlyChunk() {
        let driver = ClientDriver.ready(["PIPELINING", "CHUNKING"])
        driver.begin(.to())
        #expect(
            driver.takeSent()
                == "MAIL FROM:<ben@example.net>\r\nRCPT TO:<anna@example.com>\r\nBDAT 21 LAST\r\nSubject: x\r\n\r\nhello\r\n"
        )
        driver.feed("250 ok\r\n250 ok\r\n250 stored\r\n")
        #expect(driver.result?.summary == ["accepted at endOfContent"])
        // All refused: the answer to BDAT is awaited all the same, and RSET follows (RFC 3030 §2).
        driver.begin(.to())
        driver.feed("250 ok\r\n550 no\r\n")
        #expect(driver.results.count == 1)
        driver.feed("503 no recipients\r\n")
        #expect(driver.result?.summary == ["refused 550 at RCPT"])
        _ = driver.takeSent()
        driver.begin(.to())
        #expect(driver.takeSent().hasPrefix("RSET\r\nMAIL"))
    }

    @Test("A message that is larger, or a connection that may be dead, waits for RCPT's answer")
    func noEarlyContent() {
        let large = ClientDriver.ready(["PIPELINING", "CHUNKING"])
        large.begin(.to(size: 65_537))
        #expect(large.takeSent().hasSuffix("DATA\r\n"))
        let doubtful = ClientDriver.ready(["PIPELINING", "CHUNKING"])
        doubtful.begin(.to(), pieces: [Array("x\r\n".utf8)], early: false)
        #expect(doubtful.takeSent().hasSuffix("RCPT TO:<anna@example.com>\r\n"))
        doubtful.feed("250 ok\r\n250 ok\r\n")
        #expect(doubtful.takeSent() == "BDAT 3 LAST\r\nx\r\n")
        let slow = ClientDriver.ready(["CHUNKING"])
        slow.begin(.to())
        for answer in ["250 ok\r\n", "250 ok\r\n"] { slow.feed(answer) }
        #expect(slow.takeSent().hasSuffix("RCPT TO:<anna@example.com>\r\nBDAT 21 LAST\r\nSubject: x\r\n\r\nhello\r\n"))
    }

    @Test("Binary content goes as it is, in chunks")
    func binary() {
        let driver = ClientDriver.ready(["PIPELINING", "CHUNKING", "BINARYMIME"])
        let content: [[UInt8]] = [[0, 10, 13], [46, 13, 10], []]
        driver.begin(.to(size: 100_000, body: .binaryMIME), pieces: content)
        #expect(driver.takeSent().hasPrefix("MAIL FROM:<ben@example.net> BODY=BINARYMIME\r\n"))
        driver.feed("250 ok\r\n250 ok\r\n")
        #expect(driver.takeSent() == "BDAT 3\r\n\0\n\rBDAT 3\r\n.\r\nBDAT 0 LAST\r\n")
        driver.feed("250 ok\r\n250 ok\r\n250 ok\r\n")
        #expect(driver.result?.summary == ["accepted at endOfContent"])
    }

    @Test("Without PIPELINING a chunk waits for the answer to the one before; a refusal ends it")
    func chunksOneByOne() {
        let driver = ClientDriver.ready(["CHUNKING", "BINARYMIME"])
        driver.begin(.to(body: .binaryMIME), content: ["ab", "cd", "ef"])
        for answer in ["250 ok\r\n", "250 ok\r\n"] { driver.feed(answer) }
        #expect(driver.takeSent().hasSuffix("BDAT 2\r\nab"))
        driver.feed("250 ok\r\n")
        #expect(driver.takeSent() == "BDAT 2\r\ncd")
        driver.feed("452 4.3.1 disk full\r\n")
        #expect(driver.takeSent() == "")
        #expect(driver.result?.summary == ["refused 452 at content"])
        driver.begin(.to())
        #expect(driver.takeSent() == "RSET\r\n")
    }

    @Test("A chunk refused when others are on their way: their answers change nothing")
    func chunksPipelined() {
        let driver = ClientDriver.ready(["PIPELINING", "CHUNKING", "BINARYMIME"])
        driver.begin(.to(body: .binaryMIME), content: ["ab", "cd", "ef"])
        #expect(driver.takeSent().hasSuffix("BDAT 2\r\nabBDAT 2\r\ncdBDAT 2 LAST\r\nef"))
        driver.feed("250 ok\r\n250 ok\r\n552 5.3.4 too large\r\n503 eh\r\n")
        #expect(driver.results.isEmpty)
        driver.feed("503 eh\r\n")
        #expect(driver.result?.summary == ["refused 552 at content"])
        #expect(driver.result?.recipients.first?.isPermanent == true)
        #expect(driver.isReady)
    }

    // MARK: What the server cannot take

    @Test("SMTPUTF8 not offered: the recipients that need it are told so, the others go on")
    func utf8() {
        let whole = ClientDriver.ready()
        whole.begin(.to(needsSMTPUTF8: true))
        #expect(whole.takeSent() == "")
        #expect(whole.result?.summary == ["needs SMTPUTF8 at MAIL"])
        #expect(whole.result?.recipients.first?.status == EnhancedStatus(5, 6, 7))
        #expect(whole.result?.recipients.first?.isPermanent == true)
        #expect(whole.isReady)
        let sender = ClientDriver.ready()
        sender.begin(.to(from: "bärbel@example.net"))
        #expect(sender.result?.summary == ["needs SMTPUTF8 at MAIL"])
        let one = ClientDriver.ready()
        one.begin(.to(["änne@example.com", "cora@example.com"]))
        #expect(one.takeSent().hasSuffix("SIZE=21\r\nRCPT TO:<cora@example.com>\r\nDATA\r\n"))
        one.feed("250 ok\r\n250 ok\r\n354 go\r\n")
        one.feed("250 ok\r\n")
        #expect(one.result?.summary == ["needs SMTPUTF8 at RCPT", "accepted at endOfContent"])
        let offered = ClientDriver.ready(["PIPELINING", "SMTPUTF8"])
        offered.begin(.to(["änne@example.com"]))
        #expect(
            offered.takeSent() == "MAIL FROM:<ben@example.net> SMTPUTF8\r\nRCPT TO:<änne@example.com>\r\nDATA\r\n")
    }

    @Test("A message larger than SIZE says is not sent")
    func tooLarge() {
        let driver = ClientDriver.ready(["SIZE 20"])
        driver.begin(.to(["a@example.com", "b@example.com"], size: 21))
        #expect(driver.takeSent() == "")
        #expect(driver.result?.summary == ["too large at MAIL", "too large at MAIL"])
        #expect(driver.result?.recipients.first?.status == EnhancedStatus(5, 3, 4))
        driver.begin(.to(size: 20))
        #expect(driver.takeSent() == "MAIL FROM:<ben@example.net> SIZE=20\r\n")
    }

    @Test(
        "A body that the server does not take is given back to be converted",
        arguments: [
            ([], .eightBitMIME, false), (["8BITMIME"], .eightBitMIME, true), (["8BITMIME"], .binaryMIME, false),
            (["CHUNKING"], .binaryMIME, false), (["BINARYMIME"], .binaryMIME, false), ([], .sevenBit, true),
            (["CHUNKING", "BINARYMIME"], .binaryMIME, true),
        ] as [([String], BodyType, Bool)])
    func bodies(offered: [String], body: BodyType, isTaken: Bool) {
        let driver = ClientDriver.ready(offered)
        driver.begin(.to(body: body))
        #expect(driver.downgrades == (isTaken ? 0 : 1))
        let parameter = body == .sevenBit ? "" : " BODY=\(body.rawValue)"
        #expect(driver.takeSent() == (isTaken ? "MAIL FROM:<ben@example.net>\(parameter)\r\n" : ""))
        guard !isTaken else { return }
        #expect(driver.isReady)
        driver.begin(.to(body: .sevenBit))
        #expect(driver.takeSent() == "MAIL FROM:<ben@example.net>\r\n")
    }

    // MARK: LMTP

    @Test("LMTP answers the content once for each recipient that was taken (RFC 2033 §4.2)")
    func lmtp() {
        for extensions in [["PIPELINING"], ["PIPELINING", "CHUNKING"], []] {
            let driver = ClientDriver.ready(extensions, .lmtp)
            #expect(driver.sent == "LHLO out.example.net\r\n")
            driver.begin(.to(["a@example.com", "b@example.com", "c@example.com"]))
            for answer in ["250 ok\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n"] { driver.feed(answer) }
            if !extensions.contains("CHUNKING") { driver.feed("354 go\r\n") }
            driver.feed("250 stored\r\n")
            #expect(driver.results.isEmpty)
            driver.feed("452 full\r\n")
            #expect(
                driver.result?.summary == [
                    "accepted at endOfContent", "refused 550 at RCPT", "refused 452 at endOfContent",
                ])
            #expect(driver.isReady)
        }
        let refused = ClientDriver(.lmtp)
        refused.feed("220 a\r\n")
        refused.feed("500 what?\r\n")
        #expect(refused.isClosed)
    }
}
