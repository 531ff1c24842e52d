import MartletCore
import MessageFormat
import Testing

private let from = "From a@b.test Tue Nov 24 11:41:21 2026\n"

/// A file, how it is read, and what is in it.
struct MboxCase: CustomTestStringConvertible, Sendable {
    let name: String
    let file: String
    var variant = MboxVariant.automatic
    var messages: [ReadMessage] = []
    var damage: [MboxDamage] = []
    var folderData = 0
    var testDescription: String { name }
}

private let cases: [MboxCase] = [
    MboxCase(name: "an empty file has no message", file: ""),
    MboxCase(
        name: "one message", file: from + "Subject: x\n\nbody\n\n",
        messages: [ReadMessage(content: "Subject: x\r\n\r\nbody\r\n")]),
    MboxCase(
        name: "CRLF line ends stay", file: (from + "Subject: x\n\nbody\n\n").replacingLineFeeds,
        messages: [ReadMessage(content: "Subject: x\r\n\r\nbody\r\n")]),
    MboxCase(
        name: "one empty line before a From_ line is the file's, others are the message's",
        file: from + "A: 1\n\nx\n\n\n" + from + "A: 2\n\ny\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\r\n\r\n"), ReadMessage(content: "A: 2\r\n\r\ny\r\n")]),
    MboxCase(
        name: "a message without a body", file: from + "A: 1\n\n" + from + "A: 2\n\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\n"), ReadMessage(content: "A: 2\r\n\r\n")]),
    MboxCase(
        name: "the last line has no end", file: from + "A: 1\n\nx",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx")]),
    MboxCase(
        name: "flags are read and their fields removed",
        file: from + "Status: RO\nA: 1\nX-Status: AF\nX-Keywords: blue\n $red\nX-UID: 7\n\nx\n\n",
        messages: [
            ReadMessage(
                content: "A: 1\r\n\r\nx\r\n", flags: [.seen, .answered, .flagged], keywords: ["blue", "$red"])
        ]),
    MboxCase(
        name: "Mozilla's flags",
        file: from + "X-Mozilla-Status: 1007\nX-Mozilla-Status2: 00000000\nX-Mozilla-Keys: $label1    \nA: 1\n\nx\n\n",
        messages: [
            ReadMessage(
                content: "A: 1\r\n\r\nx\r\n", flags: [.seen, .answered, .flagged],
                keywords: ["$Forwarded", "$label1"])
        ]),
    MboxCase(
        name: "Status in a body is text", file: from + "A: 1\n\nStatus: RO\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nStatus: RO\r\n")]),
    MboxCase(
        name: "text that begins with From does not cut a message",
        file: from + "A: 1\n\nx\n\nFrom here on it is text\n\nFrom nowhere\nto somewhere\n\n",
        messages: [
            ReadMessage(
                content: "A: 1\r\n\r\nx\r\n\r\nFrom here on it is text\r\n\r\nFrom nowhere\r\nto somewhere\r\n")
        ]),
    MboxCase(
        name: "a From_ line without a date counts when a header follows",
        file: "From \nA: 1\n\nx\n\nFrom -\nA: 2\n\ny\n\n",
        messages: [
            ReadMessage(content: "A: 1\r\n\r\nx\r\n", sender: "", date: nil),
            ReadMessage(content: "A: 2\r\n\r\ny\r\n", sender: "-", date: nil),
        ]),
    MboxCase(
        name: "a From_ line without an empty line before it counts when a header follows",
        file: from + "A: 1\n\nx\n" + from + "A: 2\n\ny\n" + from + "not a header\n\n",
        messages: [
            ReadMessage(content: "A: 1\r\n\r\nx\r\n"),
            ReadMessage(content: "A: 2\r\n\r\ny\r\n" + from.replacingLineFeeds + "not a header\r\n"),
        ], damage: [.noEmptyLine]),
    MboxCase(
        name: "a message that is cut off in its header", file: from + "A: 1\nB: " + "\n" + from + "A: 2\n\ny\n\n",
        messages: [ReadMessage(content: "A: 1\r\nB: \r\n"), ReadMessage(content: "A: 2\r\n\r\ny\r\n")]),
    MboxCase(
        name: "mboxrd: one > less", file: from + "A: 1\n\n>From a\n>>From b\n>Fromage\n> From c\n\n", variant: .mboxrd,
        messages: [ReadMessage(content: "A: 1\r\n\r\nFrom a\r\n>From b\r\n>Fromage\r\n> From c\r\n")]),
    MboxCase(
        name: "mboxo: only the first kind is unquoted", file: from + "A: 1\n\n>From a\n>>From b\n\n", variant: .mboxo,
        messages: [ReadMessage(content: "A: 1\r\n\r\nFrom a\r\n>>From b\r\n")]),
    MboxCase(
        name: "mboxcl2: Content-Length leads over From_ lines",
        file: from + "Content-Length: 47\nA: 1\n\n>From x\n" + from + "\n" + from + "A: 2\n\ny\n\n", variant: .mboxcl2,
        messages: [
            ReadMessage(content: "A: 1\r\n\r\n>From x\r\n" + from.replacingLineFeeds),
            ReadMessage(content: "A: 2\r\n\r\ny\r\n"),
        ]),
    MboxCase(
        name: "mboxcl: Content-Length and quoting",
        file: from + "Content-Length: 8\nA: 1\n\n>From x\n\n" + from + "A: 2\n\n",
        variant: .mboxcl,
        messages: [ReadMessage(content: "A: 1\r\n\r\nFrom x\r\n"), ReadMessage(content: "A: 2\r\n\r\n")]),
    MboxCase(
        name: "a right Content-Length counts by itself",
        file: from + "Content-Length: 6\nA: 1\n\n\n\nab\n\n\n" + from + "A: 2\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\n\r\n\r\nab\r\n\r\n"), ReadMessage(content: "A: 2\r\n\r\n")]),
    MboxCase(
        name: "a wrong Content-Length is told and not followed",
        file: from + "Content-Length: 9\nA: 1\n\nx\n\n" + from + "A: 2\n\ny\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\r\n"), ReadMessage(content: "A: 2\r\n\r\ny\r\n")],
        damage: [.wrongContentLength(9)]),
    MboxCase(
        name: "a Content-Length beyond the end of the file",
        file: from + "Content-Length: 9999999999999\nA: 1\n\nx\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\r\n")], damage: [.wrongContentLength(9_999_999_999_999)]),
    MboxCase(
        name: "behind a right Content-Length a From_ line of any form counts",
        file: from + "Content-Length: 2\nA: 1\n\nx\nFrom one to another\nA: 2\n\ny\n\n",
        messages: [
            ReadMessage(content: "A: 1\r\n\r\nx\r\n"),
            ReadMessage(content: "A: 2\r\n\r\ny\r\n", sender: "one to another", date: nil),
        ]),
    MboxCase(
        name: "mboxrd pays no attention to Content-Length", file: from + "Content-Length: 1\nA: 1\n\nxyz\n\n",
        variant: .mboxrd, messages: [ReadMessage(content: "A: 1\r\n\r\nxyz\r\n")]),
    MboxCase(
        name: "folder data is no mail",
        file: from + "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nfoo\n\n" + from
            + "A: 2\n\ny\n\n",
        messages: [ReadMessage(content: "A: 2\r\n\r\ny\r\n")], folderData: 1),
    MboxCase(
        name: "no From_ line at all", file: "Subject: x\n\nbody\n", damage: [.noFromLine(octets: 16)]),
    MboxCase(
        name: "octets before the first From_ line", file: "\n\nrubbish\n\n" + from + "A: 1\n\nx\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\r\n")], damage: [.noFromLine(octets: 8)]),
    MboxCase(
        name: "empty messages", file: from + "\n" + from + "A: 1\n\nx\n\n" + from,
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\r\n")], damage: [.emptyMessage, .emptyMessage]),
    MboxCase(
        name: "a message without a header", file: from + "\nx\n\n", messages: [ReadMessage(content: "\r\nx\r\n")]),
    MboxCase(
        name: "NUL octets are left out and counted", file: from + "A: 1\n\nx\0\0y\n\0\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nxy\r\n\r\n")], damage: [.nuls(3)]),
    MboxCase(
        name: "a CR alone stays", file: from + "A: 1\n\nx\ry\n\r\r\n\n",
        messages: [ReadMessage(content: "A: 1\r\n\r\nx\ry\r\n\r\r\n")]),
    MboxCase(
        name: "a long line is one line",
        file: from + "A: 1\n\n" + String(repeating: "F", count: 3_000) + "\n>" + String(repeating: ">", count: 3_000)
            + "\n\n",
        messages: [
            ReadMessage(
                content: "A: 1\r\n\r\n" + String(repeating: "F", count: 3_000) + "\r\n"
                    + String(repeating: ">", count: 3_001) + "\r\n")
        ]),
    MboxCase(
        name: "a From_ line that is too long is text",
        file: from + "A: 1\n\nx\n\nFrom " + String(repeating: "a", count: 2_000)
            + " Tue Nov 24 11:41:21 2026\nB: 2\n\n",
        messages: [
            ReadMessage(
                content: "A: 1\r\n\r\nx\r\n\r\nFrom " + String(repeating: "a", count: 2_000)
                    + " Tue Nov 24 11:41:21 2026\r\nB: 2\r\n")
        ]),
]

