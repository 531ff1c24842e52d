import IMAPProtocol
import Testing

@Suite struct MailboxNameTests {
    static func name(_ wire: [UInt8], utf8: Bool = false) -> String? {
        wire.withUnsafeBytes { MailboxName(wire: $0, isUTF8: utf8)?.name }
    }

    /// RFC 3501 §5.1.3, and forms that were worked out by hand from RFC 2152.
    static let pairs: [(String, String)] = [
        ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"), ("&AOQ-", "ä"), ("Entw&APw-rfe", "Entwürfe"),
        ("a&-b", "a&b"),
        ("&-&-", "&&"), ("&2D3eAA-", "😀"), ("&AKAAoQ-", "\u{A0}¡"), ("&IKwA,A-", "€ü"), ("Sent", "Sent"),
        ("&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
        ("R&AOk-sum&AOk-", "Résumé"), ("&Jjo-!", "☺!"), ("&AOQ-&-", "ä&"),
    ]

    @Test(arguments: pairs) func `Modified UTF-7 goes both ways`(_ wire: String, _ decoded: String) throws {
        #expect(Self.name(bytes(wire)) == decoded)
        #expect(text(try #require(MailboxName(decoded)).modifiedUTF7) == wire)
    }

    static let malformed: [String] = [
        "&", "a&", "&AOQ", "&A-", "&AO-", "&AOR-", "&AOQA-", "&!!-", "&AGE-", "&ACY-", "&AAA-", "&AAo-", "&2D0-",
        "&3gA-", "&2D0AYQ-", "&AOQ-&APw-", "&IBQ/-",
        "\u{7F}", "a\u{1}b", "ü", "", "&AIU-", "&ICg-", "&/-",
    ]

    @Test(arguments: malformed) func `A name with another form, a control character or 8-bit octets is an error`(
        _ wire: String
    ) {
        #expect(Self.name(bytes(wire)) == nil)
    }

    @Test func `Every scalar of Unicode survives the way out and back`() {
        var value: UInt32 = 0xA0
        while value < 0x11_0000 {
            defer { value += value < 0x3000 ? 1 : 37 }
            guard let scalar = Unicode.Scalar(value), value != 0x2028, value != 0x2029,
                let name = MailboxName("x\(String(scalar))y")
            else { continue }
            let back = name.modifiedUTF7.withUnsafeBytes { MailboxName(wire: $0, isUTF8: false) }
            // Normalisation may change the scalars; it is canonical equivalence, which is String's equality.
            #expect(back == name, "U+\(String(value, radix: 16))")
        }
    }

    @Test func `UTF-8 mode takes UTF-8 as it is, in NFC, and & as a letter`() {
        #expect(Self.name(bytes("Entwürfe"), utf8: true) == "Entwürfe")
        #expect(Self.name(bytes("a&b"), utf8: true) == "a&b")
        #expect(Self.name(bytes("e\u{301}"), utf8: true).map { Array($0.utf8) } == bytes("é"))
        #expect(Self.name([0xC3], utf8: true) == nil)
        #expect(Self.name([0xED, 0xA0, 0x80], utf8: true) == nil)
        #expect(Self.name(bytes("a\u{85}"), utf8: true) == nil)
        #expect(Self.name(bytes("a\u{2028}"), utf8: true) == nil)
        #expect(Self.name([0x61, 0], utf8: true) == nil)
    }

    @Test(arguments: [
        ("inbox", "INBOX"), ("InBoX/Sub", "INBOX/Sub"), ("inboxes", "inboxes"), ("x/inbox", "x/inbox"),
        ("INBO", "INBO"),
    ])
    func `INBOX has no case`(_ wire: String, _ name: String) {
        #expect(Self.name(bytes(wire)) == name)
    }

    @Test func `A name remembers how it was written, and is equal all the same`() {
        func read(_ text: String, utf8: Bool = true) -> MailboxName? {
            bytes(text).withUnsafeBytes { MailboxName(wire: $0, isUTF8: utf8) }
        }
        #expect(read("u\u{308}/")?.supplied.map { bytes($0) } == bytes("u\u{308}/"))
        #expect(read("u\u{308}/")?.withoutTrailingDelimiter.supplied.map { bytes($0) } == bytes("u\u{308}"))
        #expect(read("inbox")?.supplied == "inbox")
        #expect(read("inbox") == MailboxName("INBOX"))
        for name in ["INBOX", "\u{FC}", "plain", "a&b"] { #expect(read(name)?.supplied == nil) }
        // Modified UTF-7 is not told as OLDNAME.
        #expect(read("inbox", utf8: false)?.supplied == nil)
    }

    static let patterns: [(String, String, String, Bool)] = [
        ("", "*", "a/b", true), ("", "%", "a/b", false), ("", "%", "a", true), ("", "%/b", "a/b", true),
        ("a/", "%", "a/b", true), ("", "a*", "a/b/c", true),
        ("", "a*c", "a/b/c", true), ("", "a%c", "a/b/c", false), ("", "a%c", "abc", true), ("", "*%", "x", true),
        ("", "%%", "", true), ("", "x*", "", false),
        ("", "inbox", "INBOX", true), ("", "iNbOx/%", "INBOX/x", true), ("", "inboxes", "INBOXES", false),
        ("", "a", "A", false), ("", "ü%", "über", true),
        ("ref/", "/abs", "abs", true), ("", "**a**", "bab", true), ("", "", "", true), ("", "*b", "ab/ab", true),
        ("", "in%", "INBOX", true), ("", "*x/Y", "INBOX/Y", true), ("", "inbox/y", "INBOX/Y", false),
        ("", "inbo", "INBOX", false), ("inbox/", "%", "INBOX/x", true), ("", "%nbox", "INBOX", true),
        ("", "a%b*c", "a/b", false), ("", "a/%/c", "a/b/c", true), ("", "a/%/c", "a/b/x/c", false),
        ("", "abc", "ab", false), ("", "ab", "abc", false),
    ]

    @Test(arguments: patterns) func `A pattern matches as the RFC says`(
        _ reference: String, _ pattern: String, _ name: String, _ matches: Bool
    ) {
        #expect(MailboxPattern(reference: reference, pattern: pattern).matches(name) == matches)
    }

    @Test func `A pattern of many wildcards does not explode`() {
        let pattern = MailboxPattern(reference: "", pattern: String(repeating: "*a", count: 500))
        #expect(!pattern.matches(String(repeating: "a", count: 499) + String(repeating: "b", count: 500)))
        #expect(pattern.matches(String(repeating: "ba", count: 500)))
    }

    @Test func `Patterns of all lengths match what the definition says`() {
        /// By the definition, a level of recursion for each octet: slow, and right.
        func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            let rest = pattern.dropFirst()
            if first == UInt8(ascii: "*") || first == UInt8(ascii: "%") {
                if matches(rest, name) { return true }
                guard let next = name.first, first == UInt8(ascii: "*") || next != UInt8(ascii: "/") else {
                    return false
                }
                return matches(pattern, name.dropFirst())
            }
            return name.first == first && matches(rest, name.dropFirst())
        }
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        var found = 0
        for round in 0..<4_000 {
            // A long beginning takes the places of interest over the ends of words.
            let head = [UInt8](
                repeating: UInt8(ascii: "x"), count: round % 3 == 0 ? Int.random(in: 55...70, using: &generator) : 0)
            let lead = Array("%".utf8) + head
            let pattern =
                lead
                + (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                    Array("ab/*%".utf8).randomElement(using: &generator) ?? 0
                }
            let name =
                head
                + (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                    Array("ab/".utf8).randomElement(using: &generator) ?? 0
                }
            let expected = matches(pattern[...], name[...])
            found += expected ? 1 : 0
            let made = MailboxPattern(reference: "", pattern: String(decoding: pattern, as: UTF8.self))
            #expect(made.matches(String(decoding: name, as: UTF8.self)) == expected, "seed \(seed)")
        }
        #expect(found > 400)
    }

    @Test(
        "levels that a client cannot keep as a folder are not made",
        arguments: [
            (".", false), ("..", false), ("../../etc/passwd", false), ("a/./b", false), ("a/..", false),
            ("...", true), (".a", true), ("a..b/c.", true), (String(repeating: "x", count: 255) + "/b", true),
            ("a/" + String(repeating: "x", count: 256), false), (String(repeating: "\u{E9}", count: 127), true),
            (String(repeating: "\u{E9}", count: 128), false),
        ])
    func made(_ text: String, _ isMade: Bool) throws {
        let name = try #require(MailboxName(text))
        #expect((name.reasonNotToMake == nil) == isMade, "\(text)")
    }
}
