internal import MartletBytes

/// The surrogate for a client that has not said UTF8 (RFC 6856 §2.1, RFC 6855 §7): header fields in ASCII, with what is not
/// ASCII as encoded words (RFC 2047), so that nothing is lost to clients that fetch and delete. An address with a UTF-8 local
/// part cannot be written that way; it becomes an encoded word that nobody can reply to (RFC 6858 §2.1 does the like).
///
/// Such a message is the one case in which RETR sends more octets than LIST says (RFC 6856 §2.1 has SHOULD there).
public enum POP3HeaderDowngrade {
    /// Octets of text in one encoded word: 60 characters of base64, below RFC 2047 §2's 75 in all.
    static let wordSize = 45

    /// The first octets of a message with the header in ASCII; the same array when it was. A header that is longer than
    /// `piece` is treated up to its end.
    public static func apply(_ piece: [UInt8]) -> [UInt8] {
        let end = headerEnd(piece)
        guard piece[..<end].contains(where: { $0 >= 0x80 }) else { return piece }
        var output: [UInt8] = []
        output.reserveCapacity(piece.count + piece.count / 8)
        var index = 0
        var openUntil = 0
        while index < end { index = copyRun(piece, index, end, &openUntil, &output) }
        output.append(contentsOf: piece[end...])
        return output
    }

    /// What replaces octets of a header that goes on behind the first piece.
    public static func applyBluntly(_ piece: [UInt8]) -> [UInt8] { piece.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") } }

    /// Where the body's empty line begins; the whole piece when it is not in it.
    public static func headerEnd(_ piece: [UInt8]) -> Int {
        piece.withUnsafeBytes { bytes in
            var from = 0
            while let end = bytes.firstIndex(ofByte: ASCII.lineFeed, from: from) {
                if end == from || (end == from + 1 && bytes[from] == ASCII.carriageReturn) { return from }
                from = end + 1
            }
            return bytes.count
        }
    }

    /// Copies what begins at `start` up to the next run of words with other than ASCII, and that run. Returns the next place.
    private static func copyRun(
        _ bytes: [UInt8], _ start: Int, _ end: Int, _ openUntil: inout Int, _ output: inout [UInt8]
    ) -> Int {
        if bytes[start] == UInt8(ascii: "\""), let close = closingQuote(bytes, start, end, &openUntil) {
            let inner = bytes[(start + 1)..<close]
            if inner.contains(where: { $0 >= 0x80 }) {
                appendWords(unescaped(inner), &output)
            } else {
                output.append(contentsOf: bytes[start...close])
            }
            return close + 1
        }
        guard !isBreak(bytes[start]) else {
            output.append(bytes[start])
            return start + 1
        }
        // Words in a row that all need it are encoded together with the spaces between: between encoded words they vanish.
        var stop = wordEnd(bytes, start, end)
        guard bytes[start..<stop].contains(where: { $0 >= 0x80 }) else {
            output.append(contentsOf: bytes[start..<stop])
            return stop
        }
        while stop + 1 < end, bytes[stop] == ASCII.space, !isBreak(bytes[stop + 1]) {
            let next = wordEnd(bytes, stop + 1, end)
            guard bytes[(stop + 1)..<next].contains(where: { $0 >= 0x80 }) else { break }
            stop = next
        }
        appendWords(Array(bytes[start..<stop]), &output)
        return stop
    }

    private static func wordEnd(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
        var stop = start
        while stop < end, !isBreak(bytes[stop]) { stop += 1 }
        return stop
    }

    private static func isBreak(_ byte: UInt8) -> Bool {
        switch byte {
        case ASCII.space, ASCII.tab, ASCII.carriageReturn, ASCII.lineFeed, UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: "\""):
            true
        default: false
        }
    }

    /// - Parameter openUntil: where the line of a quoted string ended that was not closed. What was looked through then is not
    ///   looked through again for each quote in it: that would cost the line's length squared.
    private static func closingQuote(_ bytes: [UInt8], _ start: Int, _ end: Int, _ openUntil: inout Int) -> Int? {
        guard start >= openUntil else { return nil }
        var index = start + 1
        while index < end {
            switch bytes[index] {
            case UInt8(ascii: "\""): return index
            case UInt8(ascii: "\\"): index += 2
            case ASCII.lineFeed:
                openUntil = index
                return nil
            default: index += 1
            }
        }
        openUntil = end
        return nil
    }

    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
            } else {
                output.append(byte)
                isEscaped = false
            }
        }
        return output
    }

    private static func appendWords(_ text: [UInt8], _ output: inout [UInt8]) {
        // RFC 1428 §3: a charset for octets of which nobody knows what they are.
        let charset = String(validating: text, as: UTF8.self) == nil ? "unknown-8bit" : "utf-8"
        var from = 0
        while from < text.count {
            var to = min(from + wordSize, text.count)
            // RFC 2047 §5: a character is not split between words.
            while to < text.count, to > from + wordSize - 4, text[to] & 0xC0 == 0x80 { to -= 1 }
            if from > 0 { output.append(ASCII.space) }
            output.append(contentsOf: "=?\(charset)?B?".utf8)
            output.append(contentsOf: Base64.encode(text[from..<to]))
            output.append(contentsOf: "?=".utf8)
            from = to
        }
    }
}
