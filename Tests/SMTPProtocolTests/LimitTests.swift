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
        driver.feed("MAIL FROM:<a@b.test>\r\nRCPT TO:<b@one.test>\r\nBDAT 20000 LAST\r\n" + String(repeating: "z", count: 20_000) + "NOOP\r\n")
        #expect(driver.codes.suffix(2) == ["552/5.3.4", "250/2.0.0"])
    }

    @Test("One recipient over the limit gets 452, the others stay")
    func recipients() {
        var limits = SMTPLimits()
        limits.maximumRecipients = 3
        let driver = SessionDriver(limits: limits)
        driver.feed(TranscriptTests.envelope + String(repeating: "RCPT TO:<c@one.test>\r\n", count: 3) + "DATA\r\nx\r\n.\r\n")
        #expect(driver.codes.suffix(5) == ["250/2.1.5", "250/2.1.5", "452/4.5.3", "354", "250/2.0.0"])
    }

    @Test("Errors over the limit end the session with 421")
    func errors() {
        var limits = SMTPLimits()
        limits.maximumErrors = 5
        let driver = SessionDriver(limits: limits)
        driver.feed(String(repeating: "XYZZY\r\n", count: 50))
        #expect(driver.codes.dropFirst() == ["500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "500/5.5.1", "421/4.7.0"])
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

    /// The same bytes, cut anyhow, get the same replies.
    @Test("Whole, byte by byte and in random pieces: the same replies and messages")
    func chunks() {
        let seed = UInt64.random(in: .min ... .max)
        print("LimitTests.chunks seed \(seed)")
        var generator = SplitMix(state: seed)
        let input = Array(
            (TranscriptTests.envelope + "DATA\r\nSubject: x\r\n\r\n..a\r\n\r\n.b\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@one.test>\r\nRCPT TO:<b@one.test>\r\n"
                + "BDAT 7\r\nab\r\nc\r\nBDAT 0 LAST\r\nNOOP\r\nXYZZY\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@one.test>\r\nDATA\r\nx\ny\r\n.\r\nQUIT\r\n").utf8)
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
