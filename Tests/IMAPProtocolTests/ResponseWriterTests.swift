import IMAPProtocol
import MartletCore
import Testing

@Suite struct ResponseWriterTests {
    @Test func `Conditions carry tag, code and text`() {
        #expect(written { $0.tagged("a1", .ok, "done") } == "a1 OK done\r\n")
        #expect(written { $0.tagged("a1", .no, .tooBig, "too large") } == "a1 NO [TOOBIG] too large\r\n")
        #expect(written { $0.untagged(.bye, "see you") } == "* BYE see you\r\n")
        #expect(written { $0.untagged(.preAuth, "hello") } == "* PREAUTH hello\r\n")
        #expect(written { $0.continuation("idling") } == "+ idling\r\n")
        #expect(written { $0.continuation(challenge: []) } == "+ \r\n")
        #expect(written { $0.continuation(challenge: bytes("a")) } == "+ YQ==\r\n")
        #expect(written { $0.continuation(challenge: bytes("abcd")) } == "+ YWJjZA==\r\n")
    }

    @Test func `A text from outside cannot end the line, nor look like a code`() {
        #expect(written { $0.tagged("a", .bad, "x\r\n* BYE\0") } == "a BAD x??* BYE?\r\n")
        #expect(written { $0.tagged("a", .bad, "[ALERT] x") } == "a BAD (ALERT] x\r\n")
        #expect(written { $0.tagged("a", .bad, "") } == "a BAD -\r\n")
        #expect(written { $0.tagged("a", .ok, "grün") } == "a OK gr?.n\r\n")
        #expect(written(usesUTF8: true) { $0.tagged("a", .ok, "grün") } == "a OK grün\r\n")
    }

