import MartletBytes
import POP3Protocol
import Testing

/// What Fuzz/FuzzPOP3Session found, replayed.
@Suite struct FuzzFindingsTests {
    @Test("a header of quotes that do not end costs no more than its length", .timeLimit(.minutes(1)))
    func openQuotes() {
        // Squared, this would be minutes; it takes some milliseconds.
        let line = [UInt8](repeating: UInt8(ascii: "\\"), count: 1)
        let quotes = Array([[UInt8]](repeating: line + [UInt8(ascii: "\"")], count: 1_000_000).joined())
        let output = POP3HeaderDowngrade.apply(quotes + [0xE4])
        #expect(output.starts(with: quotes))
        #expect(output.allSatisfy { $0 < 0x80 })
    }

    @Test("a line of CR CR LF does not end a header, wherever a message is cut")
    func twoCRs() {
        let message = Array("A: b\r\n\r\r\nC: d\r\n\r\n1\r\n2\r\n".utf8)
        let whole = written(message, lines: 1)
        #expect(String(decoding: whole, as: UTF8.self) == "A: b\r\n\r\r\nC: d\r\n\r\n1\r\n.\r\n")
        for first in 0...message.count {
            for second in first...message.count {
                #expect(written(message, lines: 1, cutAt: [first, second]) == whole)
            }
        }
    }
}
