import MessageFormat
import Testing

@Suite struct EncodedWordTests {
    @Test(
        "encoded words are decoded (RFC 2047)",
        arguments: [
            ("=?iso-8859-1?q?this=20is=20some=20text?=", "this is some text"), ("=?UTF-8?B?4oKs?=", "\u{20AC}"),
            ("=?utf-8?Q?a_b=5Fc?=", "a b_c"), ("plain =?utf-8?q?x?= plain", "plain x plain"),
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"), ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "\u{65E5}\u{672C}\u{8A9E}"),
            ("=?koi8-r?B?8NLJ18XU?=", "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442}"),
            ("=?utf-8?q?=61=6A?=", "aj"), ("=?utf-8?Q?caf=c3=a9?=", "caf\u{E9}"),
        ])
    func words(value: String, expected: String) { #expect(EncodedWord.decode(bytes(value)) == expected) }

    @Test(
        "space between two encoded words is no text, between a word and text it is (RFC 2047 §6.2)",
        arguments: [
            ("=?ISO-8859-1?Q?a?= b", "a b"), ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  =?utf-8?B?Yg==?=", "ab"), ("=?ISO-8859-1?Q?a?=\t=?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"), ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b"), ("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
        ])
    func adjacent(value: String, expected: String) { #expect(EncodedWord.decode(bytes(value)) == expected) }

    @Test(
        "a character cut between two words of one charset comes back whole",
        arguments: [
            ("=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "\u{20AC}"), ("=?UTF-8?Q?=E2=82?= =?utf-8?Q?=AC!?=", "\u{20AC}!"),
            ("=?utf-8?Q?=F0=9F?= =?utf-8?Q?=98?= =?utf-8?Q?=80?=", "\u{1F600}"),
        ])
    func cutCharacters(value: String, expected: String) { #expect(EncodedWord.decode(bytes(value)) == expected) }

    @Test(
        "what is wrong is shown, not lost",
        arguments: [
            ("=?x-nobody?Q?abc?=", "abc"), ("=?utf-8?B?@@@YQ?=", "a"), ("=?utf-8?B?YQ?=", "a"), ("=?utf-8?B?Y?=", ""),
            ("=?utf-8?Q?=ZZ=4?=", "=ZZ=4"), ("=?utf-8?Q?=FF?=", "\u{FFFD}"), ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
            ("=?", "=?"), ("=?utf-8", "=?utf-8"), ("=?utf-8?Q?never ends", "=?utf-8?Q?never ends"),
            ("=??Q?a?=", "=??Q?a?="),
            ("=?utf-8?Q??=", ""), ("=?utf-8?Q?a b?=", "a b"), ("=?utf-8?Q?a?b?=", "a?b"),
            ("a =? b ?= c", "a =? b ?= c"),
            ("=?utf-8?=?utf-8?Q?a?=", "=?utf-8?a"), ("caf\u{E9}", "caf\u{E9}"), ("", ""),
        ])
    func malformed(value: String, expected: String) { #expect(EncodedWord.decode(bytes(value)) == expected) }

    @Test("raw octets beyond ASCII are UTF-8 when they are, else windows-1252")
    func rawOctets() {
        #expect(EncodedWord.decode([0x63, 0x61, 0x66, 0xE9]) == "caf\u{E9}")
        #expect(EncodedWord.decode([0x80]) == "\u{20AC}")
        #expect(EncodedWord.decode([0xE9, 0x20] + bytes("=?utf-8?Q?a?=")) == "\u{E9} a")
    }

    @Test("a word as long as is read is decoded, a longer one is text")
    func longest() {
        // EncodedWord.maximumLength: 2,048 octets before the `?=`.
        let longest = "=?utf-8?Q?" + String(repeating: "a", count: 2_038) + "?="
        #expect(EncodedWord.decode(bytes(longest)) == String(repeating: "a", count: 2_038))
        let longer = "=?utf-8?Q?" + String(repeating: "a", count: 2_039) + "?="
        #expect(EncodedWord.decode(bytes(longer)) == longer)
    }

    @Test(
        "what is encoded decodes to itself, in words of at most 75 octets",
        arguments: [
            "plain", "", "caf\u{E9}", "=?utf-8?Q?looks like one?=", String(repeating: "\u{20AC}\u{1F600}", count: 60),
            "a\u{301}e",
            "\r\ninjected: yes", String(repeating: "x", count: 2_000), "\u{0}",
        ])
    func roundTrip(original: String) {
        for indent in [0, 20, 60, 200] {
            let encoded = EncodedWord.encode(original, indent: indent)
            #expect(EncodedWord.decode(bytes(encoded)) == original)
            #expect(encoded.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
            #expect(encoded == original || encoded.split(separator: " ").allSatisfy { $0.utf8.count <= 75 })
        }
    }
}
