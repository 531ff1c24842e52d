import MartletCore
import MessageFormat
import Testing

@Suite struct MboxEncoderTests {
    static let date = Instant(year: 2026, month: 11, day: 24, hour: 11, minute: 41, second: 21)

    private func encode(_ message: String, flags: MailboxFlags = MailboxFlags(), pieces: Int = .max) -> [UInt8] {
        var encoder = MboxEncoder()
        var output = encoder.begin(sender: Array("a@b.test".utf8), date: Self.date, flags: flags)
        var rest = Array(message.utf8)[...]
        while !rest.isEmpty {
            output += encoder.append(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
        }
        return output + encoder.end()
    }

    @Test func `a message is written as mboxrd`() {
        let flags = MailboxFlags(system: [.seen, .answered, .draft], keywords: ["blue", "$Forwarded"])
        let file = encode("A: 1\r\nStatus: old\r\n\r\nFrom x\r\n>From y\r\nFromage\r\n", flags: flags)
        let expected = """
            From a@b.test Tue Nov 24 11:41:21 2026
            A: 1
            Status: RO
            X-Status: AT
            X-Keywords: blue
             $Forwarded

            >From x
            >>From y
            Fromage


            """
        #expect(String(decoding: file, as: UTF8.self) == expected)
    }

    static let messages = [
        "A: 1\r\n\r\nbody\r\n", "A: 1\r\n\r\n", "A: 1\r\n\r\n\r\n\r\n", "A: 1\r\nB: 2\r\n c\r\n\r\nFrom x\r\n",
        "A: 1\r\n\r\nFrom a@b.test Tue Nov 24 11:41:21 2026\r\nB: 2\r\n\r\nx\r\n", "\r\nno header\r\n",
        "A: 1\r\n\r\n>\r\n>>From x\r\n>From\r\nFrom \r\nF\r\n", "A: 1\r\n\r\nx\ry\r\n",
        "A: 1\r\n\r\n" + String(repeating: "x", count: 2_000) + "\r\n" + String(repeating: ">", count: 2_000)
            + "From \r\n",
        "A: " + String(repeating: "y", count: 5_000) + "\r\n\r\nFrom\r\n",
    ]

    @Test(arguments: messages) func `what is written reads as it was, however it came`(_ message: String) {
        let flags = MailboxFlags(system: [.flagged, .deleted], keywords: ["blue"])
        let file = encode(message, flags: flags)
        for size in 1..<30 { #expect(encode(message, flags: flags, pieces: size) == file, "pieces of \(size)") }
        let expected = ReadMessage(content: message, flags: flags.system, keywords: ["blue"])
        for variant in [MboxVariant.automatic, .mboxrd] {
            #expect(ReadFile.read(file, variant: variant).messages == [expected])
            #expect(ReadFile.read(file + file, variant: variant).messages == [expected, expected])
            #expect(ReadFile.read(file + file, variant: variant).damage == [])
        }
    }

    @Test func `a message without a last line end gets one`() {
        #expect(ReadFile.read(encode("A: 1\r\n\r\nx")).messages.map(\.content) == ["A: 1\r\n\r\nx\r\n"])
        #expect(ReadFile.read(encode("A: 1\r\n\r\nFrom ")).messages.map(\.content) == ["A: 1\r\n\r\nFrom \r\n"])
    }

    @Test func `a header that looks like a From_ line does not begin a message`() {
        let file = encode("A: 1\r\nFrom a@b.test Tue Nov 24 11:41:21 2026\r\nB: 2\r\n\r\nx\r\n")
        #expect(ReadFile.read(file).messages.count == 1)
    }

    @Test func `a header of megabytes is passed on`() {
        let long = String(repeating: "A: " + String(repeating: "x", count: 997) + "\r\n", count: 3_000)
        let read = ReadFile.read(encode(long + "\r\nbody\r\n", flags: MailboxFlags(system: .seen)))
        #expect(read.messages.map(\.flags) == [.seen])
        #expect(read.messages.first?.content == long + "\r\nbody\r\n")
    }
}
