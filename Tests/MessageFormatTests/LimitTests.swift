import MessageFormat
import Testing

/// Every named limit: a message that reaches it, and what is told of it then. Nothing is refused.
@Suite struct LimitTests {
    private static func nested(_ depth: Int) -> String {
        (0..<depth).map { "Content-Type: multipart/mixed; boundary=b\($0)x\r\n\r\n--b\($0)x\r\n" }.joined()
            + "\r\ninnermost\r\n"
    }

    private static func depth(_ part: MessageStructure.Part) -> Int { 1 + (part.children.map { depth($0) }.max() ?? 0) }

    @Test("maximumDepth: 32 levels are opened, a multipart at the 33rd is an opaque leaf")
    func depth() throws {
        #expect(MessageLimits.default.maximumDepth == 32)
        #expect(Self.depth(parse(Self.nested(32)).root) == 33)
        let deeper = Self.nested(40)
        let structure = parse(deeper)
        #expect(Self.depth(structure.root) == 33)
        var part = structure.root
        while let child = part.children.first { part = child }
        #expect(part.isOpaque && part.contentType.type == "multipart")
        #expect(part.body(in: bytes(deeper)).contains("innermost"))
        #expect(Invariants.fault(bytes(deeper)) == nil)
    }

    @Test("maximumDepth counts messages in messages too, and a message beyond it is a file in BODYSTRUCTURE")
    func messageDepth() {
        let message = String(repeating: "Content-Type: message/rfc822\r\n\r\n", count: 40) + "Subject: x\r\n\r\n"
        #expect(Self.depth(parse(message).root) == 33)
        let wire = text(MessageSummary.make(bytes(message)).bodyStructure)
        #expect(wire.contains("\"application\" \"octet-stream\""))
        #expect(Invariants.fault(bytes(message)) == nil)
    }

    @Test("maximumParts: the parts beyond 1,000 are not told, what is behind the multipart is still found")
    func parts() {
        var limits = MessageLimits()
        #expect(limits.maximumParts == 1_000)
        let many =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + String(repeating: "--b\r\n\r\nx\r\n", count: 1_500)
            + "--b--\r\n"
        #expect(parse(many).partCount == 1_000)
        #expect(parse(many).root.children.count == 999)
        #expect(parse(many).root.bodyRange.upperBound == bytes(many).count)
        #expect(Invariants.fault(bytes(many)) == nil)
        limits.maximumParts = 3
        #expect(parse(many, limits: limits).root.children.count == 2)
        #expect(Invariants.fault(bytes(many), limits: limits) == nil)
        limits.maximumParts = 1
        #expect(parse(many, limits: limits).root.isOpaque)
    }

    @Test("maximumHeaderBytes: a field beyond 1 MiB is not looked at, the body is still where it is")
    func headerBytes() {
        var limits = MessageLimits()
        #expect(limits.maximumHeaderBytes == 1 << 20)
        let header = "X: " + String(repeating: "x", count: 1 << 20) + "\r\nContent-Type: a/b\r\n\r\n"
        #expect(parse(header + "body").root.contentType == .plainText)
        #expect(parse(header + "body").root.headerRange.count == bytes(header).count)
        #expect(Invariants.fault(bytes(header + "body")) == nil)
        let small = "X: 1234\r\nContent-Type: a/b\r\n\r\nbody"
        limits.maximumHeaderBytes = 9
        #expect(parse(small, limits: limits).root.contentType == .plainText)
        #expect(parse(small, limits: limits).root.bodyRange.count == 4)
        limits.maximumHeaderBytes = 28
        #expect(parse(small, limits: limits).root.contentType.type == "a")
    }

    @Test("maximumFields: a field beyond 5,000 is not looked at")
    func fields() {
        #expect(MessageLimits.default.maximumFields == 5_000)
        for (count, type) in [(4_999, "a"), (5_000, "text")] {
            let message = String(repeating: "X: y\r\n", count: count) + "Content-Type: a/b\r\n\r\nbody"
            #expect(parse(message).root.contentType.type == type)
            #expect(parse(message).root.bodyRange.count == 4)
            #expect(HeaderScan.scan(bytes(message)).headerLength == bytes(message).count - 4)
        }
    }

