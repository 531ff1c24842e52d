import MartletCore
import SMTPProtocol
import Testing

@Suite struct ClientFailureTests {
    /// What the server has answered when something goes wrong, and where that is.
    static let places: [(answered: [String], stage: SMTPClientStage)] = [
        ([], .mail), (["250 ok\r\n"], .recipient), (["250 ok\r\n", "250 ok\r\n"], .recipient),
        (["250 ok\r\n", "250 ok\r\n", "550 no\r\n"], .data),
        (["250 ok\r\n", "250 ok\r\n", "550 no\r\n", "354 go\r\n"], .content),
        (["250 ok\r\n", "250 ok\r\n", "550 no\r\n", "354 go\r\n", ""], .endOfContent),
    ]

    /// A session that has come to the place, with two recipients.
    static func driver(at place: (answered: [String], stage: SMTPClientStage), pipelining: Bool) -> ClientDriver {
        let driver = ClientDriver.ready(pipelining ? ["PIPELINING"] : [])
        driver.givesContent = place.stage != .content
        driver.begin(.to(["anna@example.com", "cora@example.com"]))
        for text in place.answered { driver.feed(text) }
        return driver
    }

    /// Whether the second recipient was refused by then.
    static func isSecondRefused(_ place: (answered: [String], stage: SMTPClientStage)) -> Bool {
        place.answered.count > 2
    }

    @Test("The connection is lost at each stage", arguments: places.indices, [true, false])
    func lost(index: Int, pipelining: Bool) {
        let place = Self.places[index]
        let driver = Self.driver(at: place, pipelining: pipelining)
        driver.drop()
        let word = place.stage == .endOfContent ? "unknown" : "failed"
        let first = "\(word) at \(place.stage.rawValue)"
        #expect(driver.result?.summary == [first, Self.isSecondRefused(place) ? "refused 550 at RCPT" : first])
        #expect(driver.result?.recipients.first?.isPermanent == false)
        #expect(driver.result?.recipients.first?.isAccepted == false)
        #expect(driver.result?.recipients.first?.status == EnhancedStatus(4, 4, 2))
        #expect(driver.result?.isStaleConnection == false)
        #expect(driver.isClosed)
        #expect(driver.failures.isEmpty)
        #expect(driver.deadline == nil)
    }

    @Test("No answer at each stage: the deadline of that stage", arguments: places.indices)
    func silent(index: Int) {
        let place = Self.places[index]
        let driver = Self.driver(at: place, pipelining: true)
        let timeouts = SMTPClientTimeouts()
        let expected: [SMTPClientStage: Duration] = [
            .mail: timeouts.mail, .recipient: timeouts.recipient, .data: timeouts.data, .content: timeouts.contentPiece,
            .endOfContent: timeouts.endOfContent,
        ]
        #expect(driver.deadline == expected[place.stage])
        driver.wait()
        let word = place.stage == .endOfContent ? "unknown" : "failed"
        #expect(driver.result?.summary.first == "\(word) at \(place.stage.rawValue)")
        #expect(driver.isClosed)
    }

    @Test("421 at each stage: nobody else is taken, and the connection ends", arguments: places.indices, [true, false])
    func shutdown(index: Int, pipelining: Bool) {
        let place = Self.places[index]
        let driver = Self.driver(at: place, pipelining: pipelining)
        driver.feed("421 4.3.2 bye\r\n")
        let first = "refused 421 at \(place.stage.rawValue)"
        #expect(driver.result?.summary == [first, Self.isSecondRefused(place) ? "refused 550 at RCPT" : first])
        #expect(driver.result?.recipients.first?.isPermanent == false)
        #expect(driver.isClosed)
    }

    @Test(
        "A code that cannot be, at each stage: a failure that is not final", arguments: places.indices,
        ["354 eh\r\n", "250 eh\r\n", "199 eh\r\n", "eh?\r\n", "250-a\r\n550 b\r\n", "\u{0}\r\n"])
    func wrongCode(index: Int, answer: String) {
        let place = Self.places[index]
        // What is right at one place is wrong at another.
        if answer.hasPrefix("354"), place.stage == .data { return }
        if answer.hasPrefix("250 "), place.stage != .data, place.stage != .content { return }
        let driver = Self.driver(at: place, pipelining: true)
        driver.feed(answer)
        let word = place.stage == .endOfContent ? "unknown" : "failed"
        #expect(driver.result?.summary.first == "\(word) at \(place.stage.rawValue)")
        #expect(driver.result?.recipients.first?.isPermanent == false)
        #expect(driver.result?.recipients.first?.status.category == 4)
        #expect(driver.isClosed)
    }

