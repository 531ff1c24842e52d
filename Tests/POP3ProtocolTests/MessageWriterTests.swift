import MartletBytes
import POP3Protocol
import Testing

/// What a client has that ends at CRLF.CRLF and takes one dot from each line that begins with one (RFC 1939 §3).
func unstuffed(_ wire: [UInt8]) -> [UInt8]? {
    var lines: [[UInt8]] = []
    var line: [UInt8] = []
    for byte in wire {
        line.append(byte)
        guard byte == 0x0A else { continue }
        if line == Array(".\r\n".utf8) { return lines.flatMap { $0 } }
        lines.append(line.first == UInt8(ascii: ".") ? Array(line.dropFirst()) : line)
        line = []
    }
    return nil
}

func written(_ message: [UInt8], lines: Int?, cutAt: [Int] = []) -> [UInt8] {
    var writer = POP3MessageWriter(lines: lines)
    var output: [UInt8] = []
    var from = 0
    for cut in cutAt + [message.count] {
        output += writer.write(Array(message[from..<cut]))
        from = cut
    }
    return output + writer.finish()
}

@Suite struct MessageWriterTests {
    @Test(
        "a message comes back as it was, in one piece and cut anywhere",
        arguments: [
            "", "a", "a\r\n", ".\r\n", "..\r\n", "a\r\n.\r\nb\r\n", "A: b\r\n\r\n.x\r\n..y\r\n\r\n.", "a\n.\nb\r\n",
            "\n.\n", "a\r", ".", "a\r\n.",
        ])
    func roundTrip(text: String) {
        let message = Array(text.utf8)
        let whole = written(message, lines: nil)
        let expected = text.hasSuffix("\r\n") ? message : message + Array("\r\n".utf8)
        #expect(unstuffed(whole) == expected)
        for first in 0...message.count {
            for second in first...message.count {
                #expect(written(message, lines: nil, cutAt: [first, second]) == whole)
            }
        }
    }

    @Test(
        "TOP gives the header, the empty line and the first lines of the body",
        arguments: [
            ("A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, "A: b\r\n\r\n.\r\n"),
            ("A: b\r\n\r\n1\r\n2\r\n3\r\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n"),
            ("A: b\r\n\r\n1\r\n2\r\n3\r\n", 9, "A: b\r\n\r\n1\r\n2\r\n3\r\n.\r\n"), ("A: b\r\n", 3, "A: b\r\n.\r\n"),
            ("A: b", 0, "A: b\r\n.\r\n"),
            ("A: b\n\n1\n2\n", 1, "A: b\n\n1\n\r\n.\r\n"), ("\r\n.1\r\n2\r\n", 1, "\r\n..1\r\n.\r\n"),
            ("", 5, "\r\n.\r\n"),
            ("A: b\r\n\r\n1\r\n", 1, "A: b\r\n\r\n1\r\n.\r\n"),
            ("A: b\r\n\r\n\r\n\r\n2\r\n", 2, "A: b\r\n\r\n\r\n\r\n.\r\n"),
        ])
    func top(text: String, lines: Int, expected: String) {
        let message = Array(text.utf8)
        #expect(String(decoding: written(message, lines: lines), as: UTF8.self) == expected)
        for first in 0...message.count {
            for second in first...message.count {
                #expect(
                    written(message, lines: lines, cutAt: [first, second]) == Array(expected.utf8),
                    "cut at \(first), \(second)")
            }
        }
    }

    @Test("random messages of dots and line ends come back as they were")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        for _ in 0..<2_000 {
            let alphabet = Array("..\r\n\na".utf8)
            let message = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            let expected = message.suffix(2).elementsEqual("\r\n".utf8) ? message : message + Array("\r\n".utf8)
            let cut = Int.random(in: 0...message.count, using: &generator)
            #expect(unstuffed(written(message, lines: nil, cutAt: [cut])) == expected, "seed \(seed)")
        }
    }

    @Test(
        "header fields become ASCII for a client without UTF8, and nothing of them is lost",
        arguments: [
            ("Subject: plain\r\n\r\nü\r\n", "Subject: plain\r\n\r\nü\r\n"),
            ("Subject: Grüße\r\n\r\nü\r\n", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nü\r\n"),
            ("Subject: a Grüße äh b\r\n\r\n", "Subject: a =?utf-8?B?R3LDvMOfZSDDpGg=?= b\r\n\r\n"),
            ("From: \"Jürgen \\\"J\\\" M\" <j@x>\r\n", "From: =?utf-8?B?SsO8cmdlbiAiSiIgTQ==?= <j@x>\r\n"),
            ("From: \"A B\" <ü@x>\r\n", "From: \"A B\" <=?utf-8?B?w7xAeA==?=>\r\n"),
        ])
    func downgrade(text: String, expected: String) {
        #expect(String(decoding: POP3HeaderDowngrade.apply(Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test("octets of an unknown charset become encoded words too, split below 75 characters and not inside a character")
    func downgradeEdges() {
        #expect(POP3HeaderDowngrade.apply(Array("S: ".utf8) + [0xFC]) == Array("S: =?unknown-8bit?B?/A==?=".utf8))
        let long = Array("S: \(String(repeating: "ü", count: 100))\r\n".utf8)
        let words = POP3HeaderDowngrade.apply(long).dropFirst(3).dropLast(2).split(separator: 0x20)
        var decoded: [UInt8] = []
        for word in words {
            #expect(word.count <= 75)
            let part = Base64.decode(word.dropFirst("=?utf-8?B?".utf8.count).dropLast(2)) ?? []
            #expect(String(validating: part, as: UTF8.self) != nil)
            decoded += part
        }
        #expect(decoded == Array(String(repeating: "ü", count: 100).utf8))
    }
}
