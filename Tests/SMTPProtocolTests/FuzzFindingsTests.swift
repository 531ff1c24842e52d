import SMTPProtocol
import Testing

/// What Fuzz/FuzzSMTPSession found, replayed.
@Suite struct FuzzFindingsTests {
    @Test("a NUL in an answer to AUTH ends the exchange: the next line is a command again")
    func nulInAuthentication() {
        let driver = SessionDriver(role: .submission)
        driver.feed("EHLO a\r\nAUTH PLAIN\r\nAAA\0\r\nNOOP\r\n")
        #expect(driver.codes.suffix(3) == ["334", "501/5.5.2", "250/2.0.0"])
    }

    @Test("a message with several faults is refused for the same one however it arrives")
    func severalFaults() {
        let content = "x" + String(repeating: "T", count: 20) + "\0T\nBDAT 5\rx\r\n.\r\n"
        let wire = Array("EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<ab@c.d>\r\nDATA\r\n\(content)NOOP\r\n".utf8)
        var limits = SMTPLimits()
        limits.maximumTextLine = 10
        for limits in [SMTPLimits(), limits] {
            let whole = SessionDriver(limits: limits)
            whole.feed(wire)
            #expect(whole.refusals.count == 1)
            for length in 1...30 {
                let cut = SessionDriver(limits: limits)
                var start = 0
                while start < wire.count {
                    cut.feed(Array(wire[start..<min(start + length, wire.count)]))
                    start += length
                }
                #expect(cut.output == whole.output)
                #expect(cut.refusals == whole.refusals)
            }
        }
    }
}