    static let codes: [(ResponseCode, String)] = [
        (.alert, "ALERT"), (.alreadyExists, "ALREADYEXISTS"),
        (.appendUID(uidValidity: 38505, uids: [3955]), "APPENDUID 38505 3955"),
        (.appendUID(uidValidity: 1, uids: [2, 3, 4]), "APPENDUID 1 2:4"),
        (.authenticationFailed, "AUTHENTICATIONFAILED"),
        (.authorizationFailed, "AUTHORIZATIONFAILED"), (.badCharset(["UTF-8"]), "BADCHARSET (UTF-8)"),
        (.cannot, "CANNOT"),
        (.capability(["IMAP4rev1", "ID"]), "CAPABILITY IMAP4rev1 ID"), (.clientBug, "CLIENTBUG"), (.closed, "CLOSED"),
        (.contactAdmin, "CONTACTADMIN"),
        (
            .copyUID(uidValidity: 38505, source: [304, 319, 320], destination: [3956, 3957, 3958]),
            "COPYUID 38505 304,319:320 3956:3958"
        ),
        (.corruption, "CORRUPTION"), (.expired, "EXPIRED"), (.expungeIssued, "EXPUNGEISSUED"),
        (.hasChildren, "HASCHILDREN"),
        (.highestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007"), (.inUse, "INUSE"), (.limit, "LIMIT"),
        (.modified([7, 9]), "MODIFIED 7,9"),
        (.noModSeq, "NOMODSEQ"), (.nonExistent, "NONEXISTENT"), (.noPerm, "NOPERM"), (.notSaved, "NOTSAVED"),
        (.overQuota, "OVERQUOTA"),
        (.parse, "PARSE"),
        (
            .permanentFlags([.deleted, .seen], keywords: [], allowsNewKeywords: true),
            "PERMANENTFLAGS (\\Deleted \\Seen \\*)"
        ),
        (.permanentFlags([], keywords: [], allowsNewKeywords: false), "PERMANENTFLAGS ()"),
        (.permanentFlags([], keywords: [], allowsNewKeywords: true), "PERMANENTFLAGS (\\*)"),
        (.permanentFlags(.draft, keywords: ["$Junk"], allowsNewKeywords: false), "PERMANENTFLAGS (\\Draft $Junk)"),
        (.privacyRequired, "PRIVACYREQUIRED"), (.readOnly, "READ-ONLY"), (.readWrite, "READ-WRITE"),
        (.serverBug, "SERVERBUG"), (.tooBig, "TOOBIG"),
        (.tryCreate, "TRYCREATE"), (.uidNext(4392), "UIDNEXT 4392"), (.uidNotSticky, "UIDNOTSTICKY"),
        (.uidValidity(3_857_529_045), "UIDVALIDITY 3857529045"),
        (.unavailable, "UNAVAILABLE"), (.unknownCTE, "UNKNOWN-CTE"), (.unseen(12), "UNSEEN 12"), (.useAttr, "USEATTR"),
    ]

    @Test(arguments: codes) func `A response code is written as the RFC spells it`(_ code: ResponseCode, _ wire: String)
    {
        #expect(written { $0.untagged(.ok, code, "x") } == "* OK [\(wire)] x\r\n")
    }

    @Test func `Mailbox data`() {
        #expect(written { $0.capability(["IMAP4rev1", "AUTH=PLAIN"]) } == "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        #expect(written { $0.enabled([]) } == "* ENABLED\r\n")
        #expect(written { $0.enabled(["CONDSTORE"]) } == "* ENABLED CONDSTORE\r\n")
        #expect(written { $0.exists(23) } == "* 23 EXISTS\r\n")
        #expect(written { $0.recent(0) } == "* 0 RECENT\r\n")
        #expect(written { $0.expunge(44) } == "* 44 EXPUNGE\r\n")
        #expect(
            written { $0.vanished([405, 407, 410, 425], earlier: true) } == "* VANISHED (EARLIER) 405,407,410,425\r\n")
        #expect(written { $0.vanished([], earlier: false) } == "")
        #expect(
            written { $0.flags(keywords: ["$MDNSent"]) }
                == "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $MDNSent)\r\n")
        #expect(written { $0.namespace() } == "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n")
        #expect(written { $0.id([]) } == "* ID NIL\r\n")
        #expect(
            written { $0.id([IDField(name: "name", value: "Martlet"), IDField(name: "x", value: nil)]) }
                == "* ID (\"name\" \"Martlet\" \"x\" NIL)\r\n")
        var values = StatusValues()
        values.messages = 231
        values.uidNext = 44292
        #expect(written { $0.status("blurdybloop", values) } == "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n")
        #expect(written { $0.status("a b", StatusValues()) } == "* STATUS \"a b\" ()\r\n")
    }

    @Test func `LIST and LSUB`() {
        #expect(written { $0.list([.noSelect], name: "foo") } == "* LIST (\\Noselect) \"/\" foo\r\n")
        #expect(
            written { $0.list([.subscribed, .hasNoChildren], uses: [.sent], name: "Sent") }
                == "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" Sent\r\n")
        #expect(
            written { $0.list([], name: "Foo", childInfo: ["SUBSCRIBED"]) }
                == "* LIST () \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n")
        #expect(
            written(usesUTF8: true) { $0.list([], name: "é", childInfo: ["SUBSCRIBED"], oldName: "x y") }
                == "* LIST () \"/\" \"é\" (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"x y\"))\r\n")
        #expect(written { $0.list([], name: "é") } == "* LIST () \"/\" \"&AOk-\"\r\n")
        #expect(written { $0.listRoot() } == "* LIST (\\Noselect) \"/\" \"\"\r\n")
        #expect(written { $0.lsub([.noSelect], name: "NIL") } == "* LSUB (\\Noselect) \"/\" \"NIL\"\r\n")
        #expect(written { $0.lsub([], name: "a\"b\\c&d") } == "* LSUB () \"/\" \"a\\\"b\\\\c&-d\"\r\n")
        #expect(written(usesUTF8: true) { $0.lsub([], name: "a&d") } == "* LSUB () \"/\" \"a&d\"\r\n")
    }

    @Test func `SEARCH and ESEARCH`() {
        #expect(written { $0.search([2, 3, 6]) } == "* SEARCH 2 3 6\r\n")
        #expect(written { $0.search([]) } == "* SEARCH\r\n")
        #expect(written { $0.search([2, 5], modSeq: 917_162_500) } == "* SEARCH 2 5 (MODSEQ 917162500)\r\n")
        #expect(written { $0.search([], modSeq: 9) } == "* SEARCH\r\n")
        let found: [UInt32] = [2, 10, 11, 12, 13, 14, 15]
        #expect(
            written { $0.esearch(tag: "A282", uid: false, ESearchResult(found, returns: [.min, .count])) }
                == "* ESEARCH (TAG \"A282\") MIN 2 COUNT 7\r\n")
        #expect(
            written { $0.esearch(tag: "A285", uid: true, ESearchResult(found, returns: [.max, .all], modSeq: 5)) }
                == "* ESEARCH (TAG \"A285\") UID MAX 15 ALL 2,10:15 MODSEQ 5\r\n")
        #expect(
            written {
                $0.esearch(tag: "a", uid: true, ESearchResult([], returns: [.min, .max, .all, .count], modSeq: 5))
            } == "* ESEARCH (TAG \"a\") UID COUNT 0\r\n")
        #expect(
            written { $0.esearch(tag: "a", uid: false, ESearchResult(found, returns: .save)) }
                == "* ESEARCH (TAG \"a\")\r\n")
    }

    @Test func `FETCH is put together of its items`() {
        let date = Instant(year: 1996, month: 7, day: 7, hour: 9, minute: 44, second: 25)
        let line = written { writer in
            writer.beginFetch(12)
            writer.fetchUID(4_294_967_295)
            writer.fetchFlags(0b100001 | 1 << 6, keywords: ["$Junk", "x"], isRecent: true)
            writer.fetchInternalDate(date)
            writer.fetchSize(4286)
            writer.fetchModSeq(624_140_003)
            writer.fetchEnvelope(bytes("(NIL NIL)"))
            writer.endFetch()
        }
        #expect(
            line
                == "* 12 FETCH (UID 4294967295 FLAGS (\\Seen \\Recent $Junk x) INTERNALDATE \" 7-Jul-1996 09:44:25 +0000\" RFC822.SIZE 4286 MODSEQ (624140003) ENVELOPE (NIL NIL))\r\n"
        )
        #expect(
            written { $0.fetchFlags(0b11111, keywords: []) } == "FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        #expect(written { $0.fetchFlags(0, keywords: []) } == "FLAGS ()")
        // A bit without a name is not written.
        #expect(written { $0.fetchFlags(1 << 63, keywords: ["a"]) } == "FLAGS ()")
    }

    @Test func `Body sections repeat what was asked for`() {
        func section(_ section: SectionSpecifier, _ origin: UInt64?, _ content: String?) -> String {
            written { writer in
                guard let content else { return writer.fetchSection(section, origin: origin, nil) }
                bytes(content).withUnsafeBytes { writer.fetchSection(section, origin: origin, $0) }
            }
        }
        #expect(section(SectionSpecifier(), nil, "a\r\nb") == "BODY[] {4}\r\na\r\nb")
        #expect(section(SectionSpecifier(), 5, "") == "BODY[]<5> \"\"")
        #expect(section(SectionSpecifier(part: [1, 2]), nil, nil) == "BODY[1.2] NIL")
        #expect(section(SectionSpecifier(part: [1], text: .mime), nil, "x\"y") == "BODY[1.MIME] \"x\\\"y\"")
        #expect(
            section(SectionSpecifier(text: .headerFields(["DATE", "x y"])), nil, "z")
                == "BODY[HEADER.FIELDS (DATE \"x y\")] \"z\"")
        #expect(
            section(SectionSpecifier(part: [2], text: .headerFieldsNot(["From"])), 0, "é")
                == "BODY[2.HEADER.FIELDS.NOT (From)]<0> {2}\r\né")
        #expect(section(SectionSpecifier(text: .text), nil, "a\0b") == "BODY[TEXT] {3}\r\na\u{FFFD}b")
        #expect(
            written { $0.fetchSectionHead(SectionSpecifier(text: .header), origin: nil, length: 9) }
                == "BODY[HEADER] {9}\r\n")
        #expect(written { $0.fetchRFC822Head(.rfc822Text, length: 0) } == "RFC822.TEXT {0}\r\n")
        #expect(
            written { $0.fetchBinaryHead(part: [1, 3], origin: 7, length: 2, hasNUL: true) }
                == "BINARY[1.3]<7> ~{2}\r\n")
        #expect(written { $0.fetchBinarySize(part: [4], size: 99) } == "BINARY.SIZE[4] 99")
        #expect(written { $0.fetchBinaryNIL(part: [4]) } == "BINARY[4] NIL")
    }

    @Test(arguments: [
        (Instant(seconds: 0), "\" 1-Jan-1970 00:00:00 +0000\""),
        (Instant(year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 59), "\"29-Feb-2024 23:59:59 +0000\""),
        (Instant(year: 12_345, month: 1, day: 1), "\" 1-Jan-9999 00:00:00 +0000\""),
        (Instant(year: -5, month: 3, day: 9), "\" 9-Mar-0000 00:00:00 +0000\""),
    ]) func `Dates are written in UTC and read back`(_ date: Instant, _ wire: String) throws {
        let found = written { $0.dateTime(date) }
        #expect(found.utf8.count == 28)
        #expect(found == wire)
        // Years of more or fewer than four digits cannot be written.
        guard (0...9_999).contains(date.utc.year) else { return }
        let command = try CommandParser().parse(bytes("a APPEND x \(found) {1}")).command
        #expect(command == .append(box("x"), AppendMessage(date: Instant(seconds: date.seconds), length: 1)))
    }

    static let structures: [(String, String?)] = [
        (
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92 NIL NIL NIL)",
            "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92)"
        ),
        (
            "(\"image\" \"png\" NIL \"<i)d>\" NIL \"base64\" 4554 \"md5\" (\"inline\" (\"a\" \"b\")) (\"en\" \"de\") \"loc\" (1 2))",
            "(\"image\" \"png\" NIL \"<i)d>\" NIL \"base64\" 4554)"
        ),
        (
            "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL)(\"text\" \"html\" NIL NIL {3}\r\na)( \"7bit\" 2 2 NIL NIL) \"alternative\" (\"boundary\" \"x\") NIL)",
            "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"text\" \"html\" NIL NIL {3}\r\na)( \"7bit\" 2 2) \"alternative\")"
        ),
        (
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL \"s\\\"(\" NIL) (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL) 5 NIL NIL)",
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL \"s\\\"(\" NIL) (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) 5)"
        ),
        ("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)", "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)"),
        ("(\"TEXT\" \"PLAIN\"", nil), ("", nil), ("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1) x", nil),
        ("((((((", nil),
        (String(repeating: "(", count: 100_000), nil),
    ]

    @Test(arguments: structures) func `BODY is BODYSTRUCTURE without its extension data`(
        _ wire: String, _ body: String?
    ) {
        #expect(written { $0.fetchBody(structure: bytes(wire)) } == "BODY " + (body ?? wire))
    }

    @Test func `A writer is used again and gives large memory back`() {
        var writer = ResponseWriter()
        writer.exists(1)
        #expect(!writer.isEmpty)
        writer.removeAll()
        #expect(writer.isEmpty)
        writer.bytes = [UInt8](repeating: 0, count: 100_000)
        writer.removeAll()
        #expect(writer.bytes.capacity == 0)
        writer.exists(2)
        #expect(text(writer.take()) == "* 2 EXISTS\r\n")
        #expect(writer.isEmpty)
    }
}
