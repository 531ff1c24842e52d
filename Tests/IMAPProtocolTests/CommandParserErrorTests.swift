import IMAPProtocol
import Testing

@Suite struct CommandParserErrorTests {
    typealias Reason = CommandParseError.Reason

    static let cases: [(String, Reason)] = [
        ("", .missingTag), (" ", .missingTag), ("a", .missingTag), ("a+b NOOP", .missingTag), ("é NOOP", .missingTag),
        ("{5} NOOP", .missingTag),
        ("a ", .unknownCommand), ("a  NOOP", .unknownCommand), ("a FETCHX 1 FLAGS", .unknownCommand),
        ("a UID NOOP", .unknownCommand),
        ("a UID UID FETCH 1 FLAGS", .unknownCommand), ("a XPIG-LATIN", .unknownCommand), ("a NOOP ", .trailingData),
        ("a NOOP x", .trailingData),
        ("a UID", .expected(.space)), ("a FETCH", .expected(.space)), ("a FETCH 1", .expected(.space)),
        ("a FETCH  1 FLAGS", .expected(.sequenceSet)),
        ("a FETCH 0 FLAGS", .numberOutOfRange), ("a FETCH 4294967296 FLAGS", .numberOutOfRange),
        ("a FETCH 1: FLAGS", .expected(.sequenceSet)),
        ("a FETCH 99999999999999999999999999999 FLAGS", .numberOutOfRange),
        ("a FETCH ,1 FLAGS", .expected(.sequenceSet)),
        ("a FETCH 1, FLAGS", .expected(.sequenceSet)), ("a FETCH 1:2:3 FLAGS", .expected(.space)),
        ("a FETCH -1 FLAGS", .expected(.sequenceSet)),
        ("a FETCH $,1 FLAGS", .expected(.space)), ("a FETCH 1 ()", .unknownItem),
        ("a FETCH 1 (FLAGS", .expected(.listEnd)),
        ("a FETCH 1 (FLAGS  UID)", .unknownItem), ("a FETCH 1 FLAGS)", .trailingData),
        ("a FETCH 1 (ALL)", .unknownItem),
        ("a FETCH 1 FLAGS UID", .expected(.list)), ("a FETCH 1 BODY[", .expected(.section)),
        ("a FETCH 1 BODY[0]", .numberOutOfRange),
        ("a FETCH 1 BODY[1.]", .expected(.section)), ("a FETCH 1 BODY[MIME]", .expected(.section)),
        ("a FETCH 1 BODY[]<0.0>", .numberOutOfRange),
        ("a FETCH 1 BODY[]<1>", .expected(.number)), ("a FETCH 1 BODY[]<9223372036854775808.1>", .numberOutOfRange),
        ("a FETCH 1 BODY[HEADER.FIELDS ()]", .expected(.string)), ("a FETCH 1 BODY[HEADER.FIELDS]", .expected(.space)),
        ("a FETCH 1 BINARY[1.TEXT]", .expected(.number)), ("a FETCH 1 FLAGS (CHANGEDSINCE -1)", .expected(.number)),
        ("a FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)", .unknownItem), ("a STORE 1 FLAG (\\Seen)", .unknownItem),
        ("a STORE 1 FLAGS (\\Recent)", .unknownFlag), ("a STORE 1 FLAGS (\\Custom)", .unknownFlag),
        ("a STORE 1 FLAGS (a]b)", .expected(.listEnd)),
        ("a STORE 1 +FLAGS", .expected(.space)), ("a STORE 1 (UNCHANGEDSINCE) FLAGS x", .expected(.space)),
        ("a LOGIN a", .expected(.space)), ("a LOGIN \"a b", .expected(.string)),
        ("a LOGIN \"a\\b\" c", .expected(.string)),
        ("a LOGIN a\0b c", .expected(.space)), ("a LOGIN \"a\0b\" c", .forbiddenOctet),
        ("a LOGIN {3}\r\na\0b c", .forbiddenOctet),
        ("a LOGIN {9}\r\nab c", .expected(.literal)), ("a LOGIN {9223372036854775807}\r\nab c", .expected(.literal)),
        ("a LOGIN {99999999999999999999}\r\nab c", .numberOutOfRange), ("a LOGIN {-1}\r\nab c", .expected(.number)),
        ("a SELECT", .expected(.space)), ("a SELECT \"\"", .mailboxName), ("a SELECT \"a\tb\"", .mailboxName),
        ("a SELECT {3}\r\na\rb", .mailboxName),
        ("a SELECT {3}\r\na\0b", .forbiddenOctet), ("a SELECT a&b", .mailboxName), ("a SELECT \"ü\"", .mailboxName),
        ("a SELECT a%b", .trailingData),
        ("a SELECT INBOX ()", .unknownItem), ("a SELECT INBOX (QRESYNC (0 1))", .numberOutOfRange),
        ("a CREATE x (USE \\Sent)", .expected(.list)),
        ("a CREATE x (USE (\\Nonsense))", .unknownUse), ("a CREATE x (USE (\\Nonsense)) y", .trailingData),
        ("a STATUS INBOX ()", .unknownItem),
        ("a STATUS INBOX MESSAGES", .expected(.list)),
        ("a STATUS INBOX (COLOUR)", .unknownItem), ("a LIST \"\"", .expected(.space)),
        ("a LIST (RECURSIVEMATCH) \"\" *", .recursiveMatchAlone),
        ("a LIST (RECURSIVEMATCH REMOTE) \"\" *", .recursiveMatchAlone), ("a LIST (BLUE) \"\" *", .unknownItem),
        ("a LIST \"\" () ", .expected(.string)),
        ("a LIST \"\" * RETURN", .expected(.space)), ("a LIST \"\" * RETURN (STATUS)", .expected(.space)),
        ("a ENABLE", .expected(.space)),
        ("a AUTHENTICATE", .expected(.space)), ("a AUTHENTICATE PLAIN ", .invalidBase64),
        ("a AUTHENTICATE PLAIN ====", .invalidBase64),
        ("a AUTHENTICATE PLAIN AB=C", .invalidBase64), ("a AUTHENTICATE PLAIN AAB=", .invalidBase64),
        ("a AUTHENTICATE PLAIN AAA", .invalidBase64),
        ("a ID", .expected(.space)), ("a ID (\"a\")", .expected(.space)), ("a ID (a b)", .expected(.string)),
        ("a APPEND INBOX", .expected(.space)), ("a APPEND INBOX \"x\"", .invalidDate),
        ("a APPEND INBOX {x}", .expected(.literal)),
        ("a APPEND INBOX (\\Seen) \"31-Feb-2020 00:00:00 +0000\" {1}", .invalidDate),
        ("a APPEND INBOX \"1-Feb-2020 00:00:00 +0000\" {1}", .invalidDate),
        ("a APPEND INBOX \"01-Feb-2020 24:00:00 +0000\" {1}", .invalidDate),
        ("a APPEND INBOX UTF8 ({1}", .expected(.literal)),
        ("a SEARCH", .expected(.space)), ("a SEARCH ", .expected(.searchKey)), ("a SEARCH ()", .expected(.searchKey)),
        ("a SEARCH (SEEN", .expected(.listEnd)), ("a SEARCH SEEN)", .trailingData), ("a SEARCH NOT", .expected(.space)),
        ("a SEARCH OR SEEN", .expected(.space)),
        ("a SEARCH ON 32-Jan-2020", .invalidDate), ("a SEARCH ON 1-Foo-2020", .invalidDate),
        ("a SEARCH ON 29-Feb-1900", .invalidDate),
        ("a SEARCH ON 1-Jan-20", .invalidDate), ("a SEARCH ON 0-Jan-2020", .invalidDate),
        ("a SEARCH LARGER 9223372036854775808", .numberOutOfRange),
        ("a SEARCH RETURN (BEST) ALL", .unknownItem), ("a SEARCH CHARSET UTF-8", .expected(.space)),
        ("a COPY 1", .expected(.space)),
        ("a UID EXPUNGE", .expected(.space)), ("a EXPUNGE 1", .trailingData),
    ]

