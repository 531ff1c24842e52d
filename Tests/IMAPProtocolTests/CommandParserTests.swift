import IMAPProtocol
import MartletCore
import Testing

struct Sample: Sendable, CustomTestStringConvertible {
    let wire: String
    let command: Command
    init(_ wire: String, _ command: Command) {
        self.wire = wire
        self.command = command
    }
    var testDescription: String { wire }
}

@Suite struct CommandParserTests {
    static let simple: [Sample] = [
        Sample("a CAPABILITY", .capability), Sample("a noop", .noop), Sample("a LOGOUT", .logout),
        Sample("a STARTTLS", .startTLS),
        Sample("a NAMESPACE", .namespace), Sample("a IDLE", .idle), Sample("a CHECK", .check),
        Sample("a CLOSE", .close),
        Sample("a UNSELECT", .unselect), Sample("a EXPUNGE", .expunge(uids: nil)),
        Sample("a UID EXPUNGE 3000:3002", .expunge(uids: set((3000, 3002)))),
        Sample("a ID NIL", .id(nil)), Sample("a ID ()", .id([])),
        Sample(
            "a ID (\"name\" \"sodr\" \"version\" NIL)",
            .id([IDField(name: "name", value: "sodr"), IDField(name: "version", value: nil)])),
        Sample("a LOGIN SMITH SESAME", .login(user: "SMITH", password: Secret("SESAME"))),
        Sample("a LOGIN \"a \\\"b\\\\\" {3}\r\nx y", .login(user: "a \"b\\", password: Secret("x y"))),
        Sample(
            "a LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man", .login(user: "FRED FOOBAR", password: Secret("fat man"))),
        Sample("a LOGIN \"\" \"\"", .login(user: "", password: Secret(""))),
        Sample("a AUTHENTICATE GSSAPI", .authenticate(mechanism: "GSSAPI", initialResponse: nil)),
        Sample(
            "a authenticate plain dGVzdAB0ZXN0AHRlc3Q=",
            .authenticate(mechanism: "PLAIN", initialResponse: Secret("test\0test\0test"))),
        Sample("a AUTHENTICATE EXTERNAL =", .authenticate(mechanism: "EXTERNAL", initialResponse: Secret(""))),
        Sample("a ENABLE condstore UTF8=ACCEPT", .enable(["CONDSTORE", "UTF8=ACCEPT"])),
        Sample("a SELECT inbox", .select(box("INBOX"), SelectParameters())),
        Sample("a EXAMINE blurdybloop", .examine(box("blurdybloop"), SelectParameters())),
        Sample("a SELECT INBOX (CONDSTORE)", .select(box("INBOX"), SelectParameters(condStore: true))),
        Sample(
            "a SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
            .select(
                box("INBOX"),
                SelectParameters(
                    qresync: QResyncParameters(
                        uidValidity: 67_890_007, modSeq: 20_050_715_194_045_000,
                        knownUIDs: set((41, 41), (43, 211), (214, 541)))))),
        Sample(
            "a SELECT INBOX (QRESYNC (1 2 1:4 (1,2 3,4)) CONDSTORE)",
            .select(
                box("INBOX"),
                SelectParameters(
                    condStore: true,
                    qresync: QResyncParameters(
                        uidValidity: 1, modSeq: 2, knownUIDs: set((1, 4)), matchSequences: set((1, 1), (2, 2)),
                        matchUIDs: set((3, 3), (4, 4)))))),
        Sample("a CREATE owatagusiam/", .create(box("owatagusiam/"), use: [])),
        Sample("a CREATE MySpecial (USE (\\Drafts \\sent))", .create(box("MySpecial"), use: [.drafts, .sent])),
        Sample("a CREATE Plain (USE ())", .create(box("Plain"), use: [])),
        Sample("a DELETE foo/bar", .delete(box("foo/bar"))),
        Sample("a RENAME blurdybloop sarasoon", .rename(from: box("blurdybloop"), to: box("sarasoon"))),
        Sample("a SUBSCRIBE #news.comp.mail.mime", .subscribe(box("#news.comp.mail.mime"))),
        Sample("a UNSUBSCRIBE \"Entw&APw-rfe\"", .unsubscribe(box("Entwürfe"))),
        Sample("a LSUB \"#news.\" \"comp.mail.*\"", .lsub(reference: "#news.", pattern: "comp.mail.*")),
        Sample("a STATUS blurdybloop (UIDNEXT MESSAGES)", .status(box("blurdybloop"), [.uidNext, .messages])),
        Sample(
            "a STATUS {5}\r\ninbox (RECENT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT)",
            .status(box("INBOX"), [.recent, .uidValidity, .unseen, .deleted, .size, .highestModSeq, .appendLimit])),
        Sample("a COPY 2:4 MEETING", .copy(set((2, 4)), to: box("MEETING"), uid: false)),
        Sample("a UID COPY $ MEETING", .copy(.savedResult, to: box("MEETING"), uid: true)),
        Sample("a MOVE *:1,7 \"a b\"", .move(set((star, 1), (7, 7)), to: box("a b"), uid: false)),
        Sample("a UID MOVE 42:69 foo", .move(set((42, 69)), to: box("foo"), uid: true)),
    ]

