import SMTPProtocol
import Testing

@Suite struct LimitTests {
    @Test("A line over the limit gets one 500 and is not held")
    func line() {
        let driver = SessionDriver()
        for _ in 0..<100 { driver.feed(String(repeating: "x", count: 1_000)) }
        #expect(driver.session.heldBytes <= 4_096)
        driver.feed("\r\nNOOP\r\n")
        #expect(driver.codes.dropFirst() == ["500/5.5.2", "250/2.0.0"])
    }

    @Test("A message over the limit gets 552 after its end, and the session goes on")
    func message() {
        var limits = SMTPLimits()
        limits.maximumMessageSize = 10_000
        let driver = SessionDriver(limits: limits)
        driver.feed(TranscriptTests.envelope + "DATA\r\n")
        for _ in 0..<50 { driver.feed(String(repeating: "y", count: 998) + "\r\n") }
        driver.feed(".\r\nNOOP\r\n")
        #expect(driver.codes.suffix(2) == ["552/5.3.4", "250/2.0.0"])
        #expect(driver.refusals == [.tooLarge(limit: 10_000)])
        driver.feed(
            "MAIL FROM:<a@b.test>\r\nRCPT TO:<b@one.test>\r\nBDAT 20000 LAST\r\n"
                + String(repeating: "z", count: 20_000) + "NOOP\r\n")
        #expect(driver.codes.suffix(2) == ["552/5.3.4", "250/2.0.0"])
    }

    @Test("One recipient over the limit gets 452, the others stay")
    func recipients() {
        var limits = SMTPLimits()
        limits.maximumRecipients = 3
        let driver = SessionDriver(limits: limits)
        driver.feed(
            TranscriptTests.envelope + String(repeating: "RCPT TO:<c@one.test>\r\n", count: 3) + "DATA\r\nx\r\n.\r\n")
        #expect(driver.codes.suffix(5) == ["250/2.1.5", "250/2.1.5", "452/4.5.3", "354", "250/2.0.0"])
    }

