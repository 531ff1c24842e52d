import IMAPProtocol
import Testing

/// Feeds a framer and writes down what it says, pieces of one message joined.
struct FramerRun {
    var accepts = true
    var limits = IMAPLimits()
    /// Commands after which the next line is a continuation line.
    var lineAfter: Set<String> = []

    func events(_ chunks: [[UInt8]]) -> [FramerEvent] {
        var framer = Framer(limits: limits)
        var events: [FramerEvent] = []
        var body: [UInt8] = []
        for chunk in chunks {
            framer.receive(chunk)
            while true {
                let event = framer.next()
                if event == .needMore { break }
                switch event {
                case .messageBytes(let bytes):
                    body += bytes
                    continue
                case .messageEnd:
                    events.append(.messageBytes(body))
                    body = []
                case .message: if accepts { framer.acceptMessage() } else { framer.refuseMessage() }
                case .command(let command): if lineAfter.contains(text(command)) { framer.expectLine() }
                default: break
                }
                events.append(event)
            }
        }
        return events
    }

    func events(_ wire: String) -> [FramerEvent] { events([bytes(wire)]) }
}

func command(_ text: String) -> FramerEvent { .command(bytes(text)) }
func head(_ text: String, first: Bool = true) -> FramerEvent { .message(head: bytes(text), isFirst: first) }
func message(_ text: String) -> [FramerEvent] { [.messageBytes(bytes(text)), .messageEnd] }

/// `#expect` cannot borrow what is not copyable.
func expectNext(_ framer: inout Framer, _ expected: FramerEvent, at location: SourceLocation = #_sourceLocation) {
    let event = framer.next()
    #expect(event == expected, sourceLocation: location)
}

@Suite struct FramerTests {
    static let transcript =
        "a NOOP\r\nb LOGIN {5}\r\nsm\r\nh {0+}\r\n\r\nc APPEND INBOX (\\Seen) {7}\r\nab\r\ncd\n\r\n"
        + "d APPEND {5+}\r\nINBOX {3+}\r\nx\0y {2+}\r\n\r\n\r\ne append \"{9}\" UTF8 (~{4+}\r\n\r\n\r\n)\r\nf AUTHENTICATE PLAIN\r\n{5}\r\ng IDLE\r\nDONE\r\n\r\nh NOOP\r\n"
    static let lines: Set<String> = ["f AUTHENTICATE PLAIN", "g IDLE"]
    static var expected: [FramerEvent] {
        [
            command("a NOOP"), .continuation, command("b LOGIN {5}\r\nsm\r\nh {0+}\r\n"),
            head("c APPEND INBOX (\\Seen) {7}"), .continuation,
        ]
            + message("ab\r\ncd\n") + [.appendEnd(isWellFormed: true), head("d APPEND {5+}\r\nINBOX {3+}")]
            + message("x\0y")
            + [head(" {2+}", first: false)] + message("\r\n") + [
                .appendEnd(isWellFormed: true), head("e append \"{9}\" UTF8 (~{4+}"),
            ]
            + message("\r\n\r\n") + [
                .appendEnd(isWellFormed: true), command("f AUTHENTICATE PLAIN"), .line(bytes("{5}")), command("g IDLE"),
            ]
            + [.line(bytes("DONE")), command(""), command("h NOOP")]
    }