extension String {
    fileprivate var replacingLineFeeds: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }
}

@Suite struct MboxDecoderTests {
    @Test(arguments: cases) func `a file is read as`(_ example: MboxCase) {
        let whole = ReadFile.read(example.file, variant: example.variant)
        #expect(whole.messages == example.messages)
        #expect(whole.damage == example.damage)
        #expect(whole.folderData == example.folderData)
        #expect(whole.heldAtEnd == 0)
    }

    @Test(arguments: cases) func `it does not matter in which pieces the file comes`(_ example: MboxCase) {
        let whole = ReadFile.read(example.file, variant: example.variant)
        #expect(ReadFile.read(example.file, variant: example.variant, pieces: [1]) == whole)
        for size in 2..<40 {
            #expect(ReadFile.read(example.file, variant: example.variant, pieces: [size]) == whole, "pieces of \(size)")
        }
    }

    @Test(arguments: cases) func `reading goes on at what the end of a message says`(_ example: MboxCase) {
        let file = Array(example.file.utf8)
        let whole = ReadFile.read(file, variant: example.variant)
        for (index, next) in whole.nexts.enumerated() {
            let rest = ReadFile.read(file, variant: example.variant, offset: Int(next))
            #expect(rest.messages == Array(whole.messages[(index + 1)...]), "from \(next) on")
            #expect(rest.offsets == Array(whole.offsets[(index + 1)...]))
        }
    }