    @Test(arguments: simple) func `A command parses to its value`(_ sample: Sample) throws {
        #expect(try CommandParser().parse(bytes(sample.wire)) == TaggedCommand(tag: "a", command: sample.command))
    }

    static let lists: [Sample] = [
        Sample("a LIST \"\" \"\"", .list(ListCommand(reference: "", patterns: [""]))),
        Sample("a LIST /usr/staff/jones \"\"", .list(ListCommand(reference: "/usr/staff/jones", patterns: [""]))),
        Sample("a LIST ~/Mail/ %", .list(ListCommand(reference: "~/Mail/", patterns: ["%"]))),
        Sample("a LIST \"\" \"Entw&APw-r*\"", .list(ListCommand(reference: "", patterns: ["Entwür*"]))),
        Sample(
            "a LIST (SUBSCRIBED) \"\" \"*\" RETURN (CHILDREN)",
            .list(
                ListCommand(
                    selection: .subscribed, reference: "", patterns: ["*"], returns: .children, isExtended: true))),
        Sample(
            "a LIST (REMOTE SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" Drafts %)",
            .list(
                ListCommand(
                    selection: [.remote, .subscribed, .recursiveMatch], reference: "",
                    patterns: ["INBOX", "Drafts", "%"], isExtended: true))),
        Sample("a LIST () \"\" \"*\"", .list(ListCommand(reference: "", patterns: ["*"], isExtended: true))),
        Sample(
            "a LIST (SPECIAL-USE) \"\" % RETURN (SPECIAL-USE SUBSCRIBED STATUS (MESSAGES UNSEEN))",
            .list(
                ListCommand(
                    selection: .specialUse, reference: "", patterns: ["%"], returns: [.specialUse, .subscribed],
                    status: [.messages, .unseen],
                    isExtended: true))),
        Sample("a LIST \"\" % RETURN ()", .list(ListCommand(reference: "", patterns: ["%"], isExtended: true))),
    ]

    @Test(arguments: lists) func `LIST parses with its options`(_ sample: Sample) throws {
        #expect(try CommandParser().parse(bytes(sample.wire)).command == sample.command)
    }

    static func fetch(_ wire: String, _ items: [FetchItem], set numbers: SequenceSet = set((1, 1)), uid: Bool = false)
        -> Sample
    {
        Sample(wire, .fetch(FetchCommand(set: numbers, uid: uid, items: items)))
    }

    static let fetches: [Sample] = [
        fetch("a FETCH 1 FAST", [.flags, .internalDate, .size]),
        fetch("a FETCH 1 all", [.flags, .internalDate, .size, .envelope]),
        fetch("a FETCH 1 FULL", [.flags, .internalDate, .size, .envelope, .body]), fetch("a FETCH 1 UID", [.uid]),
        fetch("a UID FETCH 1:* (FLAGS)", [.flags], set: set((1, star)), uid: true),
        fetch("a FETCH 1 (BODY BODYSTRUCTURE MODSEQ)", [.body, .bodyStructure, .modSeq]),
        fetch(
            "a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", [.rfc822, .rfc822Header, .rfc822Text, .size]),
        fetch("a FETCH 1 BODY[]", [.section(SectionSpecifier(), partial: nil, peek: false)]),
        fetch(
            "a FETCH 1 BODY.PEEK[]<0.2048>",
            [.section(SectionSpecifier(), partial: PartialRange(offset: 0, length: 2048), peek: true)]),
        fetch("a FETCH 1 body[header]", [.section(SectionSpecifier(text: .header), partial: nil, peek: false)]),
        fetch("a FETCH 1 BODY[4.2.2.1]", [.section(SectionSpecifier(part: [4, 2, 2, 1]), partial: nil, peek: false)]),
        fetch(
            "a FETCH 1 BODY[4.1.MIME]",
            [.section(SectionSpecifier(part: [4, 1], text: .mime), partial: nil, peek: false)]),
        fetch(
            "a FETCH 1 BODY[3.TEXT]", [.section(SectionSpecifier(part: [3], text: .text), partial: nil, peek: false)]),
        fetch(
            "a FETCH 1 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
            [.flags, .section(SectionSpecifier(text: .headerFields(["DATE", "FROM"])), partial: nil, peek: false)]),
        fetch(
            "a FETCH 1 BODY.PEEK[2.HEADER.FIELDS.NOT (\"x y\" {1}\r\nz)]",
            [.section(SectionSpecifier(part: [2], text: .headerFieldsNot(["x y", "z"])), partial: nil, peek: true)]),
        fetch(
            "a FETCH 1 (BINARY[1.2]<5.9> BINARY.PEEK[] BINARY.SIZE[3])",
            [
                .binary(part: [1, 2], partial: PartialRange(offset: 5, length: 9), peek: false),
                .binary(part: [], partial: nil, peek: true),
                .binarySize(part: [3]),
            ]),
        fetch(
            "a FETCH 1 (EMAILID THREADID SAVEDATE PREVIEW PREVIEW (LAZY))",
            [.emailID, .threadID, .saveDate, .preview(lazy: false), .preview(lazy: true)]),
        Sample(
            "a FETCH 1 FLAGS (CHANGEDSINCE 12345)",
            .fetch(FetchCommand(set: set((1, 1)), uid: false, items: [.flags], changedSince: 12345))),
        Sample(
            "a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
            .fetch(FetchCommand(set: set((300, 500)), uid: true, items: [.flags], changedSince: 12345, vanished: true))),
    ]

    @Test(arguments: fetches) func `FETCH parses to its items`(_ sample: Sample) throws {
        #expect(try CommandParser().parse(bytes(sample.wire)).command == sample.command)
    }

    static func store(
        _ wire: String, _ operation: StoreCommand.Operation, _ flags: FlagList, silent: Bool = false,
        unchangedSince: UInt64? = nil,
        uid: Bool = false
    ) -> Sample {
        Sample(
            wire,
            .store(
                StoreCommand(
                    set: set((2, 4)), uid: uid, operation: operation, flags: flags, silent: silent,
                    unchangedSince: unchangedSince)))
    }

    static let stores: [Sample] = [
        store("a STORE 2:4 +FLAGS (\\Deleted)", .add, FlagList(system: .deleted)),
        store("a STORE 2:4 FLAGS ()", .replace, FlagList()),
        store(
            "a UID STORE 2:4 -flags.silent (\\SEEN $Junk $junk custom)", .remove,
            FlagList(system: .seen, keywords: ["$Junk", "custom"]), silent: true, uid: true),
        store(
            "a STORE 2:4 +FLAGS \\Answered \\Flagged x", .add, FlagList(system: [.answered, .flagged], keywords: ["x"])),
        store(
            "a STORE 2:4 (UNCHANGEDSINCE 0) FLAGS.SILENT (\\Draft)", .replace, FlagList(system: .draft), silent: true,
            unchangedSince: 0),
    ]

    @Test(arguments: stores) func `STORE parses to its change`(_ sample: Sample) throws {
        #expect(try CommandParser().parse(bytes(sample.wire)).command == sample.command)
    }

    @Test func `APPEND parses up to its literal`() throws {
        // 1994-02-08T05:52:25Z
        let date = Instant(year: 1994, month: 2, day: 8, hour: 5, minute: 52, second: 25)
        let first = try CommandParser().parse(
            bytes("A003 APPEND saved-messages (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {310}"))
        #expect(
            first
                == TaggedCommand(
                    tag: "A003",
                    command: .append(
                        box("saved-messages"), AppendMessage(flags: FlagList(system: .seen), date: date, length: 310))))
        let binary = try CommandParser().parse(bytes("a append {5}\r\nINBOX ~{12+}"))
        #expect(
            binary.command == .append(box("INBOX"), AppendMessage(length: 12, isBinary: true, isSynchronizing: false)))
        let utf8 = try CommandParser().parse(bytes("a append INBOX (kw) UTF8 (~{12}"))
        #expect(
            utf8.command
                == .append(
                    box("INBOX"),
                    AppendMessage(flags: FlagList(keywords: ["kw"]), length: 12, isBinary: true, isUTF8: true)))
        #expect(
            try CommandParser().parseNextMessage(bytes(" (\\Draft) {7+}"))
                == AppendMessage(flags: FlagList(system: .draft), length: 7, isSynchronizing: false))
        #expect(try CommandParser().parseNextMessage(bytes(" {99999999999999999999999}")).length == .max)
    }
}