    @Test func `A session's bytes are cut the same whole, octet by octet and at random`() {
        let run = FramerRun(lineAfter: Self.lines)
        let wire = bytes(Self.transcript)
        #expect(run.events([wire]) == Self.expected)
        #expect(run.events(wire.map { [$0] }) == Self.expected)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        for round in 0..<500 {
            var chunks: [[UInt8]] = []
            var index = 0
            while index < wire.count {
                let size = min(wire.count - index, Int(random.next() % 20) + 1)
                chunks.append(Array(wire[index..<index + size]))
                index += size
            }
            #expect(run.events(chunks) == Self.expected, "seed \(seed), round \(round)")
        }
    }

    @Test func `A literal may end in CR with LF behind it, and that is no line end`() {
        let run = FramerRun()
        #expect(run.events("a LOGIN {1+}\r\n\r\n") == [.failed(.bareLineFeed)])
        #expect(run.events("a LOGIN {2+}\r\n\r\n x\r\n") == [command("a LOGIN {2+}\r\n\r\n x")])
    }

    @Test func `A bare LF ends the connection and what follows is never a command`() {
        let run = FramerRun()
        #expect(run.events("a NOOP\nb DELETE x\r\nc NOOP\r\n") == [.failed(.bareLineFeed)])
        #expect(run.events(bytes("a NOOP\nb NOOP\r\n").map { [$0] }) == [.failed(.bareLineFeed)])
        #expect(run.events("\n") == [.failed(.bareLineFeed)])
        // A CR alone is no line end; the parser refuses it.
        #expect(run.events("a NOOP\rb NOOP\r\n") == [command("a NOOP\rb NOOP")])
    }

    @Test func `A line over the limit fails before it is gathered`() {
        var limits = IMAPLimits()
        limits.lineBytes = 20
        limits.continuationBytes = 4
        let run = FramerRun(limits: limits, lineAfter: ["a IDLE"])
        #expect(run.events("a 1234567890123456789\r\n") == [.failed(.lineTooLong)])
        #expect(run.events(String(repeating: "x", count: 30)) == [.failed(.lineTooLong)])
        #expect(run.events("a 567890123456789\r\n") == [command("a 567890123456789")])
        #expect(run.events("a IDLE\r\nDONE\r\n").count == 2)
        #expect(run.events("a IDLE\r\nDONE12\r\n") == [command("a IDLE"), .failed(.lineTooLong)])
        // Literals do not count as line.
        #expect(run.events("a X {30+}\r\n\(String(repeating: "y", count: 30))\r\n").count == 1)
    }

    @Test func `A literal over the limit is refused before an octet of it is read`() {
        var limits = IMAPLimits()
        limits.literalBytes = 10
        limits.skippedBytes = 100
        let run = FramerRun(limits: limits)
        #expect(run.events("a LOGIN {11}\r\nb NOOP\r\n") == [.literalTooLarge(tag: "a"), command("b NOOP")])
        #expect(
            run.events("a LOGIN {99999999999999999999999}\r\nb NOOP\r\n") == [
                .literalTooLarge(tag: "a"), command("b NOOP"),
            ])
        #expect(run.events("a LOGIN {11}\r\n") == [.literalTooLarge(tag: "a")])
        // Non-synchronising: the octets come all the same, and whatever the command announces after them.
        #expect(
            run.events("a LOGIN {11+}\r\nx NOOP\r\nabc {3+}\r\nz\r\n x\r\nb NOOP\r\n") == [
                .literalTooLarge(tag: "a"), command("b NOOP"),
            ])
        #expect(run.events("a LOGIN {101+}\r\n") == [.failed(.literalTooLarge)])
        // Two together.
        #expect(
            run.events("a LOGIN {6+}\r\n123456 {5+}\r\n12345\r\nb NOOP\r\n") == [
                .literalTooLarge(tag: "a"), command("b NOOP"),
            ])
        #expect(run.events("+bad+ LOGIN {11}\r\n") == [.literalTooLarge(tag: nil)])
        limits.literals = 2
        #expect(
            FramerRun(limits: limits).events("a X {0+}\r\n {0+}\r\n {0+}\r\n\r\nb NOOP\r\n") == [
                .literalTooLarge(tag: "a"), command("b NOOP"),
            ])
    }

    @Test func `A refused message is read past, a synchronising one does not come`() {
        let run = FramerRun(accepts: false)
        #expect(run.events("a APPEND INBOX {9}\r\nb NOOP\r\n") == [head("a APPEND INBOX {9}"), command("b NOOP")])
        #expect(
            run.events("a APPEND INBOX {9+}\r\nx\r\nNOOP\r\n (\\Seen) {4+}\r\ny\r\nz\r\nb NOOP\r\n") == [
                head("a APPEND INBOX {9+}"), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX {9+}\r\n123456789 {4}\r\nb NOOP\r\n") == [
                head("a APPEND INBOX {9+}"), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX {99999999999999999999+}\r\nxyz") == [
                head("a APPEND INBOX {99999999999999999999+}"), .failed(.literalTooLarge),
            ])
    }

    @Test func `An APPEND can be given up in the middle of its message`() {
        var framer = Framer()
        framer.receive(bytes("a APPEND INBOX {10+}\r\n123"))
        expectNext(&framer, head("a APPEND INBOX {10+}"))
        expectNext(&framer, .needMore)
        framer.acceptMessage()
        expectNext(&framer, .messageBytes(bytes("123")))
        framer.refuseMessage()
        framer.receive(bytes("4567890\r\nb NOOP\r\n"))
        expectNext(&framer, command("b NOOP"))
        expectNext(&framer, .needMore)
        let unused = framer.hasUnusedBytes
        #expect(!unused)
    }

    @Test func `An APPEND with something else behind its message is not well formed`() {
        let run = FramerRun()
        let start = [head("a APPEND INBOX {1+}")] + message("x")
        #expect(
            run.events("a APPEND INBOX {1+}\r\nxNOOP\r\nb NOOP\r\n") == start + [
                .appendEnd(isWellFormed: false), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX {1+}\r\nx) \r\nb NOOP\r\n") == start + [
                .appendEnd(isWellFormed: false), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX {1+}\r\nx)\r\nb NOOP\r\n") == start + [
                .appendEnd(isWellFormed: false), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX {1+}\r\nx) {8+}\r\nx NOOP\r\n\r\nb NOOP\r\n") == start + [
                .appendEnd(isWellFormed: false), command("b NOOP"),
            ])
        let wrapped = [head("a APPEND INBOX UTF8 (~{1+}")] + message("x")
        #expect(
            run.events("a APPEND INBOX UTF8 (~{1+}\r\nx\r\nb NOOP\r\n") == wrapped + [
                .appendEnd(isWellFormed: false), command("b NOOP"),
            ])
        #expect(
            run.events("a APPEND INBOX UTF8 (~{1+}\r\nx) {1+}\r\ny\r\n") == wrapped + [head(" {1+}", first: false)]
                + message("y") + [.appendEnd(isWellFormed: true)])
        #expect(
            run.events("a APPEND INBOX {0+}\r\n\r\n") == [head("a APPEND INBOX {0+}")] + message("") + [
                .appendEnd(isWellFormed: true)
            ])
    }

    @Test func `Bytes behind STARTTLS are seen as unused`() {
        var framer = Framer()
        framer.receive(bytes("a STARTTLS\r\nb NOOP\r\n"))
        expectNext(&framer, command("a STARTTLS"))
        var unused = framer.hasUnusedBytes
        #expect(unused)
        framer = Framer()
        framer.receive(bytes("a STARTTLS\r\n"))
        expectNext(&framer, command("a STARTTLS"))
        unused = framer.hasUnusedBytes
        #expect(!unused)
    }

    @Test func `What a framer holds is bounded while a large message streams through`() {
        var framer = Framer()
        framer.receive(bytes("a APPEND INBOX {100000000+}\r\n"))
        expectNext(&framer, head("a APPEND INBOX {100000000+}"))
        framer.acceptMessage()
        let chunk = [UInt8](repeating: 120, count: 50_000)
        var total = 0
        for _ in 0..<2_000 {
            framer.receive(chunk)
            while case .messageBytes(let bytes) = framer.next() { total += bytes.count }
            let held = framer.heldBytes
            #expect(held <= chunk.count)
        }
        #expect(total == 100_000_000)
    }
}

/// A small generator whose seed can be printed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
