internal import MartletBytes
package import MartletCore

/// Why what a server sends is no reply (RFC 5321 §4.2).
public enum ReplyError: Error, Sendable, Hashable {
    /// The line, printable, does not begin with three digits from 200 to 599, or with them and something else than a space or a `-`.
    case malformed(String)
    /// The lines of one reply disagree on whether it went well: nothing can be concluded from it (RFC 5321 §4.2.1).
    case contradictory(first: UInt16, last: UInt16)
    case tooLong(limit: Int)
}

/// A reply as it came.
package struct ReceivedReply: Sendable, Hashable {
    package var reply: SMTPReply
    /// The lines with their codes, printable.
    package var lines: [String]
}

/// Puts the replies of a server together, however they are cut.
///
/// Lenient where it does no harm: LF alone ends a line, the space behind the code may be missing, the codes of the lines may differ
/// within a class (the last counts), lines and replies may be longer than the RFC allows. Holds one reply, within its limits.
package struct ReplyParser: Sendable {
    private let limits: SMTPClientLimits
    private var line: [UInt8] = []
    private var replyLength = 0
    private var lines: [String] = []
    private var firstCode: UInt16?

    package init(limits: SMTPClientLimits) { self.limits = limits }

    /// Whether a reply has begun and not ended.
    var isInsideReply: Bool { replyLength > 0 }

    /// Reads from `position` up to the end of one reply; nil when more octets are needed.
    package mutating func next(_ bytes: UnsafeRawBufferPointer, from position: inout Int) throws(ReplyError)
        -> ReceivedReply?
    {
        while position < bytes.count {
            let lineFeed = bytes.firstIndex(ofByte: ASCII.lineFeed, from: position)
            let end = lineFeed ?? bytes.count
            let taken = (lineFeed.map { $0 + 1 } ?? end) - position
            replyLength += taken
            guard replyLength <= limits.maximumReply else { throw .tooLong(limit: limits.maximumReply) }
            // One octet more than is kept tells that there was more; one more yet may be the line's CR.
            let room = max(0, limits.maximumKeptLine + 2 - line.count)
            line.append(contentsOf: bytes[position..<min(end, position + room)])
            position += taken
            guard lineFeed != nil else { return nil }
            if let reply = try lineEnded() { return reply }
        }
        return nil
    }

    private mutating func lineEnded() throws(ReplyError) -> ReceivedReply? {
        while line.last == ASCII.carriageReturn { line.removeLast() }
        let text = PrintableText.of(line, limit: limits.maximumKeptLine)
        guard let (code, isLast) = Self.code(of: line), (200...599).contains(code) else { throw .malformed(text) }
        if lines.count < limits.maximumKeptLines {
            lines.append(text)
        } else {
            lines[lines.count - 1] = text
        }
        line.removeAll(keepingCapacity: true)
        let first = firstCode ?? code
        firstCode = first
        guard isLast else { return nil }
        // 421 may break into anything: the server is about to go (RFC 5321 §3.8).
        guard first / 100 == code / 100 || code == 421 else { throw .contradictory(first: first, last: code) }
        let received = ReceivedReply(reply: Self.reply(code, lines), lines: lines)
        lines = []
        firstCode = nil
        replyLength = 0
        return received
    }

    private static func code(of line: [UInt8]) -> (code: UInt16, isLast: Bool)? {
        guard line.count >= 3, let code = ASCII.number(line[..<3], limit: 999) else { return nil }
        guard line.count > 3 else { return (UInt16(code), true) }
        switch line[3] {
        case ASCII.space: return (UInt16(code), true)
        case UInt8(ascii: "-"): return (UInt16(code), false)
        default: return nil
        }
    }

    private static func reply(_ code: UInt16, _ lines: [String]) -> SMTPReply {
        var enhanced: EnhancedStatus?
        var texts: [String] = []
        for line in lines {
            let text = Array(line.utf8.dropFirst(4))
            let word = text.prefix { $0 != ASCII.space }
            guard let status = status(word, category: code / 100) else {
                texts.append(String(decoding: text, as: UTF8.self))
                continue
            }
            enhanced = enhanced ?? status
            texts.append(String(decoding: text.dropFirst(word.count + 1), as: UTF8.self))
        }
        return SMTPReply(code, enhanced, lines: texts)
    }

    /// RFC 2034 §4: the class is that of the reply, subject and detail have one to three digits.
    private static func status(_ word: ArraySlice<UInt8>, category: UInt16) -> EnhancedStatus? {
        let parts = word.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard category != 3, parts.count == 3, parts.allSatisfy({ (1...3).contains($0.count) }) else { return nil }
        let numbers = parts.compactMap { ASCII.number($0, limit: 999) }
        guard numbers.count == 3, numbers[0] == category else { return nil }
        return EnhancedStatus(UInt8(numbers[0]), UInt16(numbers[1]), UInt16(numbers[2]))
    }
}
