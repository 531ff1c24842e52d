import IMAPProtocol
import MartletCore
import Testing

@Suite struct SearchProgramTests {
    static let now = Instant(year: 2026, month: 11, day: 24, hour: 12)
    static let context = SearchProgram.Context(
        uids: [10, 20, 30, 40], keywords: ["$Junk", "Work"], saved: [20, 40], now: now)

    /// The second of four messages: \Seen, keyword Work, 1,000 octets, MODSEQ 50.
    static let index = IndexFacts(
        position: 1, uid: 20, flags: 1 | 1 << 6, modSeq: 50,
        internalDate: Instant(year: 2026, month: 11, day: 23, hour: 23, minute: 59, second: 59), size: 1000,
        isRecent: true)
    /// Written on the 1st in its own zone, on the 31st in UTC.
    static let summary = SummaryFacts(
        subject: "Grüße aus Köln", from: "Fred Foobar <fred@example.com>", to: "joe@example.org", cc: "", bcc: "",
        messageID: "<B27@x>",
        sentDate: Instant(year: 2026, month: 10, day: 31, hour: 23), sentZoneMinutes: 120)
    static let header = HeaderFacts(fields: [
        ("X-Spam", "yes really"), ("Received", "from a"), ("Received", "from b"), ("Empty", ""),
    ])
    static let body = TextFacts(parts: [FoldedText("Hello Joe, do you think"), FoldedText("ΣΊΣΥΦΟΣ straße")])

    static func program(_ key: String) throws -> SearchProgram {
        guard case .search(let search) = try CommandParser().parse(bytes("a SEARCH \(key)")).command else {
            throw CancellationError()
        }
        return SearchProgram(search.key, in: context)
    }

    static let indexCases: [(String, Bool)] = [
        ("ALL", true), ("SEEN", true), ("UNSEEN", false), ("DELETED", false), ("UNDELETED", true),
        ("KEYWORD work", true), ("KEYWORD $Junk", false),
        ("UNKEYWORD WORK", false), ("KEYWORD unknown", false), ("UNKEYWORD unknown", true), ("RECENT", true),
        ("NEW", false), ("OLD", false),
        ("BEFORE 24-Nov-2026", true), ("BEFORE 23-Nov-2026", false), ("ON 23-Nov-2026", true),
        ("ON 24-Nov-2026", false), ("SINCE 23-Nov-2026", true),
        ("SINCE 24-Nov-2026", false), ("LARGER 999", true), ("LARGER 1000", false), ("SMALLER 1001", true),
        ("SMALLER 1000", false), ("1", false), ("2", true),
        ("1:*", true), ("*", false), ("99", false), ("3:99", false), ("UID 20", true), ("UID 21:*", false),
        ("UID 1:20", true), ("$", true), ("UID $", true),
        ("MODSEQ 50", true), ("MODSEQ 51", false), ("MODSEQ 9223372036854775807", false), ("OLDER 43201", true),
        ("OLDER 43202", false), ("YOUNGER 43201", true),
        ("YOUNGER 43200", false), ("OLDER 4294967295", false), ("NOT SEEN", false), ("NOT NOT SEEN", true),
        ("OR UNSEEN SEEN", true), ("OR UNSEEN DRAFT", false),
        ("SEEN (UNDRAFT RECENT)", true), ("SEEN DRAFT", false), ("BODY \"\"", true),
    ]

    @Test(arguments: indexCases) func `The index decides cheap keys`(_ key: String, _ matches: Bool) throws {
        let program = try Self.program(key)
        #expect(program.tier == .index)
        #expect(program.evaluate(Self.index) == (matches ? .match : .noMatch))
    }

