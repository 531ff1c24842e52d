import MessageFormat
import Testing

@Suite struct StructureTests {
    @Test(
        "the tree of parts",
        arguments: [
            ("Subject: x\r\n\r\nbody\r\n", "text/plain"), ("", "text/plain"), ("\r\n", "text/plain"),
            ("\r\nbody", "text/plain"),
            ("no header at all\r\nbody", "text/plain"), ("Content-Type: TEXT/HTML\r\n\r\n<p>", "text/html"),
            ("Content-Type: nonsense\r\n\r\nx", "text/plain"),
            ("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nx", "a/b"),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: x/y\r\n\r\ntwo\r\n--b--\r\n",
                "multipart/mixed(text/plain x/y)"
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: x/y\n\ntwo\n--b--\n",
                "multipart/mixed(text/plain x/y)"
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b  \t\r\n\r\none\r\n--b--  \r\nepilogue\r\n--b\r\n",
                "multipart/mixed(text/plain)"
            ),
            ("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n", "multipart/mixed"),
            ("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\none\r\n", "multipart/mixed"),
            ("Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n", "multipart/mixed"),
            ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n", "multipart/mixed"),
            (
                "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nhi\r\n--b--\r\n",
                "multipart/digest(message/rfc822(text/plain))"
            ),
            ("Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nhi\r\n", "message/rfc822(text/plain)"),
            ("Content-Type: message/global\r\n\r\nSubject: x\r\n\r\nhi\r\n", "message/global(text/plain)"),
            ("Content-Type: message/rfc822\r\n\r\n", "message/rfc822(text/plain)"),
            (
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n",
                "message/rfc822"
            ),
            ("Content-Type: message/partial; id=x\r\n\r\nhi", "message/partial"),
        ])
    func outlines(message: String, outline: String) {
        #expect(parse(message).root.outline == outline)
        #expect(Invariants.fault(bytes(message)) == nil)
    }

    static let nested = """
        Content-Type: multipart/mixed; boundary=outer

        preamble
        --outer
        Content-Type: multipart/alternative; boundary="in ner"

        --in ner
        Content-Type: text/plain

        plain
        --in ner
        Content-Type: text/html

        <p>
        --in ner--
        inner epilogue
        --outer
        Content-Type: message/rfc822

        Subject: inside
        Content-Type: multipart/mixed; boundary=deep

        --deep

        deepest

        --deep--
        --outer--
        epilogue
        """

    @Test(
        "parts nest, and every body is its octets without the line end before the boundary", arguments: [false, true])
    func nesting(hasCRLF: Bool) throws {
        let message = hasCRLF ? withCRLF(bytes(Self.nested)) : bytes(Self.nested)
        let structure = MessageStructure.parse(message)
        let lineEnd = hasCRLF ? "\r\n" : "\n"
        #expect(
            structure.root.outline
                == "multipart/mixed(multipart/alternative(text/plain text/html) message/rfc822(multipart/mixed(text/plain)))"
        )
        #expect(structure.partCount == 7)
        #expect(structure.part(at: [1, 1])?.body(in: message) == "plain")
        #expect(structure.part(at: [1, 2])?.body(in: message) == "<p>")
        let deepest = try #require(structure.part(at: [2, 1]))
        #expect(deepest.body(in: message) == "deepest\(lineEnd)")
        #expect(deepest.lines == 1)
        #expect(structure.part(at: [2])?.body(in: message).hasPrefix("Subject: inside") == true)
        #expect(structure.part(at: [1])?.body(in: message).hasSuffix("inner epilogue") == true)
        #expect(structure.part(at: [2])?.lines == 7)
        #expect(Invariants.fault(message) == nil)
    }

    @Test(
        "part numbers are IMAP's (RFC 9051 §6.4.5), and what is not there is nil",
        arguments: [
            ([], "multipart/mixed"), ([1], "multipart/alternative"), ([1, 2], "text/html"), ([2], "message/rfc822"),
            ([2, 1], "text/plain"), ([3], nil), ([0], nil), ([-1], nil), ([1, 1, 1], nil), ([2, 1, 1], nil),
            ([2, 2], nil),
            ([Int.max], nil), ([1, 2, 1, 1, 1, 1], nil),
        ] as [([Int], String?)])
    func partNumbers(path: [Int], type: String?) {
        let part = parse(Self.nested).part(at: path)
        #expect(part.map { "\($0.contentType.type)/\($0.contentType.subtype)" } == type)
    }

    @Test("[1] of a message that is no multipart is its body, and nothing is below it")
    func singlePart() {
        let structure = parse("Subject: x\r\n\r\nbody")
        #expect(structure.part(at: [1]) == structure.root)
        #expect(structure.part(at: [2]) == nil)
        #expect(structure.part(at: [1, 1]) == nil)
    }

    @Test("a missing close boundary leaves the parts as they are")
    func missingClose() {
        let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n"
        let structure = parse(message)
        #expect(structure.root.children.map { $0.body(in: bytes(message)) } == ["one", "two\r\n"])
    }

    @Test("an outer boundary ends inner parts that were not closed (RFC 2046 §5.1.2)")
    func missingInnerClose() {
        let message =
            "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\n"
            + "one\r\n--o\r\n\r\ntwo\r\n--o--\r\n"
        let structure = parse(message)
        #expect(structure.root.outline == "multipart/mixed(multipart/mixed(text/plain) text/plain)")
        #expect(structure.part(at: [1, 1])?.body(in: bytes(message)) == "one")
        #expect(structure.part(at: [2])?.body(in: bytes(message)) == "two")
    }

    @Test(
        "a boundary that begins another is not taken for it, whichever is outside",
        arguments: [("b", "bb"), ("bb", "b")])
    func prefixes(outer: String, inner: String) {
        let message =
            "Content-Type: multipart/mixed; boundary=\(outer)\r\n\r\n--\(outer)\r\nContent-Type: multipart/mixed; boundary=\(inner)"
            + "\r\n\r\n--\(inner)\r\n\r\none\r\n--\(inner)\r\n\r\ntwo\r\n--\(inner)--\r\n--\(outer)\r\n\r\nthree\r\n--\(outer)--\r\n"
        #expect(parse(message).root.outline == "multipart/mixed(multipart/mixed(text/plain text/plain) text/plain)")
        #expect(parse(message).part(at: [2])?.body(in: bytes(message)) == "three")
    }

    @Test("a line that begins with the boundary is one, whatever follows (RFC 2046 §5.1.1)")
    func restOfLine() {
        let message =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b X: ignored\r\nContent-Type: x/y\r\n\r\none\r\n--b-- ignored\r\n"
            + "\r\n--b\r\n\r\nepilogue"
        #expect(parse(message).root.outline == "multipart/mixed(x/y)")
    }

    @Test(
        "lines that only look like a boundary are text",
        arguments: ["--", "-- ", "--B", " --b", "-b", "---b", "--a", "b"])
    func noBoundary(line: String) {
        let message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\(line)\r\ntwo\r\n--b--\r\n"
        #expect(parse(message).root.children.map { $0.body(in: bytes(message)) } == ["one\r\n\(line)\r\ntwo"])
    }

    @Test("a boundary directly behind a header leaves an empty body inside what is around it")
    func emptyBodies() {
        let message =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n--b\r\n"
            + "Content-Type: x/y\r\n--b\r\n--b--\r\n"
        let structure = parse(message)
        #expect(structure.root.outline == "multipart/mixed(message/rfc822(text/plain) x/y text/plain)")
        #expect(structure.root.children.map(\.bodyRange.count) == [14, 0, 0])
        #expect(Invariants.fault(bytes(message)) == nil)
    }

    @Test("Content fields are told as they stand")
    func contentFields() throws {
        let root = parse(
            "Content-Type: Image/PNG; Name=x\r\nContent-Transfer-Encoding: BASE64 (really)\r\nContent-ID: <a@b>\r\n"
                + "Content-Description: a\r\n folded\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Location: http://x/\r\n"
                + "Content-Language: en, de-CH ,\r\nContent-Disposition: Inline; filename=y; size=10\r\n\r\n"
        ).root
        #expect(root.contentType.type == "image" && root.contentType.subtype == "png")
        #expect(root.encoding == "base64")
        #expect(root.id.map { text($0) } == "<a@b>")
        #expect(root.description.map { text($0) } == "a folded")
        #expect(root.md5.map { text($0) } == "Q2hlY2sgSW50ZWdyaXR5IQ==")
        #expect(root.location.map { text($0) } == "http://x/")
        #expect(root.language == ["en", "de-CH"])
        #expect(root.disposition?.kind == "inline")
        #expect(root.disposition?.parameters.decoded("size") == "10")
        #expect(root.fileName == "y")
    }

    @Test("every cut of a message keeps the invariants")
    func cuts() {
        for message in [bytes(Self.nested), withCRLF(bytes(Self.nested))] {
            for length in 0...message.count {
                #expect(Invariants.fault(Array(message.prefix(length))) == nil)
            }
        }
    }

    @Test(
        "an octet changed anywhere keeps the invariants",
        arguments: [0x00, 0x0A, 0x0D, 0x20, 0x22, 0x28, 0x2D, 0x3A, 0x3B, 0x80] as [UInt8])
    func changes(octet: UInt8) {
        let message = withCRLF(bytes(Self.nested))
        for place in message.indices {
            var changed = message
            changed[place] = octet
            #expect(Invariants.fault(changed) == nil)
        }
    }
}