    @Test("maximumParameters: 64 are told")
    func parameters() {
        #expect(MessageLimits.default.maximumParameters == 64)
        let message = "Content-Type: a/b" + (0..<100).map { "; p\($0)=\($0)" }.joined() + "\r\nContent-Language: "
        let list = parse(message + "\r\n\r\n").root.contentType.parameters
        #expect(list.list.count == 64)
        #expect(list.decoded("p63") == "63")
        #expect(list.decoded("p64") == nil)
        let languages = parse(message + Array(repeating: "en", count: 100).joined(separator: ",") + "\r\n\r\n").root
            .language
        #expect(languages.count == 64)
    }

    @Test("maximumBoundaryLength: 250 octets divide, 251 leave an opaque leaf")
    func boundary() {
        #expect(MessageLimits.default.maximumBoundaryLength == 250)
        for (length, outline) in [(250, "multipart/mixed(text/plain)"), (251, "multipart/mixed")] {
            let boundary = String(repeating: "b", count: length)
            let message =
                "Content-Type: multipart/mixed; boundary=\(boundary)\r\n\r\n--\(boundary)\r\n\r\nx\r\n--\(boundary)--\r\n"
            #expect(parse(message).root.outline == outline)
            #expect(parse(message).root.isOpaque == (length == 251))
        }
    }

    @Test("maximumParameterBytes: a value is cut at 8,192 octets, also when it is joined from pieces")
    func parameterBytes() {
        #expect(MessageLimits.default.maximumParameterBytes == 8_192)
        let long = String(repeating: "x", count: 8_000)
        let values = parse(
            "Content-Type: a/b; q=\"\(long)\(long)\"; t=\(long)\(long); p*0=\(long); p*1*=\(long); p*2=\(long)\r\n\r\n"
        )
        .root.contentType.parameters
        for name in ["q", "t", "p"] { #expect(values.decoded(name)?.utf8.count == 8_192) }
    }

    @Test("maximumCommentDepth: 16 levels are followed, deeper ones are text")
    func commentDepth() {
        #expect(MessageLimits.default.maximumCommentDepth == 16)
        func comment(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + String(repeating: ")", count: depth)
        }
        #expect(parse("Content-Type: \(comment(16)) a/b\r\n\r\n").root.contentType.type == "a")
        #expect(parse("Content-Type: \(comment(17)) a/b\r\n\r\n").root.contentType == .plainText)
        #expect(AddressList.parse(bytes("\(comment(16)) a@b")).mailboxes == ["a@b"])
        #expect(AddressList.parse(bytes("\(comment(17)) a@b")).mailboxes != ["a@b"])
    }

    @Test("maximumAddresses: 2,000 are told")
    func addresses() {
        #expect(MessageLimits.default.maximumAddresses == 2_000)
        let list = Array(repeating: "a@b", count: 3_000).joined(separator: ",")
        #expect(AddressList.parse(bytes(list)).entries.count == 2_000)
    }

    @Test("maximumSummaryText: 16,384 octets of a field are decoded for SEARCH")
    func summaryText() {
        #expect(MessageLimits.default.maximumSummaryText == 16_384)
        let message = bytes("Subject: " + String(repeating: "s", count: 20_000) + "\r\n\r\n")
        #expect(MessageSummary.make(message).subject.utf8.count == 16_384)
    }

    @Test("a summary keeps the last 100 references, and a scan 200 Delivered-To")
    func lists() {
        let references = (0..<300).map { "<\($0)@x>" }
        let summary = MessageSummary.make(bytes("References: \(references.joined(separator: "\r\n "))\r\n\r\n"))
        #expect(summary.references == Array(references.suffix(100)))
        let hops = String(repeating: "Delivered-To: a@b\r\n", count: 300)
        #expect(HeaderScan.scan(bytes(hops)).deliveredTo.count == 200)
    }
}
