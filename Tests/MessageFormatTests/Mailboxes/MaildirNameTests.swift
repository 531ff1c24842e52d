import MessageFormat
import Testing

@Suite struct MaildirNameTests {
    static let keywords = MaildirKeywords(file: Array("0 blue\n1 $Junk\n25 last\n26 none\nrubbish\n2 no(atom\n".utf8))

    @Test(
        arguments: [
            ("1.M2P3.host:2,", "1.M2P3.host", [], []), ("1.host", "1.host", [], []),
            ("1.host:2,FRS", "1.host", [.flagged, .answered, .seen], []),
            ("1.host,S=12,W=13:2,DT", "1.host,S=12,W=13", [.draft, .deleted], []),
            ("1.host;2,S", "1.host", [.seen], []), ("1.host!2,S", "1.host", [.seen], []),
            ("1.host:2,Sabz", "1.host", [.seen], ["blue", "$Junk", "last"]), ("1.host:2,Sc", "1.host", [.seen], []),
            ("1.host:2,P", "1.host", [], ["$Forwarded"]), ("1.host:2,S,X=1F", "1.host", [.seen], []),
            ("1:2,x:2,S", "1:2,x", [.seen], []), ("", "", [], []), (":2,", "", [], []),
            ("1.host:1,S", "1.host:1,S", [], []),
        ] as [(String, String, MailboxFlags.System, [String])])
    func `a name has flags`(_ name: String, _ unique: String, _ flags: MailboxFlags.System, _ keywords: [String]) {
        let parsed = MaildirName.parse(Array(name.utf8), keywords: Self.keywords)
        #expect(parsed.unique == Array(unique.utf8))
        #expect(parsed.flags == MailboxFlags(system: flags, keywords: keywords))
    }

    @Test func `a written name reads as it was`() {
        var letters = MaildirKeywords()
        for bits in UInt8(0)..<32 {
            let flags = MailboxFlags(system: .init(rawValue: bits), keywords: ["$Forwarded", "blue", "red\(bits % 3)"])
            let name = MaildirName(unique: Array("1.host,S=5".utf8), flags: flags)
            let encoded = name.encoded(keywords: &letters)
            let kept = MaildirKeywords(file: letters.encoded)
            let parsed = MaildirName.parse(encoded, keywords: kept)
            #expect(parsed.flags.system == flags.system)
            #expect(Set(parsed.flags.keywords) == Set(flags.keywords))
            #expect(parsed.unique == name.unique)
            // Readers compare names as they are: letters ascend.
            let written = encoded.drop { $0 != UInt8(ascii: ":") }.dropFirst(3)
            #expect(Array(written) == written.sorted())
        }
    }

    @Test func `the 27th keyword has no letter`() {
        var letters = MaildirKeywords()
        let flags = MailboxFlags(keywords: (0..<30).map { "k\($0)" })
        let encoded = MaildirName(unique: [0x31], flags: flags).encoded(keywords: &letters)
        #expect(encoded.count == 1 + 3 + 26)
        let (known, unknown) = (letters.letter(for: "K3"), letters.letter(for: "k29"))
        #expect(known == UInt8(ascii: "d"))
        #expect(unknown == nil)
    }
}

@Suite struct MailboxFlagsTests {
    @Test(arguments: ["", "a b", "a\"", "a\\", "a]", "(", "ä", String(repeating: "a", count: 256)])
    func `this is no keyword`(_ text: String) {
        var flags = MailboxFlags()
        let isAdded = flags.add(keyword: text)
        #expect(!isAdded)
        #expect(flags.keywords == [])
    }

    @Test func `keywords have no doubles and are bounded`() {
        let flags = MailboxFlags(keywords: ["a", "A", "b"] + (0..<100).map { "k\($0)" })
        #expect(flags.keywords.prefix(2) == ["a", "b"])
        #expect(flags.keywords.count == MailboxFlags.maximumKeywords)
    }
}
