import IMAPProtocol
import Testing

@Suite struct SearchParserTests {
    static func day(_ year: Int, _ month: Int, _ day: Int) -> CalendarDay {
        CalendarDay(year: year, month: month, day: day)
    }

    static let keys: [(String, SearchKey)] = [
        ("ALL", .all), ("ANSWERED", .has(.answered)), ("undeleted", .hasNot(.deleted)), ("DRAFT", .has(.draft)),
        ("UNFLAGGED", .hasNot(.flagged)),
        ("RECENT", .recent), ("NEW", .new), ("OLD", .old), ("KEYWORD $MDNSent", .keyword("$MDNSent")),
        ("UNKEYWORD x", .unkeyword("x")),
        ("BCC a", .bcc("a")), ("CC \"b c\"", .cc("b c")), ("FROM {3}\r\nx\"y", .from("x\"y")), ("TO z", .to("z")),
        ("SUBJECT \"\"", .subject("")),
        ("BODY \"grüß\"", .body("grüß")), ("TEXT {4+}\r\na\r\nb", .text("a\r\nb")),
        ("HEADER Message-ID <a@b>", .header(name: "Message-ID", value: "<a@b>")),
        ("BEFORE 1-Feb-1994", .before(day(1994, 2, 1))), ("ON \"01-JAN-2020\"", .on(day(2020, 1, 1))),
        ("SINCE 29-Feb-2000", .since(day(2000, 2, 29))),
        ("SENTBEFORE 31-Dec-1969", .sentBefore(day(1969, 12, 31))), ("SENTON 2-Mar-2024", .sentOn(day(2024, 3, 2))),
        ("SENTSINCE 2-Mar-2024", .sentSince(day(2024, 3, 2))), ("LARGER 0", .larger(0)),
        ("SMALLER 9223372036854775807", .smaller(.init(Int64.max))),
        ("1:3,*", .sequence(set((1, 3), (star, star)))), ("UID 5", .uid(set((5, 5)))), ("$", .sequence(.savedResult)),
        ("UID $", .uid(.savedResult)),
        ("MODSEQ 620162338", .modSeq(620_162_338)), ("MODSEQ \"/flags/\\\\draft\" all 620162338", .modSeq(620_162_338)),
        ("OLDER 259200", .older(259_200)), ("YOUNGER 1", .younger(1)), ("NOT SEEN", .not(.has(.seen))),
        ("OR SEEN FROM x", .or(.has(.seen), .from("x"))),
        ("(SEEN)", .has(.seen)),
        (
            "FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
            .and([.has(.flagged), .since(day(1994, 2, 1)), .not(.from("Smith"))])
        ),
        (
            "OR (SEEN DRAFT) (NOT (OR 1 2))",
            .or(.and([.has(.seen), .has(.draft)]), .not(.or(.sequence(set((1, 1))), .sequence(set((2, 2))))))
        ),
    ]

    @Test(arguments: keys) func `A search key parses to its value`(_ wire: String, _ key: SearchKey) throws {
        #expect(
            try CommandParser().parse(bytes("a UID SEARCH \(wire)")).command
                == .search(SearchCommand(uid: true, key: key)))
    }

    static let returns: [(String, SearchReturn)] = [
        ("()", .all), ("(MIN)", .min), ("(MIN MAX COUNT)", [.min, .max, .count]), ("(SAVE)", .save),
        ("(all save)", [.all, .save]),
    ]

    @Test(arguments: returns) func `RETURN options parse, and none mean ALL`(_ wire: String, _ options: SearchReturn)
        throws
    {
        let command = try CommandParser().parse(bytes("a SEARCH RETURN \(wire) UNSEEN")).command
        #expect(command == .search(SearchCommand(uid: false, returns: options, key: .hasNot(.seen))))
    }

    @Test func `Charsets beside UTF-8 go through the decoder, and unknown ones are BADCHARSET`() throws {
        let latin = CommandParser(decodeCharset: { name, octets in
            name == "ISO-8859-1" ? String(String.UnicodeScalarView(octets.map { Unicode.Scalar($0) })) : nil
        })
        let command = try latin.parse(bytes("a SEARCH RETURN (COUNT) CHARSET iso-8859-1 SUBJECT {1}\r\n") + [0xFC])
            .command
        #expect(command == .search(SearchCommand(uid: false, returns: .count, key: .subject("ü"))))
        #expect(
            try CommandParser().parse(bytes("a SEARCH CHARSET us-ascii ALL")).command
                == .search(SearchCommand(uid: false, key: .all)))
        for wire in ["a SEARCH CHARSET KOI8-R TEXT x", "a SEARCH CHARSET ISO-8859-1 TEXT x"] {
            let parser = wire.contains("KOI") ? latin : CommandParser()
            #expect { try parser.parse(bytes(wire)) } throws: { ($0 as? CommandParseError)?.reason == .badCharset }
        }
        var writer = ResponseWriter()
        writer.answer(CommandParseError(tag: "a", offset: 3, reason: .badCharset))
        #expect(text(writer.bytes).hasPrefix("a NO [BADCHARSET (US-ASCII UTF-8)] "))
    }
}
