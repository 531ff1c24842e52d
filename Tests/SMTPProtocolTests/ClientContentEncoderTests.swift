import Testing

import SMTPProtocol

@Suite struct ClientContentEncoderTests {
    static func encode(_ pieces: [[UInt8]], _ form: ContentEncoder.Form) -> [UInt8] {
        var encoder = ContentEncoder(form: form)
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { encoder.encode($0, into: &output) } }
        encoder.finish(into: &output)
        return output
    }

    static func encode(_ text: String, _ form: ContentEncoder.Form = .stuffed) -> String {
        String(decoding: encode([Array(text.utf8)], form), as: UTF8.self)
    }

    @Test(
        "Content for DATA",
        arguments: [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("", ".\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n..b\r\n", "a\r\n...b\r\n.\r\n"),
            ("a.b\r\n", "a.b\r\n.\r\n"),
            ("\r\n\r\n", "\r\n\r\n.\r\n"),
            // What could be read as the end by a server that is lenient.
            ("a\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n.\r\n"),
            ("a\r.\rQUIT", "a\r\n..\r\nQUIT\r\n.\r\n"),
            ("a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
            ("a\n\rb", "a\r\n\r\nb\r\n.\r\n"),
        ])
    func stuffed(content: String, wire: String) { #expect(Self.encode(content) == wire) }

    @Test("Content for BDAT has its lines' ends put right, and no dots; binary content is left alone")
    func chunks() {
        #expect(Self.encode(".\na\r.", .lines) == ".\r\na\r\n.\r\n")
        #expect(Self.encode("", .lines) == "")
        #expect(Self.encode(".\na\r\0", .binary) == ".\na\r\0")
    }

    @Test("However the content is cut, the same goes out, and a server reads back what it was")
    func pieces() {
        let alphabet: [UInt8] = [0x0D, 0x0A, 0x2E, 0x61, 0x62]
        for seed in UInt64(1)...500 {
            var generator = SplitMix(state: seed)
            let content = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                alphabet[Int.random(in: 0..<5, using: &generator)]
            }
            for form in [ContentEncoder.Form.stuffed, .lines, .binary] {
                let whole = Self.encode([content], form)
                #expect(Self.encode(content.map { [$0] }, form) == whole, "seed \(seed)")
                #expect(Self.encode(split(content, using: &generator), form) == whole, "seed \(seed)")
            }
            // Undone as a receiver does it, it is the content again, and has one end (RFC 5321 §4.5.2).
            let wire = String(decoding: Self.encode([content], .stuffed), as: UTF8.self)
            var lines = wire.split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(lines.popLast() == "" && lines.popLast() == ".", "seed \(seed)")
            #expect(!lines.contains("."), "seed \(seed)")
            let back = lines.map { ($0.hasPrefix(".") ? $0.dropFirst() : $0) + "\r\n" }.joined()
            #expect(back == String(decoding: Self.encode([content], .lines), as: UTF8.self), "seed \(seed)")
        }
    }
}
