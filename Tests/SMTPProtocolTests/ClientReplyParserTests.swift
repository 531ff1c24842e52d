import MartletCore
import Testing

import SMTPProtocol

@Suite struct ClientReplyParserTests {
    enum Parsed: Equatable {
        case reply(SMTPReply, [String])
        case error(ReplyError)
    }

    static func parse(
        _ pieces: [[UInt8]], limits: SMTPClientLimits = SMTPClientLimits()
    ) -> [Parsed] {
        var parser = ReplyParser(limits: limits)
        var parsed: [Parsed] = []
        for piece in pieces {
            var position = 0
            while position < piece.count {
                let next: Result<ReceivedReply?, ReplyError> = piece.withUnsafeBytes { bytes in
                    do throws(ReplyError) { return .success(try parser.next(bytes, from: &position)) } catch {
                        return .failure(error)
                    }
                }
                switch next {
                case .success(nil): break
                case .success(let received?): parsed.append(.reply(received.reply, received.lines))
                case .failure(let error): return parsed + [.error(error)]
                }
            }
        }
        return parsed
    }

    static func parse(_ text: String, limits: SMTPClientLimits = SMTPClientLimits()) -> [Parsed] {
        parse([Array(text.utf8)], limits: limits)
    }

    @Test(
        "Replies of every form are understood",
        arguments: [
            ("250 Ok\r\n", SMTPReply(250, nil, "Ok")),
            ("250 2.1.0 Ok\r\n", SMTPReply(250, EnhancedStatus(2, 1, 0), "Ok")),
            ("250-a\r\n250 b\r\n", SMTPReply(250, lines: ["a", "b"])),
            ("550-5.1.1 no\r\n550 5.1.1 user\r\n", SMTPReply(550, EnhancedStatus(5, 1, 1), lines: ["no", "user"])),
            ("250\r\n", SMTPReply(250, nil, "")),
            ("250-\r\n250\r\n", SMTPReply(250, lines: ["", ""])),
            ("250 bare line feed\n", SMTPReply(250, nil, "bare line feed")),
            ("250 a\r\r\n", SMTPReply(250, nil, "a")),
            // The class of the enhanced code has to be that of the reply; other numbers are text.
            ("550 4.1.1 text\r\n", SMTPReply(550, nil, "4.1.1 text")),
            ("250 2.1 text\r\n", SMTPReply(250, nil, "2.1 text")),
            ("250 2.1.1000 text\r\n", SMTPReply(250, nil, "2.1.1000 text")),
            ("250 2.1.5\r\n", SMTPReply(250, EnhancedStatus(2, 1, 5), "")),
            // Codes of a multi-line reply differ within a class: the last counts.
            ("250-a\r\n251 b\r\n", SMTPReply(251, lines: ["a", "b"])),
            ("250-a\r\n421 going\r\n", SMTPReply(421, lines: ["a", "going"])),
            ("250 gr\u{FC}n\r\n", SMTPReply(250, nil, "grün")),
        ])
    func forms(text: String, reply: SMTPReply) {
        guard case .reply(let parsed, _)? = Self.parse(text).first else {
            Issue.record("no reply: \(text)")
            return
        }
        #expect(parsed == reply)
        #expect(Self.parse(text).count == 1)
    }