    static let summaryCases: [(String, Bool)] = [
        ("SUBJECT \"GRÜSSE\"", false), ("SUBJECT \"GRÜßE AUS\"", true), ("SUBJECT \"köln\"", true),
        ("SUBJECT \"\"", true), ("FROM fred@", true), ("FROM FOOBAR", true),
        ("FROM joe", false), ("TO JOE@example.ORG", true), ("CC x", false), ("BCC \"\"", true),
        ("HEADER MESSAGE-ID <b27@X>", true), ("HEADER Message-ID <b28@x>", false),
        ("SENTON 1-Nov-2026", true), ("SENTON 31-Oct-2026", false), ("SENTBEFORE 1-Nov-2026", false),
        ("SENTBEFORE 2-Nov-2026", true), ("SENTSINCE 1-Nov-2026", true),
        ("SENTSINCE 2-Nov-2026", false), ("NOT FROM joe", true), ("OR FROM joe TO joe", true), ("FROM fred SEEN", true),
    ]

    @Test(arguments: summaryCases) func `The summary decides the usual fields, when the index does not`(
        _ key: String, _ matches: Bool
    ) throws {
        let program = try Self.program(key)
        #expect(program.tier == .summary)
        #expect(program.evaluate(Self.index) == .needs(.summary))
        #expect(program.evaluate(Self.index, summary: Self.summary) == (matches ? .match : .noMatch))
    }

    static let textCases: [(String, SearchTier, Bool)] = [
        ("HEADER x-spam REALLY", .header, true), ("HEADER X-Spam no", .header, false),
        ("HEADER Received \"from b\"", .header, true), ("HEADER Empty \"\"", .header, true),
        ("HEADER Subject aus", .summary, true), ("HEADER Subject other", .summary, false),
        ("HEADER Absent \"\"", .header, false), ("HEADER From \"\"", .header, false),
        ("BODY \"hello joe\"", .text, true), ("BODY \"σίσυφος STRAßE\"", .text, true),
        ("BODY spam", .text, false), ("TEXT spam", .header, true), ("TEXT \"think\"", .header, true),
        ("TEXT absent", .header, false),
    ]

