import FuzzSupport
import POP3Protocol

/// A POP3 session from the wire, driven as a server drives it, over a maildrop of which one message is the input itself. The
/// first octet chooses what the connection allows, the second how the input is cut: cut in any way, the same is said. What
/// is said is read back by `POP3Run` as a client reads it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPOP3Session(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let seed = input.mode()
    let wire = input.rest
    let whole = POP3Run(modes, message: wire, seed: 255)
    whole.feed(wire)
    let cut = POP3Run(modes, message: wire, seed: seed)
    for piece in pieces(of: wire, seed: seed) { cut.feed(piece) }
    if let handshake = cut.answers.firstIndex(of: .handshake), whole.answers.count > handshake,
        whole.answers[handshake] != .handshake
    {
        // STLS with something behind it in the same read: the one case in which cutting may count (CVE-2011-0411).
        require(whole.refusedPipelining, "bytes behind STLS end the session")
        require(whole.answers.prefix(handshake) == cut.answers.prefix(handshake), "it matters how bytes arrive")
    } else {
        require(whole.answers == cut.answers, "it matters how bytes arrive")
    }
    checkWriter(wire, lines: nil, seed)
    checkWriter(wire, lines: Int(modes), seed)
    checkDowngrade(wire)
    if modes == 0xF0, !wire.isEmpty, wire.count < 64 {
        // A whole piece of it: what costs more than it should is seen.
        let start = processorTime()
        let times = 131_072 / wire.count
        _ = POP3HeaderDowngrade.apply(Array([[UInt8]](repeating: wire, count: times).joined()) + [0xE4])
        require(processorTime() - start < .milliseconds(1_000), "128 KiB cost no second")
    }
    return 0
}

/// What a client has that ends at CRLF.CRLF and takes one dot from each line that begins with one (RFC 1939 §3).
func unstuffed(_ wire: [UInt8]) -> [UInt8]? {
    var text: [UInt8] = []
    var line: [UInt8] = []
    for (index, byte) in wire.enumerated() {
        line.append(byte)
        guard byte == 0x0A else { continue }
        if line == Array(".\r\n".utf8) { return index + 1 == wire.count ? text : nil }
        text += line.first == UInt8(ascii: ".") ? line.dropFirst() : line[...]
        line = []
    }
    return nil
}

func written(_ pieces: [[UInt8]], lines: Int?) -> [UInt8] {
    var writer = POP3MessageWriter(lines: lines)
    var output: [UInt8] = []
    for piece in pieces { output += writer.write(piece) }
    return output + writer.finish()
}

/// RETR gives the message, TOP a beginning of it with as many lines as were asked for.
func checkWriter(_ message: [UInt8], lines: Int?, _ seed: UInt8) {
    let whole = written([message], lines: lines)
    require(whole == written(pieces(of: message, seed: seed), lines: lines), "it matters how a message is cut")
    guard let text = unstuffed(whole) else { broken("an answer ends at its first line of a dot") }
    let isWhole = lines == nil
    let end = Array("\r\n".utf8)
    if isWhole {
        require(text == (message.ends(with: "\r\n") ? message : message + end), "RETR gives the message")
    } else {
        let body = text.ends(with: "\r\n") && !message.starts(with: text) ? Array(text.dropLast(2)) : text
        require(message.starts(with: body), "TOP gives a beginning")
        let headerEnd = POP3HeaderDowngrade.headerEnd(body)
        let count = body[headerEnd...].count { $0 == 0x0A }
        // The empty line, and the line end that the answer may have needed.
        require(count <= (lines ?? 0) + 2, "TOP gives no more lines than were asked for")
    }
}

func checkDowngrade(_ message: [UInt8]) {
    let output = POP3HeaderDowngrade.apply(message)
    let end = POP3HeaderDowngrade.headerEnd(message)
    let body = message[end...]
    require(output.suffix(body.count).elementsEqual(body), "the body stays as it is")
    let header = output.dropLast(body.count)
    require(header.allSatisfy { $0 < 0x80 }, "the header is ASCII")
    let lines = message[..<end].count { $0 == 0x0A }
    require(header.count { $0 == 0x0A } <= lines, "no field is added")
    require(header.count <= 12 * end + 64, "the header is bounded")
    require(POP3HeaderDowngrade.apply(output) == output, "what is ASCII stays")
    require(POP3HeaderDowngrade.applyBluntly(message).allSatisfy { $0 < 0x80 }, "ASCII")
}

@_cdecl("FuzzPOP3Session_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzPOP3Session($0, $1) }
}