    @Test("Errors over the limit end the session with 421")
    func errors() {
        var limits = SMTPLimits()
        limits.maximumErrors = 5
        let driver = SessionDriver(limits: limits)
        driver.feed(String(repeating: "XYZZY\r\n", count: 50))
        #expect(
            driver.codes.dropFirst() == [
                "500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "421/4.7.0",
            ])
        #expect(driver.isClosed)
    }

    @Test("Transactions over the limit end the session with 421")
    func transactions() {
        var limits = SMTPLimits()
        limits.maximumTransactions = 2
        let driver = SessionDriver(limits: limits)
        driver.feed("EHLO c.test\r\n" + String(repeating: "MAIL FROM:<a@b.test>\r\nRSET\r\n", count: 3))
        #expect(driver.codes.last == "421/4.7.0")
    }

    @Test("More parameters than the limit get 555")
    func parameters() {
        let driver = SessionDriver()
        driver.feed("EHLO c.test\r\nMAIL FROM:<a@b.test>" + String(repeating: " SIZE=1", count: 17) + "\r\n")
        #expect(driver.codes.last == "555/5.5.4")
    }

    @Test("A line over the limit that ends with a bare LF ends the session, whole and in pieces")
    func longLineWithBareLineFeed() {
        let input = Array((String(repeating: "x", count: 5_000) + "\nMAIL FROM:<a@b.test>\r\n").utf8)
        let whole = SessionDriver()
        whole.feed(input)
        let drip = SessionDriver()
        for byte in input { drip.feed([byte]) }
        #expect(whole.isClosed)
        #expect(whole.codes.dropFirst() == ["500/5.5.2"])
        #expect(drip.output == whole.output)
    }

    @Test("A line that never ends is passed over up to a limit, then the session ends")
    func endlessLine() {
        let driver = SessionDriver()
        for _ in 0..<1_200 { driver.feed(String(repeating: "x", count: 1_000)) }
        #expect(driver.isClosed)
        #expect(driver.codes.last == "500/5.5.2")
    }

    @Test("AUTH with a long initial response is read; beyond its own limit it gets 500 5.5.6, whole and in pieces")
    func authenticationLine() {
        let fits = SessionDriver(role: .submission)
        fits.feed("EHLO c.test\r\nAUTH PLAIN " + String(repeating: "AAAA", count: 2_000) + "\r\n")
        #expect(fits.codes.last == "535/5.7.8")
        let input = Array(
            ("EHLO c.test\r\nAUTH PLAIN " + String(repeating: "AAAA", count: 4_000) + "\r\nNOOP\r\n").utf8)
        let whole = SessionDriver(role: .submission)
        whole.feed(input)
        #expect(whole.codes.suffix(2) == ["500/5.5.6", "250/2.0.0"])
        let drip = SessionDriver(role: .submission)
        for byte in input { drip.feed([byte]) }
        #expect(drip.output == whole.output)
    }

    @Test("A line of a message over the limit gets 554 after the end")
    func textLine() {
        var limits = SMTPLimits()
        limits.maximumTextLine = 1_000
        let driver = SessionDriver(limits: limits)
        driver.feed(TranscriptTests.envelope + "DATA\r\n" + String(repeating: "y", count: 1_001) + "\r\n.\r\nNOOP\r\n")
        #expect(driver.codes.suffix(2) == ["554/5.6.0", "250/2.0.0"])
        #expect(driver.refusals == [.lineTooLong(limit: 1_000)])
    }

    @Test("A message far over the limit that does not end ends the session with 552, by DATA and by BDAT")
    func endlessMessage() {
        var limits = SMTPLimits()
        limits.maximumMessageSize = 1_000
        limits.maximumDiscardedBytes = 10_000
        let data = SessionDriver(limits: limits)
        data.feed(TranscriptTests.envelope + "DATA\r\n")
        for _ in 0..<20 { data.feed(String(repeating: "y", count: 998) + "\r\n") }
        #expect(data.isClosed)
        #expect(data.codes.last == "552/5.3.4")
        let chunk = SessionDriver(limits: limits)
        chunk.feed("EHLO c.test\r\nBDAT 1000000\r\n")
        #expect(chunk.isClosed)
        #expect(chunk.codes.last == "552/5.3.4")
    }

    @Test("Refused recipients, excess recipients and idle commands each have a limit of their own: 421")
    func otherLimits() {
        var limits = SMTPLimits()
        limits.maximumRecipients = 1
        limits.maximumRefusedRecipients = 30
        limits.maximumExcessRecipients = 40
        limits.maximumIdleCommands = 50
        let refused = SessionDriver(limits: limits)
        refused.feed("EHLO c.test\r\nMAIL FROM:<>\r\n" + String(repeating: "RCPT TO:<nobody@one.test>\r\n", count: 40))
        #expect(refused.codes.filter { $0 == "550/5.1.1" }.count == 30)
        #expect(refused.codes.last == "421/4.7.0")
        let excess = SessionDriver(limits: limits)
        excess.feed(TranscriptTests.envelope + String(repeating: "RCPT TO:<c@one.test>\r\n", count: 60))
        #expect(excess.codes.filter { $0 == "452/4.5.3" }.count == 41)
        #expect(
            excess.envelopeRefusals.map(\.reason) == [.tooManyRecipients(limit: 1)], "one record for all of them")
        #expect(excess.envelopeRefusals.first?.recipient == "c@one.test")
        #expect(excess.codes.last == "421/4.7.0")
        let idle = SessionDriver(limits: limits)
        idle.feed(String(repeating: "NOOP\r\n", count: 60))
        #expect(idle.codes.filter { $0 == "250/2.0.0" }.count == 51)
        #expect(idle.codes.last == "421/4.7.0")
    }

    @Test("Empty chunks without end end the session with 421")
    func emptyChunks() {
        var limits = SMTPLimits()
        limits.maximumIdleCommands = 50
        let driver = SessionDriver(limits: limits)
        driver.feed(TranscriptTests.envelope + String(repeating: "BDAT 0\r\n", count: 100))
        #expect(driver.isClosed)
        #expect(driver.codes.last == "421/4.7.0")
    }

    @Test("A message that is taken clears the errors before it")
    func errorsCleared() {
        var limits = SMTPLimits()
        limits.maximumErrors = 5
        let driver = SessionDriver(limits: limits)
        let errors = String(repeating: "XYZZY\r\n", count: 4)
        driver.feed(errors + TranscriptTests.envelope + "DATA\r\nx\r\n.\r\n" + errors + "NOOP\r\n")
        #expect(!driver.isClosed)
        #expect(driver.codes.last == "250/2.0.0")
    }

    /// The same bytes, cut anyhow, get the same replies.
    @Test("Whole, byte by byte and in random pieces: the same replies and messages")
    func chunks() {
        let seed = UInt64.random(in: .min ... .max)
        print("LimitTests.chunks seed \(seed)")
        var generator = SplitMix(state: seed)
        let input = Array(
            (TranscriptTests.envelope
                + "DATA\r\nSubject: x\r\n\r\n..a\r\n\r\n.b\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@one.test>\r\nRCPT TO:<b@one.test>\r\n"
                + "BDAT 7\r\nab\r\nc\r\nBDAT 0 LAST\r\nNOOP\r\nXYZZY\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@one.test>\r\nDATA\r\nx\ny\r\n.\r\nQUIT\r\n")
                .utf8)
        let whole = SessionDriver()
        whole.feed(input)
        #expect(whole.messages.count == 2)
        #expect(whole.isClosed)
        let drip = SessionDriver()
        for byte in input { drip.feed([byte]) }
        #expect(drip.output == whole.output)
        #expect(drip.messages == whole.messages)
        for _ in 0..<200 {
            let pieces = SessionDriver()
            var place = 0
            while place < input.count {
                let end = min(input.count, place + Int.random(in: 1...20, using: &generator))
                pieces.feed(Array(input[place..<end]))
                place = end
            }
            #expect(pieces.output == whole.output)
            #expect(pieces.messages == whole.messages)
        }
    }
}

/// A small seeded generator (SplitMix64), so that a failing run can be had again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