    @Test(arguments: textCases) func `Header and text are asked for last`(
        _ key: String, _ first: SearchTier, _ matches: Bool
    ) throws {
        let program = try Self.program(key)
        #expect(program.evaluate(Self.index) == .needs(first))
        #expect(
            program.evaluate(Self.index, summary: Self.summary, header: Self.header, text: Self.body)
                == (matches ? .match : .noMatch))
    }

    @Test func `Dear keys are not asked for when cheap ones decide`() throws {
        #expect(try Self.program("BODY x UNSEEN").evaluate(Self.index) == .noMatch)
        #expect(try Self.program("OR BODY x SEEN").evaluate(Self.index) == .match)
        #expect(try Self.program("BODY x FROM joe").evaluate(Self.index) == .needs(.summary))
        #expect(try Self.program("BODY x FROM joe").evaluate(Self.index, summary: Self.summary) == .noMatch)
        #expect(try Self.program("BODY x FROM fred").evaluate(Self.index, summary: Self.summary) == .needs(.text))
        #expect(try Self.program("NOT (BODY x UNSEEN)").evaluate(Self.index) == .match)
        #expect(try Self.program("TEXT spam").evaluate(Self.index, header: Self.header) == .match)
        #expect(try Self.program("TEXT joe").evaluate(Self.index, header: Self.header) == .needs(.text))
    }

    @Test func `The header decides what a summary may have cut off or left out`() throws {
        let header = HeaderFacts(fields: [
            ("To", "joe@example.org"), ("to", "late@example.org"), ("Message-ID", "bare@x"),
        ])
        var index = Self.index
        index.size = 20_000
        var summary = Self.summary
        // HEADER is about all fields of the name; what the summary has need not be read.
        #expect(try Self.program("HEADER To joe").evaluate(index, summary: summary) == .match)
        #expect(try Self.program("HEADER To late").evaluate(index, summary: summary) == .needs(.header))
        #expect(try Self.program("HEADER To late").evaluate(index, summary: summary, header: header) == .match)
        #expect(try Self.program("HEADER To nobody").evaluate(index, summary: summary, header: header) == .noMatch)
        // TO is the envelope's, and the summary has it whole while it is short or the message is small.
        #expect(try Self.program("TO late").evaluate(index, summary: summary) == .noMatch)
        summary.to = String(repeating: "x", count: 2_048)
        #expect(try Self.program("TO late").evaluate(index, summary: summary) == .needs(.header))
        #expect(try Self.program("NOT TO late").evaluate(index, summary: summary) == .needs(.header))
        #expect(try Self.program("TO late").evaluate(index, summary: summary, header: header) == .match)
        #expect(try Self.program("TO nobody").evaluate(index, summary: summary, header: header) == .noMatch)
        #expect(try Self.program("TO late").evaluate(Self.index, summary: summary) == .noMatch)
        #expect(try Self.program("CC late").evaluate(index, summary: summary) == .noMatch)
        summary.messageID = nil
        #expect(try Self.program("HEADER Message-ID bare").evaluate(index, summary: summary) == .needs(.header))
        #expect(try Self.program("HEADER Message-ID bare").evaluate(index, summary: summary, header: header) == .match)
    }

    @Test func `TEXT looks at the headers of parts, BODY does not`() throws {
        let body = TextFacts(parts: [FoldedText("hello")], partHeaders: [FoldedText("Content-Type: image/png")])
        let header = HeaderFacts(fields: [])
        #expect(try Self.program("TEXT IMAGE/PNG").evaluate(Self.index, header: header, text: body) == .match)
        #expect(try Self.program("BODY image/png").evaluate(Self.index, header: header, text: body) == .noMatch)
    }

    @Test func `Sets bound the messages that are looked at`() throws {
        #expect(try Self.program("UID 20:30 FROM x").candidates.positions == [1, 2])
        #expect(try Self.program("1:3 UID 20:40").candidates.positions == [1, 2])
        #expect(try Self.program("OR 1 4").candidates.positions == [0, 3])
        #expect(try Self.program("OR 1 SEEN").candidates.positions == [0, 1, 2, 3])
        #expect(try Self.program("NOT 1").candidates.positions == [0, 1, 2, 3])
        #expect(try Self.program("KEYWORD unknown").candidates.isEmpty)
        #expect(try Self.program("UID 1:*").matchesAllCandidates)
        #expect(try !Self.program("SEEN").matchesAllCandidates)
    }

    @Test func `A message without a Date matches no SENT key`() throws {
        var summary = Self.summary
        summary.sentDate = nil
        for key in ["SENTBEFORE 1-Jan-9999", "SENTSINCE 1-Jan-1000", "SENTON 1-Nov-2026"] {
            #expect(try Self.program(key).evaluate(Self.index, summary: summary) == .noMatch)
        }
    }

    static let folds: [(String, String, Bool)] = [
        ("ABC", "b", true), ("ÄÖÜ", "äö", true), ("ПРИВЕТ", "привет", true), ("Ёлка", "ёЛ", true),
        ("ŁÓDŹ", "łódź", true), ("e\u{301}t\u{E9}", "\u{C9}T\u{C9}", true),
        ("E\u{301}", "é", true), ("日本語", "本", true), ("한국어", "국", true), ("ÿ", "Ÿ", true), ("×", "÷", false),
        ("x", "", true), ("", "x", false), ("aab", "ab", true),
        ("\u{212B}", "å", true), ("ΌΣΟΣ", "όσος", true), ("𐐀", "𐐨", true), ("aaaaab", "aaab", true),
        ("nano", "nanox", false),
    ]

    @Test(arguments: folds) func `Texts are compared without case and by canonical form`(
        _ text: String, _ part: String, _ contains: Bool
    ) {
        #expect(FoldedText(text).contains(FoldedText(part)) == contains)
    }
}
