import MailStore
import MartletCore
import Testing

/// A message with everything that sections can name: nested multiparts, a message inside, encodings.
let nested = """
    From: Fred <fred@example.org>\r
    Subject: Nested\r
    X-Long: one\r
     two\r
    MIME-Version: 1.0\r
    Content-Type: multipart/mixed; boundary=outer\r
    \r
    preamble\r
    --outer\r
    Content-Type: text/plain; charset=utf-8\r
    Content-Transfer-Encoding: base64\r
    \r
    SGVsbG8sIHdvcmxkIQ==\r
    --outer\r
    Content-Type: message/rfc822\r
    X-Part: two\r
    \r
    From: inner@example.org\r
    Subject: Inside\r
    Content-Type: multipart/alternative; boundary=inner\r
    \r
    --inner\r
    Content-Type: text/plain\r
    \r
    plain inside\r
    --inner\r
    Content-Type: text/html\r
    Content-Transfer-Encoding: quoted-printable\r
    \r
    <p>caf=C3=A9</p>\r
    --inner--\r
    --outer\r
    Content-Type: application/x-odd\r
    Content-Transfer-Encoding: x-rot13\r
    \r
    uryyb\r
    --outer\r
    Content-Type: message/rfc822\r
    \r
    Subject: Single\r
    \r
    only text\r
    --outer--\r
    epilogue\r

    """

let innerMessage = """
    From: inner@example.org\r
    Subject: Inside\r
    Content-Type: multipart/alternative; boundary=inner\r
    \r
    --inner\r
    Content-Type: text/plain\r
    \r
    plain inside\r
    --inner\r
    Content-Type: text/html\r
    Content-Transfer-Encoding: quoted-printable\r
    \r
    <p>caf=C3=A9</p>\r
    --inner--
    """

