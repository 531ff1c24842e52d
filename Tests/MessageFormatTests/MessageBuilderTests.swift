import MartletCore
import MessageFormat
import Testing

private func built(_ body: MessageBuilder.Body, _ add: (inout MessageBuilder) -> Void = { _ in }) -> [UInt8] {
    var builder = MessageBuilder()
    add(&builder)
    return builder.build(body, boundarySeed: 42)
}

private func lines(_ message: [UInt8]) -> [Substring] {
    text(message).split(separator: "\r\n", omittingEmptySubsequences: false)
}

@Suite struct MessageBuilderTests {
    @Test("a message is read as it was built")
    func roundTrip() throws {
        let inner = built(.text("inside\r\n", subtype: "plain")) { $0.add("Subject", text: "inner") }
        let octets = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let from = try #require(EmailAddress("a@example.org"))
        let to = try #require(EmailAddress("b@example.org"))
        let message = built(
            .multipart(
                subtype: "mixed",
                [
                    .multipart(
                        subtype: "alternative",
                        [.text("caf\u{E9}\nline", subtype: "plain"), .text("<p>x", subtype: "html")]),
                    .attachment(octets, type: "application/x-thing", fileName: "na\u{EF}ve \"file\".bin"),
                    .message(inner),
                ])
        ) {
            $0.add("Date", date: MailDate(instant: Instant(seconds: 1_795_520_481), zoneMinutes: 60))
            $0.add("From", addresses: [("J\u{F6}rg \"the\" Bird", from)])
            $0.add("To", addresses: [(nil, to), ("Plain, Name", from)])
            $0.add("Subject", text: "\u{20AC} due")
        }
        let structure = MessageStructure.parse(message)
        #expect(
            structure.root.outline
                == "multipart/mixed(multipart/alternative(text/plain text/html) application/x-thing message/rfc822(text/plain))"
        )
        #expect(structure.part(at: [1, 1])?.decodedText(in: message) == "caf\u{E9}\r\nline\r\n")
        let file = try #require(structure.part(at: [2]))
        #expect(file.fileName == "na\u{EF}ve \"file\".bin")
        #expect(message[file.bodyRange].withUnsafeBytes { ContentTransferEncoding(file.encoding).decode($0) } == octets)
        #expect(structure.part(at: [3])?.body(in: message) == text(inner))
        let summary = MessageSummary.make(message)
        #expect(summary.subject == "\u{20AC} due")
        #expect(summary.sentDate == Instant(seconds: 1_795_520_481) && summary.sentZoneMinutes == 60)
        #expect(summary.to == "b@example.org, \"Plain, Name\" <a@example.org>")
        #expect(summary.from == "J\u{F6}rg \"the\" Bird <a@example.org>")
        #expect(Invariants.fault(message) == nil)
        #expect(text(message).replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" } == false)
    }

    @Test("8-bit text inside a message is announced by all that is around it")
    func eightBitInside() {
        let inner = Array("Subject: caf\u{E9}\r\n\r\nx\r\n".utf8)
        let message = built(
            .multipart(
                subtype: "report", [.text("told", subtype: "plain"), .multipart(subtype: "digest", [.message(inner)])]))
        let structure = MessageStructure.parse(message)
        #expect(structure.root.encoding == "8bit")
        #expect(structure.part(at: [1])?.encoding == "7bit")
        #expect(structure.part(at: [2])?.encoding == "8bit")
        #expect(structure.part(at: [2, 1])?.encoding == "8bit")
        #expect(MessageStructure.parse(built(.multipart(subtype: "mixed", []))).root.encoding == "7bit")
    }

    @Test(
        "a subject is read as it was written, in lines that RFC 5322 and RFC 2047 allow",
        arguments: [
            "", "short", String(repeating: "word ", count: 100), String(repeating: "\u{20AC}", count: 300),
            "two  spaces   three",
            String(repeating: "x", count: 300), String(repeating: "x", count: 5_000),
            String(repeating: " ", count: 200) + "x",
            "=?utf-8?Q?a?=", "a\tb",
        ])
    func subjects(subject: String) {
        let message = built(.text("", subtype: "plain")) { $0.add("Subject", text: subject) }
        #expect(MessageSummary.make(message).subject == subject.replacing("\t", with: " ").trimmed)
        for line in lines(message) {
            #expect(line.utf8.count <= 998)
            #expect(!line.contains("=?utf-8?B?") || line.utf8.count <= 76)
            #expect(line.isEmpty || line.utf8.contains { $0 > 0x20 }, "a line of spaces ends the header for some")
        }
    }

    @Test(
        "no field, name or type can add another field",
        arguments: ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\u{0}"])
    func injection(evil: String) throws {
        let address = try #require(EmailAddress("a@example.org"))
        let message = built(.attachment([1], type: "a/b\(evil)", fileName: "f\(evil)")) {
            $0.add("Subject", text: "s\(evil)")
            $0.add("To", addresses: [("n\(evil)", address), ("\u{FC}\(evil)", address)])
        }
        let names = message.withUnsafeBytes { buffer in
            HeaderFields(buffer, in: 0..<buffer.count).map { text(buffer[$0.name]) }
        }
        #expect(
            names == [
                "Subject", "To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
            ])
        #expect(!message.contains(0))
    }

    @Test("many addresses and long names are folded")
    func manyAddresses() throws {
        let address = try #require(EmailAddress("someone@example.org"))
        let name = String(repeating: "\u{20AC}", count: 100)
        let message = built(.text("", subtype: "plain")) {
            $0.add("To", addresses: (0..<50).map { $0 % 2 == 0 ? (name, address) : ("Name \($0)", address) })
        }
        #expect(lines(message).allSatisfy { $0.utf8.count <= 78 })
        let summary = MessageSummary.make(message)
        #expect(summary.to.hasPrefix("\(name) <someone@example.org>, \"Name 1\" <someone@example.org>, \(name) <"))
    }

    @Test(
        "text is sent plain when it is short ASCII lines, else quoted-printable, and comes back",
        arguments: [
            ("a\nb", "7bit"), ("a\r\nb\r\n", "7bit"), ("", "7bit"), ("\u{FC}", "quoted-printable"),
            (String(repeating: "x", count: 77), "quoted-printable"),
            ("trailing \nx \u{FC}", "quoted-printable"), ("a\u{0}b", "quoted-printable"),
            ("=3D\u{FC}", "quoted-printable"), (".\n..\n", "7bit"),
        ])
    func texts(original: String, encoding: String) {
        let message = built(.text(original, subtype: "plain"))
        let root = MessageStructure.parse(message).root
        #expect(root.encoding == encoding)
        let expected = original.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")
        #expect(root.decodedText(in: message) == (expected.hasSuffix("\r\n") ? expected : expected + "\r\n"))
        #expect(lines(message).allSatisfy { $0.utf8.count <= 78 })
    }

    @Test("a message with 8-bit octets inside says so (RFC 2045 §6.4)")
    func eightBit() {
        #expect(MessageStructure.parse(built(.message(bytes("Subject: \u{FC}\r\n\r\n")))).root.encoding == "8bit")
        #expect(MessageStructure.parse(built(.message(bytes("Subject: u\r\n\r\n")))).root.encoding == "7bit")
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