    @Test("A refusal in the middle of the content counts, and the connection ends")
    func earlyRefusal() {
        let place = Self.places[4]
        let driver = Self.driver(at: place, pipelining: true)
        driver.feed("552 5.3.4 enough\r\n")
        #expect(driver.result?.summary == ["refused 552 at content", "refused 550 at RCPT"])
        #expect(driver.result?.recipients.first?.isPermanent == true)
        #expect(driver.isClosed)
    }

    @Test("A reply too many behind the last one ends the session, and the result stands")
    func oneTooMany() {
        let driver = Self.driver(at: Self.places[5], pipelining: true)
        driver.feed("250 ok\r\n250 and more\r\n")
        #expect(driver.result?.summary == ["accepted at endOfContent", "refused 550 at RCPT"])
        #expect(driver.failures.map(\.stage) == [.idle])
        #expect(driver.isClosed)
    }

    @Test("Part of a reply that nobody asked for is not taken for the next one's")
    func partTooMany() {
        let driver = Self.driver(at: Self.places[5], pipelining: true)
        driver.feed("250 ok\r\n250 and")
        #expect(driver.isReady)
        driver.begin(.to())
        driver.feed(" more\r\n")
        #expect(driver.result?.summary == ["failed at MAIL"])
        #expect(driver.isClosed)
    }

    @Test("Content that cannot be read here ends the session, and nobody is told that it was sent")
    func contentUnavailable() {
        let driver = Self.driver(at: Self.places[4], pipelining: true)
        driver.session.contentUnavailable()
        driver.feed("")
        #expect(driver.result?.summary == ["failed at content", "refused 550 at RCPT"])
        #expect(driver.isClosed)
        #expect(!driver.sent.contains("\r\n.\r\n"))
    }

    @Test("A small message that went with its envelope may have been taken, whatever was answered")
    func earlyContentLost() {
        for answers in ["", "250 ok\r\n", "250 ok\r\n250 ok\r\n"] {
            let driver = ClientDriver.ready(["PIPELINING", "CHUNKING"])
            driver.begin(.to())
            driver.feed(answers)
            driver.drop()
            #expect(driver.result?.summary == ["unknown at endOfContent"])
        }
    }

    @Test("A connection that was kept and is dead when it is used again is told")
    func stale() {
        let driver = ClientDriver.ready(["PIPELINING"])
        driver.begin(.to())
        driver.drop()
        #expect(driver.result?.isStaleConnection == false)
        let kept = ClientDriver.ready(["PIPELINING"])
        kept.begin(.to())
        kept.feed("250 ok\r\n250 ok\r\n354 go\r\n")
        kept.feed("250 ok\r\n")
        kept.begin(.to())
        kept.drop()
        #expect(kept.result?.isStaleConnection == true)
        #expect(kept.result?.summary == ["failed at MAIL"])
        let answered = ClientDriver.ready(["PIPELINING"])
        answered.begin(.to())
        answered.feed("250 ok\r\n250 ok\r\n354 go\r\n")
        answered.feed("250 ok\r\n")
        answered.begin(.to())
        answered.feed("250 ok\r\n")
        answered.drop()
        #expect(answered.result?.isStaleConnection == false)
    }

    @Test("Each reply begins a new wait, and part of one does not")
    func waits() {
        let driver = Self.driver(at: Self.places[0], pipelining: true)
        var before = driver.waits
        driver.feed("250-a\r\n25")
        #expect(driver.waits == before)
        driver.feed("0 b\r\n")
        #expect(driver.waits != before)
        before = driver.waits
        driver.feed("250 ok\r\n")
        #expect(driver.waits != before)
    }

    @Test("Ended from here in the middle of a transaction")
    func abandoned() {
        let driver = Self.driver(at: Self.places[1], pipelining: true)
        driver.quit()
        #expect(driver.result?.summary == ["failed at RCPT", "failed at RCPT"])
        #expect(driver.isClosed)
        driver.quit()
        driver.drop()
        driver.wait()
        driver.feed("250 ok\r\n")
        #expect(driver.results.count == 1)
    }
}