    @Test(arguments: cases) func `What is no command says why`(_ wire: String, _ reason: Reason) {
        #expect { try CommandParser().parse(bytes(wire)) } throws: { error in
            guard let error = error as? CommandParseError else { return false }
            if error.reason != reason { print(wire.debugDescription, error) }
            return error.reason == reason && error.offset <= wire.utf8.count
                && (error.tag == "a") == (reason != .missingTag)
        }
    }

    @Test func `Eight-bit strings must be UTF-8`() {
        for wire in [bytes("a LOGIN \"") + [0xFF] + bytes("\" x"), bytes("a SEARCH TEXT {2}\r\n") + [0xC3, 0x28]] {
            #expect { try CommandParser().parse(wire) } throws: { ($0 as? CommandParseError)?.reason == .invalidUTF8 }
        }
    }

    @Test func `Limits are errors with their name, one below passes`() throws {
        func reason(_ wire: String) -> Reason? {
            do { _ = try CommandParser().parse(bytes(wire)) } catch { return error.reason }
            return nil
        }
        let limits = IMAPLimits()
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "SEEN" + String(repeating: ")", count: depth)
        }
        #expect(reason("a SEARCH \(nested(limits.searchDepth))") == nil)
        #expect(reason("a SEARCH \(nested(limits.searchDepth + 1))") == .limit(.searchDepth))
        #expect(reason("a SEARCH " + String(repeating: "NOT ", count: 100_000) + "SEEN") == .limit(.searchDepth))
        #expect(reason("a SEARCH " + String(repeating: "OR ", count: 10_000)) == .limit(.searchDepth))
        #expect(reason("a SEARCH " + Array(repeating: "SEEN", count: limits.searchKeys).joined(separator: " ")) == nil)
        #expect(
            reason("a SEARCH " + Array(repeating: "SEEN", count: limits.searchKeys + 1).joined(separator: " "))
                == .limit(.searchKeys))
        #expect(
            reason("a FETCH " + Array(repeating: "7", count: limits.setElements).joined(separator: ",") + " UID") == nil
        )
        #expect(
            reason("a FETCH " + Array(repeating: "7", count: limits.setElements + 1).joined(separator: ",") + " UID")
                == .limit(.setElements))
        #expect(
            reason("a FETCH 1 (" + Array(repeating: "UID", count: limits.fetchItems + 1).joined(separator: " ") + ")")
                == .limit(.fetchItems))
        #expect(
            reason("a FETCH 1 (" + Array(repeating: "UID", count: limits.fetchItems).joined(separator: " ") + ")")
                == nil
        )
        #expect(
            reason(
                "a STORE 1 FLAGS (" + Array(repeating: "x", count: limits.listElements + 1).joined(separator: " ") + ")"
            )
                == .limit(.listElements))
        #expect(
            reason("a FETCH 1 BODY[" + Array(repeating: "1", count: limits.partDepth + 1).joined(separator: ".") + "]")
                == .limit(.partDepth))
        #expect(reason("a SELECT " + String(repeating: "m", count: limits.mailboxNameBytes)) == nil)
        #expect(
            reason("a SELECT " + String(repeating: "m", count: limits.mailboxNameBytes + 1))
                == .limit(.mailboxNameBytes))
        #expect(reason(String(repeating: "t", count: limits.tagBytes + 1) + " NOOP") == .limit(.tagBytes))
    }

    @Test func `After UTF8=ACCEPT names are UTF-8 and CHARSET is forbidden, as syntax`() {
        var parser = CommandParser(acceptsUTF8: true)
        parser.allowsCharset = false
        for (wire, reason) in [
            (bytes("a SELECT \"\u{FC}") + [0xFF, 0x22], Reason.invalidUTF8),
            (bytes("a LIST \"\" \"") + [0xC3, 0x22], .invalidUTF8),
            (bytes("a SELECT \"a\tb\""), .mailboxName), (bytes("a SEARCH CHARSET UTF-8 ALL"), .charsetForbidden),
            (bytes("a SEARCH RETURN (ALL) CHARSET X ALL"), .charsetForbidden),
        ] {
            #expect { try parser.parse(wire) } throws: { ($0 as? CommandParseError)?.reason == reason }
        }
    }

    @Test func `An error says whether it ends a SEARCH that saves its result`() {
        for (wire, saves, isRefusal) in [
            ("a SEARCH RETURN (SAVE) CHARSET X-NOPE ALL", true, true), ("a SEARCH RETURN (MIN SAVE) FOO", true, false),
            ("a SEARCH RETURN (ALL) CHARSET X-NOPE ALL", false, true), ("a SEARCH FOO", false, false),
        ] {
            #expect { try CommandParser().parse(bytes(wire)) } throws: { error in
                let error = error as? CommandParseError
                return error?.savesResult == saves && error?.isRefusal == isRefusal
            }
        }
    }

    @Test func `Every prefix and every changed octet of a long command ends in a value or an error`() {
        let wire = bytes(
            "a1 UID SEARCH RETURN (MIN ALL) CHARSET UTF-8 OR (1:5,*:3 UID $) NOT (FROM {3}\r\nabc SENTON 1-Jan-2020) HEADER X \"q\\\"q\""
        )
        for end in wire.indices { _ = try? CommandParser().parse(Array(wire[..<end])) }
        for index in wire.indices {
            for octet in [
                0, 9, 10, 13, 32, 34, 40, 41, 42, 48, 92, 123, 125, 127, 128, 255,
                wire[index] ^ 0x20, wire[index] &+ 1, wire[index] &- 1,
            ] {
                var changed = wire
                changed[index] = octet
                _ = try? CommandParser().parse(changed)
            }
        }
        #expect(throws: Never.self) { try CommandParser().parse(wire) }
    }
}
