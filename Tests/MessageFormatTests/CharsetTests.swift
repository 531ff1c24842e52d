import MessageFormat
import Testing

@Suite struct CharsetTests {
    @Test(
        "text of the charsets of mail, also by names that iconv does not know",
        arguments: [
            ("utf-8", [0xE2, 0x82, 0xAC], "\u{20AC}"), ("utf8", [0xC3, 0xBC], "\u{FC}"), ("us-ascii", [0x61], "a"),
            ("iso-8859-1", [0xFC], "\u{FC}"), ("iso-8859-1", [0x80], "\u{20AC}"), ("windows-1252", [0x93], "\u{201C}"),
            ("iso-8859-15", [0xA4], "\u{20AC}"), ("ISO-8859-2", [0xB1], "\u{105}"), ("windows-1251", [0xCF], "\u{41F}"),
            ("koi8-r", [0xF0], "\u{41F}"), ("koi8-u", [0xA4], "\u{454}"),
            ("ks_c_5601-1987", [0xC7, 0xD1], "\u{D55C}"), ("euc-kr", [0xC7, 0xD1], "\u{D55C}"),
            ("ks_c_5601-1987", [0x81, 0x41], "\u{AC02}"),
            ("hz-gb-2312", bytes("a~{VPND~}~~b"), "a\u{4E2D}\u{6587}~b"),
            ("HZ-GB-2312", bytes("x~\n~{<:Ky2;~}."), "x\u{5DF1}\u{6240}\u{4E0D}."),
            ("gb2312", [0xD6, 0xD0], "\u{4E2D}"), ("gbk", [0x81, 0x40], "\u{4E02}"),
            ("gb18030", [0x81, 0x30, 0x81, 0x30], "\u{80}"),
            ("big5", [0xA4, 0xA4], "\u{4E2D}"), ("iso-8859-8-i", [0xF9], "\u{5E9}"),
            ("ISO-8859-8-E", [0xF9], "\u{5E9}"),
            ("iso-8859-6", [0xE5], "\u{645}"), ("x-sjis", [0x93, 0xFA], "\u{65E5}"),
            ("shift_jis", [0x87, 0x40], "\u{2460}"),
            ("x-mac-cyrillic", [0x80], "\u{410}"), ("macintosh", [0x8A], "\u{E4}"),
            ("unicode-1-1-utf-7", bytes("a+IKw-b"), "a\u{20AC}b"),
            ("utf-7", bytes("+AOQ-"), "\u{E4}"), ("euc-jp", [0xC6, 0xFC], "\u{65E5}"),
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42], "\u{65E5}"),
            ("iso-2022-kr", [0x1B, 0x24, 0x29, 0x43, 0x0E, 0x47, 0x51, 0x0F], "\u{D55C}"),
            ("utf-16", [0x20, 0xAC], "\u{20AC}"), ("utf-16", [0xFE, 0xFF, 0x20, 0xAC], "\u{20AC}"),
            ("utf-16", [0xFF, 0xFE, 0xAC, 0x20], "\u{20AC}"),
            ("utf-16le", [0xAC, 0x20], "\u{20AC}"), ("tis-620", [0xA1], "\u{E01}"), ("windows-1258", [0x61], "a"),
            ("windows-1258", bytes("xin ch\u{0}o").map { $0 == 0 ? 0xE0 : $0 }, "xin ch\u{E0}o"),
            ("big5-hkscs", [0x88, 0x66], "\u{CA}"),
            ("ISO-8859-9", [0xFD], "\u{131}"), ("x-unknown", [0xFC], "\u{FC}"), ("", [0x61], "a"),
            ("cp850", [0x81], "\u{FC}"),
        ] as [(String, [UInt8], String)])
    func decodes(charset: String, octets: [UInt8], expected: String) {
        #expect(Charset.decode(octets, charset: charset) == expected)
        #expect(Charset.isKnown(charset))
    }

    @Test(
        "what a charset does not have is U+FFFD, and the text behind it is still read",
        arguments: [
            ("utf-8", [0x61, 0xFF, 0x62], "a\u{FFFD}b"), ("euc-jp", [0x61, 0xFF, 0x62], "a\u{FFFD}b"),
            ("big5", [0x61, 0xA4], "a\u{FFFD}"),
            ("shift_jis", [0x93], "\u{FFFD}"), ("utf-16le", [0x61, 0x00, 0x62], "a\u{FFFD}"),
            ("hz-gb-2312", bytes("~{VP\n a"), "\u{4E2D}\n a"),
            ("hz-gb-2312", bytes("~{V"), "V"), ("hz-gb-2312", bytes("~"), "~"),
        ] as [(String, [UInt8], String)])
    func malformed(charset: String, octets: [UInt8], expected: String) {
        #expect(Charset.decode(octets, charset: charset) == expected)
    }

    @Test(
        "a name that is no charset is nil, and nothing of it reaches iconv's options",
        arguments: [
            "x-nobody", "utf-8//TRANSLIT", "utf-16//IGNORE", "../../etc/passwd", "a b", "\u{E9}", "\u{0}",
            String(repeating: "x", count: 10_000),
        ])
    func unknown(charset: String) {
        #expect(Charset.decode([0x61], charset: charset) == nil)
        #expect(!Charset.isKnown(charset))
    }

    @Test("text said to be ASCII, or nothing, is UTF-8 when it is valid, else windows-1252")
    func unlabelled() {
        #expect(Charset.decodeUnlabelled(bytes("\u{20AC}")) == "\u{20AC}")
        #expect(Charset.decodeUnlabelled([0x93, 0xE9]) == "\u{201C}\u{E9}")
        #expect(Charset.decode([0xC3, 0xA9], charset: "US-ASCII") == "\u{E9}")
        #expect(Charset.decode([0xE9], charset: "ansi_x3.4-1968") == "\u{E9}")
    }

    @Test(
        "random octets end in every charset, and come out in proportion",
        arguments: [
            "utf-8", "utf-7", "utf-16", "utf-32", "iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "iso-2022-cn-ext",
            "hz-gb-2312", "gb18030",
            "big5", "big5-hkscs", "euc-jp", "euc-jisx0213", "shift_jis", "shift_jisx0213", "ks_c_5601-1987", "johab",
            "euc-tw", "windows-1252",
            "windows-1255", "windows-1258", "tcvn5712-1", "tscii", "armscii-8", "ibm930", "ibm933", "ibm1364",
            "ibm1371", "ibm1390", "ibm1399",
        ])
    func random(charset: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let octets = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let decoded = try #require(Charset.decode(octets, charset: charset), "\(charset), seed \(seed)")
        #expect(!decoded.isEmpty && decoded.utf8.count <= octets.count * 10, "\(charset), seed \(seed)")
        for length in 0..<20 { _ = Charset.decode(Array(octets.prefix(length)), charset: charset) }
    }
}