    @Test("Octets that are no UTF-8 and control characters are shown, not passed on")
    func unprintable() {
        let bytes = Array("250 a".utf8) + [0xFF, 0x1B, 0x00, 0x7F] + Array("b\u{202E}\u{85}\r\n".utf8)
        #expect(
            Self.parse([bytes]) == [
                .reply(
                    SMTPReply(250, nil, "a\\xff\\x1b\\x00\\x7fb\\xe2\\x80\\xae\\xc2\\x85"),
                    ["250 a\\xff\\x1b\\x00\\x7fb\\xe2\\x80\\xae\\xc2\\x85"])
            ])
        #expect(
            Self.parse("250 \u{1B}[31m\u{202E}\u{85}ä\r\n") == [
                .reply(
                    SMTPReply(250, nil, "\\x1b[31m\\u{202e}\\u{85}ä"), ["250 \\x1b[31m\\u{202e}\\u{85}ä"])
            ])
    }

    @Test(
        "What is no reply is told",
        arguments: [
            "", " ", "25", "25x Ok", "250+Ok", "2500 Ok", "199 Ok", "600 Ok", "999 Ok", "000 Ok", "Ok", "\u{0}",
            "HTTP/1.1 200 OK",
        ])
    func malformed(line: String) {
        guard case .error(.malformed)? = Self.parse(line + "\r\n").first else {
            Issue.record("\(line) was taken: \(Self.parse(line + "\r\n"))")
            return
        }
    }

    @Test("Lines that contradict each other are an error")
    func contradiction() {
        #expect(Self.parse("250-ok\r\n550 no\r\n") == [.error(.contradictory(first: 250, last: 550))])
        #expect(Self.parse("550-no\r\n250 ok\r\n") == [.error(.contradictory(first: 550, last: 250))])
    }

    @Test("A long line is cut, and its code still counts")
    func longLine() {
        var limits = SMTPClientLimits()
        limits.maximumKeptLine = 10
        #expect(
            Self.parse("250 " + String(repeating: "x", count: 50_000) + "\r\n250 next\r\n", limits: limits) == [
                .reply(SMTPReply(250, nil, "xxxxxx…"), ["250 xxxxxx…"]),
                .reply(SMTPReply(250, nil, "next"), ["250 next"]),
            ])
        // Exactly as long as is kept.
        #expect(Self.parse("250 123456\r\n", limits: limits) == [.reply(SMTPReply(250, nil, "123456"), ["250 123456"])])
        // Not in the middle of a character.
        #expect(Self.parse("250 12345ä\r\n", limits: limits) == [.reply(SMTPReply(250, nil, "12345…"), ["250 12345…"])])
    }

    @Test("Of many lines the first and the last are kept")
    func manyLines() {
        var limits = SMTPClientLimits()
        limits.maximumKeptLines = 3
        let text = (1...1_000).map { "250-\($0)\r\n" }.joined() + "250 end\r\n"
        #expect(
            Self.parse(text, limits: limits) == [
                .reply(SMTPReply(250, lines: ["1", "2", "end"]), ["250-1", "250-2", "250 end"])
            ])
    }

    @Test("A reply without end is given up at its limit")
    func endless() {
        let line = Array(String(repeating: "250-more of it\r\n", count: 1_000).utf8)
        #expect(
            Self.parse(Array(repeating: line, count: 20)) == [
                .error(.tooLong(limit: SMTPClientLimits().maximumReply))
            ])
        let noEnd = [UInt8](repeating: UInt8(ascii: "2"), count: 300_000)
        #expect(Self.parse([noEnd]) == [.error(.tooLong(limit: SMTPClientLimits().maximumReply))])
    }

    @Test("However the octets arrive, the replies are the same")
    func chunks() {
        var limits = SMTPClientLimits()
        limits.maximumKeptLine = 20
        limits.maximumKeptLines = 4
        var bytes = Array("220 hi\r\n250-a\r\n250-SIZE 100\r\n250 b\n550 5.1.1 no\r\r\n250\r\n".utf8)
        bytes +=
            Array("250-".utf8) + [0xC3, 0xA4, 0xFF] + Array("\r\n250 \(String(repeating: "ä", count: 90))\r\n".utf8)
        bytes += Array((1...9).map { "250-\($0)\r\n" }.joined().utf8) + Array("250 x\r\n354 go\r\n199 bad\r\n".utf8)
        let whole = Self.parse([bytes], limits: limits)
        #expect(whole.count == 8)
        #expect(Self.parse(bytes.map { [$0] }, limits: limits) == whole)
        for seed in UInt64(1)...200 {
            var generator = SplitMix(state: seed)
            #expect(Self.parse(split(bytes, using: &generator), limits: limits) == whole, "seed \(seed)")
        }
    }
}

/// `bytes` in pieces of 1 to 20 octets.
func split(_ bytes: [UInt8], using generator: inout some RandomNumberGenerator) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + Int.random(in: 1...20, using: &generator))
        pieces.append(Array(bytes[start..<end]))
        start = end
    }
    return pieces
}
