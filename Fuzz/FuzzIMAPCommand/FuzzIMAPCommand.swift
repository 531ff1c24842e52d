import FuzzSupport
import IMAPProtocol
import MartletCore

/// IMAP from the wire: framer, parser, session rules, set resolution, SEARCH and the answers. The first octet chooses modes and
/// how the rest is cut; cut in any way, the framer must say the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzIMAPCommand(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard size > 0 else { return 0 }
    let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
    let modes = Modes(rawValue: input[0])
    let wire = Array(input.dropFirst())
    let whole = events(of: wire, cutAt: wire.count, modes)
    let pieces = events(of: wire, cutAt: Int(input[0] >> 3) + 1, modes)
    require(whole == pieces, "the framer depends on how bytes arrive")
    for event in whole {
        switch event {
        case .command(let bytes): examine(bytes, modes)
        case .message(let head, let isFirst):
            if isFirst { examine(head, modes) } else { _ = try? CommandParser().parseNextMessage(head) }
        case .needMore, .continuation, .line, .messageBytes, .messageEnd, .appendEnd, .literalTooLarge, .failed: break
        }
    }
    return 0
}

struct Modes: OptionSet {
    let rawValue: UInt8
    static let utf8 = Modes(rawValue: 1)
    static let accepts = Modes(rawValue: 2)
    static let small = Modes(rawValue: 4)
}

func events(of wire: [UInt8], cutAt length: Int, _ modes: Modes) -> [FramerEvent] {
    var limits = IMAPLimits()
    if modes.contains(.small) {
        limits.lineBytes = 64
        limits.literalBytes = 16
        limits.literals = 3
        limits.skippedBytes = 40
    }
    var framer = Framer(limits: limits)
    var result: [FramerEvent] = []
    var body: [UInt8] = []
    var start = 0
    while start < wire.count {
        let end = min(wire.count, start + max(1, length))
        framer.receive(Array(wire[start..<end]))
        start = end
        loop: while true {
            let event = framer.next()
            switch event {
            case .needMore: break loop
            case .messageBytes(let bytes): body += bytes
            case .message:
                result.append(event)
                if modes.contains(.accepts) { framer.acceptMessage() } else { framer.refuseMessage() }
            case .command(let bytes):
                result.append(event)
                if bytes.count.isMultiple(of: 7) { framer.expectLine() }
            case .continuation, .messageEnd, .appendEnd, .line, .literalTooLarge, .failed: result.append(event)
            }
        }
    }
    result.append(.messageBytes(body))
    return result
}

let uids: [UInt32] = [1, 2, 3, 7, 100, 4_294_967_295]

func examine(_ bytes: [UInt8], _ modes: Modes) {
    var writer = ResponseWriter(usesUTF8: modes.contains(.utf8))
    let parser = CommandParser(acceptsUTF8: modes.contains(.utf8)) { name, octets in
        name.hasPrefix("ISO") ? String(String.UnicodeScalarView(octets.map { Unicode.Scalar($0) })) : nil
    }
    let command: TaggedCommand
    do {
        command = try parser.parse(bytes)
    } catch {
        require(error.offset >= 0 && error.offset <= bytes.count, "the place of an error lies in the command")
        writer.answer(error)
        check(writer)
        return
    }
    var session = IMAPSession(policy: IMAPPolicy(), isTLS: true)
    session.authenticated()
    session.selected(isReadOnly: false)
    if case .refused(let status, let code, let text) = session.admit(command.command) {
        writer.tagged(command.tag, status, code, text)
    }
    switch command.command {
    case .select(let name, _), .create(let name, _), .status(let name, _), .append(let name, _), .copy(_, let name, _),
        .move(_, let name, _):
        let back = name.modifiedUTF7.withUnsafeBytes { MailboxName(wire: $0, isUTF8: false) }
        require(back == name, "a name survives modified UTF-7")
        writer.list([], name: name.name)
    case .list(let list):
        for pattern in list.patterns {
            _ = MailboxPattern(reference: list.reference, pattern: pattern).matches("INBOX/a&b/ü")
        }
    case .search(let search):
        let program = SearchProgram(
            search.key, in: .init(uids: uids, keywords: ["a"], saved: [2, 7], now: Instant(seconds: 1_700_000_000)))
        let index = IndexFacts(
            position: 2, uid: 3, flags: 33, modSeq: 7, internalDate: Instant(seconds: 1_600_000_000), size: 99)
        let summary = SummaryFacts(
            subject: "a é", from: "b", to: "", cc: "", bcc: "", messageID: nil, sentDate: Instant(seconds: 1),
            sentZoneMinutes: -60)
        let verdict = program.evaluate(
            index, summary: summary, header: HeaderFacts(fields: [("a", "b")]),
            text: TextFacts(parts: [FoldedText("x")]))
        require(verdict == .match || verdict == .noMatch, "nothing is asked for twice")
        if case .needs(let tier) = program.evaluate(index) {
            require(tier <= program.tier, "no more is asked for than was said")
        }
        require(verdict == .noMatch || program.candidates.contains(2), "what matches is a candidate")
    case .fetch(let fetch):
        let positions = fetch.set.positions(ofUIDsIn: uids, saved: [2, 7])
        writer.numberSet(positions.uids(in: uids))
        for item in fetch.items {
            switch item {
            case .section(let section, let partial, _):
                bytes.withUnsafeBytes { whole in
                    let range = partial?.range(inSize: whole.count) ?? 0..<whole.count
                    writer.fetchSection(
                        section, origin: partial?.offset, UnsafeRawBufferPointer(rebasing: whole[range]))
                }
            default: writer.fetchBody(structure: bytes)
            }
        }
        return
    default: break
    }
    check(writer)
}

/// What is written ends its line and has no other line end but before a literal's octets.
func check(_ writer: ResponseWriter) {
    require(writer.isEmpty || writer.bytes.suffix(2) == [13, 10], "a response ends with CRLF")
}

@_cdecl("FuzzIMAPCommand_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzIMAPCommand($0, $1) }
}