    @Test func `offsets are those of From_ lines`() {
        let file = from + "A: 1\n\nx\n\n" + from + "A: 2\n\ny\n\n"
        let read = ReadFile.read(file)
        #expect(read.offsets == [0, Int64(from.utf8.count + 9)])
        #expect(read.nexts == [Int64(from.utf8.count + 9), Int64(file.utf8.count)])
    }

    @Test func `memory does not grow with the message, its lines or its header`() {
        var decoder = MboxDecoder()
        decoder.append(Array((from + "A: 1\n").utf8))
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
        var seen = 0
        var damage: [MboxDamage] = []
        for _ in 0..<100 {
            decoder.append(piece)
            while let event = decoder.next() {
                if case .content(let bytes) = event { seen += bytes.count }
                if case .damage(let found, _) = event { damage.append(found) }
            }
            #expect(decoder.heldBytes <= MboxDecoder.maximumHeader + 2 * piece.count)
        }
        #expect(seen > 6_000_000)
        #expect(damage == [.longHeader])
    }
}

@Suite struct FromLineTests {
    static let moment = Instant(year: 2026, month: 11, day: 4, hour: 11, minute: 41, second: 21)

    @Test(
        arguments: [
            ("From a@b.test Wed Nov  4 11:41:21 2026", "a@b.test", moment),
            ("From a@b.test  Wed Nov 4 11:41:21 2026", "a@b.test", moment),
            ("From a@b.test Wed Nov  4 12:41:21 2026 +0100", "a@b.test", moment),
            ("From a@b.test Wed Nov  4 12:41:21 +0100 2026", "a@b.test", moment),
            ("From a@b.test Wed Nov  4 06:41:21 EST 2026", "a@b.test", moment),
            ("From a@b.test Wed, 4 Nov 2026 11:41:21 +0000", "a@b.test", moment),
            ("From a@b.test Wed Nov  4 11:41 2026", "a@b.test", moment + .seconds(-21)),
            ("From \"a b\"@b.test Wed Nov  4 11:41:21 2026", "\"a b\"@b.test", moment),
            ("From Wed Mon Wed Nov  4 11:41:21 2026", "Wed Mon", moment),
            ("From a@b.test Wed Nov  4 11:41:21 2026 remote from host", "a@b.test", moment),
            ("From - Wed Nov 04 11:41:21 2026", "-", moment),
            ("From nobody", "nobody", nil), ("From ", "", nil), ("From me to you", "me to you", nil),
            ("From a@b.test Wed Nov 32 11:41:21 2026", "a@b.test Wed Nov 32 11:41:21 2026", nil),
        ] as [(String, String, Instant?)])
    func `a From_ line has a sender and a date`(_ line: String, _ sender: String, _ date: Instant?) {
        let parsed = FromLine.parse(Array(line.utf8))
        #expect(parsed?.sender == Array(sender.utf8))
        #expect(parsed?.date == date)
    }

    @Test(arguments: ["from a", ">From a", "From", "Fromage", ""]) func `this is no From_ line`(_ line: String) {
        #expect(FromLine.parse(Array(line.utf8)) == nil)
    }

    @Test func `a written line reads as it was`() {
        for seconds in stride(from: Int64(-1_000_000_000), to: 4_000_000_000, by: 86_400 * 11 + 12_345) {
            let line = FromLine(sender: Array("a@b.test".utf8), date: Instant(seconds: seconds))
            #expect(FromLine.parse(Array(line.encoded.dropLast())) == line)
        }
    }

    @Test(arguments: ["", "a b", "a\nFrom b", "\u{7f}"]) func `a sender that would break the line is left out`(
        _ sender: String
    ) {
        let line = FromLine(sender: Array(sender.utf8), date: FromLineTests.moment)
        #expect(line.encoded == Array("From MAILER-DAEMON Wed Nov  4 11:41:21 2026\n".utf8))
    }
}