@Suite(.serialized) struct FetchTests {
    /// A section and its octets; nil for NIL.
    static let sections: [(String, String?)] = [
        ("BODY[]", nested),
        ("BODY[HEADER]", String(nested.prefix(upTo: nested.range(ofLast: "preamble")!.lowerBound))),
        ("BODY[TEXT]", String(nested.suffix(from: nested.range(ofLast: "preamble")!.lowerBound))),
        ("BODY[HEADER.FIELDS (SUBJECT X-Long)]", "Subject: Nested\r\nX-Long: one\r\n two\r\n\r\n"),
        ("BODY[HEADER.FIELDS.NOT (content-type x-long from mime-version)]", "Subject: Nested\r\n\r\n"),
        ("BODY[HEADER.FIELDS (NOSUCH)]", "\r\n"),
        ("BODY[1]", "SGVsbG8sIHdvcmxkIQ=="),
        ("BODY[1.MIME]", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        ("BODY[2]", innerMessage),
        ("BODY[2.MIME]", "Content-Type: message/rfc822\r\nX-Part: two\r\n\r\n"),
        (
            "BODY[2.HEADER]",
            "From: inner@example.org\r\nSubject: Inside\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"
        ),
        ("BODY[2.HEADER.FIELDS (From)]", "From: inner@example.org\r\n\r\n"),
        ("BODY[2.HEADER.FIELDS.NOT (From Content-Type)]", "Subject: Inside\r\n\r\n"),
        ("BODY[2.TEXT]", String(innerMessage.suffix(from: innerMessage.firstRange(of: "--inner\r\n")!.lowerBound))),
        ("BODY[2.1]", "plain inside"),
        ("BODY[2.1.MIME]", "Content-Type: text/plain\r\n\r\n"),
        ("BODY[2.2]", "<p>caf=C3=A9</p>"),
        ("BODY[4.1]", "only text"),
        ("BODY[4.TEXT]", "only text"),
        ("BODY[5]", nil),
        ("BODY[1.1]", nil),
        ("BODY[1.HEADER]", nil),
        ("BODY[2.3]", nil),
    ]

    @Test("every section of a nested message is the octets that it names", arguments: sections)
    func section(_ name: String, _ expected: String?) async throws {
        let server = try await TestServer()
        try await server.add(nested, flags: NamedFlags(system: .seen))
        let client = try server.select()
        let answer = client.command("FETCH 1 \(name)")
        #expect(answer == "* 1 FETCH (\(name) \(IMAPText.nstring(expected)))\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test(
        "a partial section begins at its origin and ends with the message",
        arguments: [(0, 5), (3, 4), (18, 100), (20, 1), (5_000, 9)])
    func partial(_ offset: Int, _ length: Int) async throws {
        let server = try await TestServer()
        try await server.add(nested, flags: NamedFlags(system: .seen))
        let client = try server.select()
        let body = "SGVsbG8sIHdvcmxkIQ=="
        let part = String(body.dropFirst(offset).prefix(length))
        #expect(
            client.command("FETCH 1 BODY.PEEK[1]<\(offset).\(length)>")
                == "* 1 FETCH (BODY[1]<\(offset)> \(IMAPText.literal(part)))\r\nT OK FETCH completed\r\n")
        let octets = String(decoding: Array(nested.utf8).dropFirst(offset).prefix(length), as: UTF8.self)
        #expect(
            client.command("FETCH 1 BODY.PEEK[]<\(offset).\(length)>")
                == "* 1 FETCH (BODY[]<\(offset)> \(IMAPText.literal(octets)))\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("BINARY takes the transfer encoding off, tells sizes, and refuses an encoding that nobody knows")
    func binary() async throws {
        let server = try await TestServer()
        try await server.add(nested, flags: NamedFlags(system: .seen))
        let client = try server.select()
        #expect(
            client.command("FETCH 1 BINARY[1]")
                == "* 1 FETCH (BINARY[1] {13}\r\nHello, world!)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 BINARY.PEEK[1]<7.5>")
                == "* 1 FETCH (BINARY[1]<7> {5}\r\nworld)\r\nT OK FETCH completed\r\n")
        #expect(client.command("FETCH 1 BINARY.SIZE[1]") == "* 1 FETCH (BINARY.SIZE[1] 13)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 BINARY.PEEK[2.2]")
                == "* 1 FETCH (BINARY[2.2] {12}\r\n<p>café</p>)\r\nT OK FETCH completed\r\n")
        #expect(client.command("FETCH 1 BINARY.PEEK[9]") == "* 1 FETCH (BINARY[9] NIL)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 BINARY[3]") == "T NO [UNKNOWN-CTE] The transfer encoding of a part is not known\r\n"
        )
        #expect(client.command("FETCH 1 BODY[3]") == "* 1 FETCH (BODY[3] {5}\r\nuryyb)\r\nT OK FETCH completed\r\n")
        // A message, and the multipart that is its body, are no leaf parts.
        for item in ["BINARY[2]", "BINARY.PEEK[4]", "BINARY.SIZE[2]"] {
            #expect(
                client.command("FETCH 1 \(item)")
                    == "T NO [CANNOT] BINARY is of parts that have no parts inside\r\n", "\(item)")
        }
        await server.stop()
    }

    @Test("a part with NUL comes as a literal8, and BODY never sends one")
    func nul() async throws {
        let server = try await TestServer()
        try await server.add(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n",
            flags: NamedFlags(system: .seen))
        let client = try server.select()
        #expect(
            client.command("FETCH 1 BINARY[1]")
                == "* 1 FETCH (BINARY[1] ~{3}\r\n\0\u{1}\u{2})\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("envelope and structure are what the store keeps, BODY is without extension data")
    func summary() async throws {
        let server = try await TestServer()
        try await server.add(
            "From: Ann <ann@example.org>\r\nSubject: Hi\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nx\r\n")
        let client = try server.select()
        #expect(
            client.command("FETCH 1 ALL")
                == "* 1 FETCH (FLAGS () INTERNALDATE \"24-Nov-2026 12:00:00 +0000\" RFC822.SIZE 85 ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800\" \"Hi\" "
                + "((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) NIL NIL NIL NIL NIL))\r\n"
                + "T OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 (BODY BODYSTRUCTURE)")
                == "* 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) "
                + "BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL))\r\nT OK FETCH completed\r\n"
        )
        await server.stop()
    }

    @Test("the items of RFC 3501 come under their names and RFC822.HEADER does not set Seen")
    func oldItems() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\ntext\r\n")
        let client = try server.select()
        #expect(
            client.command("FETCH 1 RFC822.HEADER")
                == "* 1 FETCH (RFC822.HEADER {8}\r\nA: b\r\n\r\n)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 RFC822.TEXT")
                == "* 1 FETCH (RFC822.TEXT {6}\r\ntext\r\n FLAGS (\\Seen))\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 RFC822")
                == "* 1 FETCH (RFC822 {14}\r\nA: b\r\n\r\ntext\r\n)\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("BODY sets Seen once for all messages and says so; PEEK and EXAMINE do not")
    func seen() async throws {
        let server = try await TestServer()
        for number in 1...3 { try await server.add("N: \(number)\r\n\r\n") }
        let client = try server.select()
        #expect(client.command("FETCH 1:3 BODY.PEEK[TEXT]").contains("Seen") == false)
        let other = try server.login()
        _ = other.command("EXAMINE INBOX")
        #expect(other.command("FETCH 1:3 BODY[TEXT]").contains("Seen") == false)
        #expect(
            client.command("FETCH 1:2 (FLAGS BODY[TEXT])") == """
                * 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {0}\r\n)\r
                * 2 FETCH (FLAGS (\\Seen) BODY[TEXT] {0}\r\n)\r
                T OK FETCH completed\r\n
                """)
        #expect(client.command("NOOP") == "T OK NOOP completed\r\n")
        #expect(
            other.command("NOOP")
                == "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 FLAGS (\\Seen))\r\nT OK NOOP completed\r\n")
        await server.stop()
    }

    @Test("a message without an empty line, and an empty one, have sections too")
    func odd() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n", flags: NamedFlags(system: .seen))
        try await server.add("\r\nbody", flags: NamedFlags(system: .seen))
        let client = try server.select()
        #expect(
            client.command("FETCH 1 (BODY[HEADER] BODY[TEXT])")
                == "* 1 FETCH (BODY[HEADER] {6}\r\nA: b\r\n BODY[TEXT] {0}\r\n)\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 2 (BODY[HEADER] BODY[1])")
                == "* 2 FETCH (BODY[HEADER] {2}\r\n\r\n BODY[1] {4}\r\nbody)\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("a large message comes whole through a connection that takes it slowly")
    func large() async throws {
        let server = try await TestServer()
        let line = String(repeating: "0123456789abcdef", count: 4) + "\r\n"
        let message = "Subject: large\r\n\r\n" + String(repeating: line, count: 60_000)
        try await server.add(message, flags: NamedFlags(system: .seen))
        let client = try server.select()
        let answer = client.command("FETCH 1 BODY[]")
        #expect(
            answer.utf8.count == message.utf8.count
                + "* 1 FETCH (BODY[] {\(message.utf8.count)}\r\n)\r\nT OK FETCH completed\r\n".utf8.count)
        #expect(
            answer.utf8.elementsEqual(
                "* 1 FETCH (BODY[] \(IMAPText.literal(message)))\r\nT OK FETCH completed\r\n".utf8))
        await server.stop()
    }

    @Test("flags and numbers of many messages come from the index, in order and complete")
    func many() async throws {
        let server = try await TestServer()
        for number in 1...3_000 {
            try await server.add(
                "N: \(number)\r\n\r\n",
                flags: NamedFlags(
                    system: number % 2 == 0 ? .seen : [.flagged, .draft], keywords: number % 3 == 0 ? ["$Label"] : []))
        }
        let client = try server.select()
        let answer = client.command("UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE MODSEQ)")
        var expected = "* OK [HIGHESTMODSEQ 3001] CONDSTORE is on\r\n"
        for number in 1...3_000 {
            let flags = (number % 2 == 0 ? "\\Seen" : "\\Flagged \\Draft") + (number % 3 == 0 ? " $Label" : "")
            let size = "N: \(number)\r\n\r\n".utf8.count
            expected +=
                "* \(number) FETCH (UID \(number) FLAGS (\(flags)) RFC822.SIZE \(size) INTERNALDATE \"24-Nov-2026 12:00:00 +0000\" MODSEQ (\(number + 1)))\r\n"
        }
        #expect(answer == expected + "T OK UID FETCH completed\r\n")
        #expect(
            client.command("FETCH 2,2998:*,5:4 UID")
                == "* 2 FETCH (UID 2)\r\n* 4 FETCH (UID 4)\r\n* 5 FETCH (UID 5)\r\n* 2998 FETCH (UID 2998)\r\n* 2999 FETCH (UID 2999)\r\n* 3000 FETCH (UID 3000)\r\nT OK FETCH completed\r\n"
        )
        #expect(
            client.command("UID FETCH 2999:9999 FLAGS (CHANGEDSINCE 3000)")
                == "* 3000 FETCH (UID 3000 FLAGS (\\Seen $Label) MODSEQ (3001))\r\nT OK UID FETCH completed\r\n")
        await server.stop()
    }

    /// 50 keywords of 240 octets: a list of 12 KB.
    static let longKeywords = (0..<50).map { "k\($0)" + String(repeating: "x", count: 238) }

    @Test(
        "an item that is asked for several times is answered once, however long the answer is",
        arguments: [
            "FLAGS FLAGS FLAGS FLAGS FLAGS FLAGS", "FLAGS UID FLAGS", "FLAGS MODSEQ RFC822.SIZE INTERNALDATE UID FLAGS",
            "INTERNALDATE INTERNALDATE INTERNALDATE INTERNALDATE INTERNALDATE INTERNALDATE",
            "BINARY.SIZE[1] BINARY.SIZE[1] FLAGS", "BODY[1] BODY.PEEK[1] BODY.PEEK[1]<0.1> BODY[1]<0.2>",
            "ENVELOPE BODYSTRUCTURE ENVELOPE",
        ])
    func repeated(_ items: String) async throws {
        let server = try await TestServer()
        for number in 1...40 {
            try await server.add(
                "N: \(number)\r\n\r\nbody", flags: NamedFlags(system: .seen, keywords: FetchTests.longKeywords))
        }
        let client = try server.select()
        _ = client.command("FETCH 1 MODSEQ")
        var once: [Substring] = []
        for item in items.split(separator: " ") {
            let answered = item.replacing("BODY.PEEK", with: "BODY")[...]
            if !once.contains(answered) { once.append(answered) }
        }
        let answer = client.command("FETCH 1:40 (\(items))")
        #expect(answer == client.command("FETCH 1:40 (\(once.joined(separator: " ")))"))
        #expect(answer.split(separator: "\r\n").filter { $0.hasPrefix("* ") }.count == 40)
        #expect(answer.hasSuffix("T OK FETCH completed\r\n"))
        if items.contains("FLAGS") { #expect(answer.contains(FetchTests.longKeywords.joined(separator: " ") + ")")) }
        await server.stop()
    }

    @Test(
        "items of the index come without FLAGS too when the list of flags is long",
        arguments: [
            ("UID", "UID 1"), ("RFC822.SIZE", "RFC822.SIZE 8"),
            ("INTERNALDATE", "INTERNALDATE \"24-Nov-2026 12:00:00 +0000\""), ("MODSEQ", "MODSEQ (2)"),
        ])
    func withoutFlags(_ item: String, _ expected: String) async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\n", flags: NamedFlags(keywords: FetchTests.longKeywords))
        let client = try server.select()
        #expect(client.command("FETCH 1 \(item)").hasSuffix("* 1 FETCH (\(expected))\r\nT OK FETCH completed\r\n"))
        await server.stop()
    }

    @Test("pieces of decoded parts come in any order, and a failure in the middle answers nothing of the message")
    func manyItems() async throws {
        let server = try await TestServer()
        try await server.add(nested, flags: NamedFlags(system: .seen))
        let client = try server.select()
        let text = "Hello, world!"
        let items = (0..<13).flatMap { ["BINARY.PEEK[1]<\($0).1>", "BINARY.PEEK[2.2]<\($0).1>"] }
        let html = Array("<p>café</p>".utf8)
        let expected = (0..<13).flatMap { offset in
            let one = String(text.dropFirst(offset).prefix(1))
            let two = String(decoding: html.dropFirst(offset).prefix(1), as: UTF8.self)
            return ["BINARY[1]<\(offset)> {1}\r\n\(one)", "BINARY[2.2]<\(offset)> {\(offset < 12 ? 1 : 0)}\r\n\(two)"]
        }
        #expect(
            client.command("FETCH 1 (\(items.joined(separator: " ")))")
                == "* 1 FETCH (\(expected.joined(separator: " ")))\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[3])")
                == "T NO [UNKNOWN-CTE] The transfer encoding of a part is not known\r\n")
        let limit = (0..<129).map { "BODY.PEEK[\($0 + 1)]" }.joined(separator: " ")
        #expect(client.command("FETCH 1 (\(limit))").hasPrefix("T NO [LIMIT]"))
        await server.stop()
    }

    @Test("MODSEQ is told with the flags of a message that FETCH sets Seen on (RFC 7162 §3.1)")
    func seenModSeq() async throws {
        let server = try await TestServer()
        for number in 1...3 { try await server.add("N: \(number)\r\n\r\n") }
        let client = try server.login()
        _ = client.command("ENABLE CONDSTORE")
        _ = client.command("SELECT INBOX")
        #expect(
            client.command("FETCH 1 (BODY[TEXT] FLAGS)")
                == "* 1 FETCH (BODY[TEXT] {0}\r\n FLAGS (\\Seen) MODSEQ (5))\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 2 BODY[TEXT]")
                == "* 2 FETCH (BODY[TEXT] {0}\r\n FLAGS (\\Seen) MODSEQ (6))\r\nT OK FETCH completed\r\n")
        #expect(
            client.command("FETCH 3 (MODSEQ BODY[TEXT])")
                == "* 3 FETCH (MODSEQ (7) BODY[TEXT] {0}\r\n FLAGS (\\Seen))\r\nT OK FETCH completed\r\n")
        #expect(client.command("FETCH 1:3 UID (CHANGEDSINCE 0)").contains("* 3 FETCH (UID 3 MODSEQ (7))"))
        await server.stop()
    }

    @Test("a message that cannot be decoded is told as Seen all the same")
    func seenUndecodable() async throws {
        let server = try await TestServer()
        try await server.add(nested)
        let client = try server.select()
        #expect(
            client.command("FETCH 1 BINARY[3]")
                == "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\nT NO [UNKNOWN-CTE] The transfer encoding of a part is not known\r\n"
        )
        await server.stop()
    }

    @Test("a number without a message is BAD, a UID without one is nothing")
    func ranges() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\n")
        let client = try server.select()
        #expect(client.command("FETCH 2 FLAGS") == "T BAD There is no message with this number\r\n")
        #expect(client.command("UID FETCH 2 FLAGS") == "T OK UID FETCH completed\r\n")
        // `*` is the last one, whatever stands before it.
        #expect(client.command("UID FETCH 7:* FLAGS") == "* 1 FETCH (UID 1 FLAGS ())\r\nT OK UID FETCH completed\r\n")
        await server.stop()
    }
}

enum IMAPText {
    static func literal(_ text: String) -> String { "{\(text.utf8.count)}\r\n\(text)" }
    static func nstring(_ text: String?) -> String { text.map { literal($0) } ?? "NIL" }
}
