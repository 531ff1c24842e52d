internal import MartletBytes

/// Encoded words in header fields (RFC 2047), read as leniently as mail demands and written as strictly as it should be.
public enum EncodedWord {
    /// Octets of one encoded word that are decoded; RFC 2047 §2 allows 75.
    static let maximumLength = 2_048

    /// A field's value as text: folding undone, encoded words decoded, space between neighbouring ones dropped (RFC 2047 §6.2),
    /// raw 8-bit taken as UTF-8 or windows-1252.
    public static func decode(_ value: [UInt8]) -> String { value.withUnsafeBytes { decode($0) } }

    public static func decode(_ value: UnsafeRawBufferPointer) -> String {
        guard value.firstIndex(of: opening) != nil else { return Charset.decodeUnlabelled(value) }
        var output = ""
        // Pieces of one charset that follow each other are decoded together: multi-byte characters are cut between words.
        var held: (charset: String, bytes: [UInt8])?
        var plainStart = 0
        var index = 0
        func flushHeld() {
            guard let word = held else { return }
            output += Charset.decode(word.bytes, charset: word.charset) ?? Charset.decodeUnlabelled(word.bytes)
            held = nil
        }
        var closingPlace = 0
        while let start = value.firstIndex(of: opening, from: index) {
            guard let word = word(in: value, at: start, &closingPlace) else {
                index = start + 2
                continue
            }
            let between = value.clamped(plainStart..<start)
            if held == nil || !between.allSatisfy({ $0 <= 0x20 }) {
                flushHeld()
                output += Charset.decodeUnlabelled(between)
            }
            if held?.charset == word.charset {
                held?.bytes += word.bytes
            } else {
                flushHeld()
                held = (word.charset, word.bytes)
            }
            index = word.end
            plainStart = word.end
        }
        flushHeld()
        output += Charset.decodeUnlabelled(value.clamped(plainStart..<value.count))
        return output
    }

    private static let opening = Array("=?".utf8)
    private static let closing = Array("?=".utf8)

    /// The encoded word at `start`: `=?charset*language?B|Q?text?=`.
    /// - Parameter closingPlace: where the last `?=` that was looked for stands, so that none is looked for twice.
    private static func word(in value: UnsafeRawBufferPointer, at start: Int, _ closingPlace: inout Int) -> (
        charset: String, bytes: [UInt8], end: Int
    )? {
        let question = UInt8(ascii: "?")
        let window = value.clamped(start..<min(value.count, start + Charset.maximumNameLength + 5))
        guard let charsetLength = window.firstIndex(ofByte: question, from: 2),
            charsetLength <= Charset.maximumNameLength + 2,
            charsetLength > 2, charsetLength + 2 < window.count, window[charsetLength + 2] == question
        else { return nil }
        let charsetEnd = start + charsetLength
        let textStart = charsetEnd + 3
        // In Q, a question mark may stand bare in the wild: the end is the first `?=`.
        if closingPlace < textStart { closingPlace = value.firstIndex(of: closing, from: textStart) ?? value.count }
        let end = closingPlace
        guard end < value.count, end - start <= maximumLength else { return nil }
        let label = value[(start + 2)..<charsetEnd].prefix { $0 != UInt8(ascii: "*") }
        let charset = String(decoding: ASCII.lowercased(label), as: UTF8.self)
        let text = value.clamped(textStart..<end)
        switch ASCII.lowercased(value[charsetEnd + 1]) {
        case UInt8(ascii: "b"): return (charset, Base64.decodeLeniently(text), end + 2)
        case UInt8(ascii: "q"): return (charset, decodeQ(text), end + 2)
        default: return nil
        }
    }

    private static func decodeQ(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "_") {
                output.append(ASCII.space)
            } else if byte == UInt8(ascii: "="), index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                let low = ASCII.hexValue(text[index + 2])
            {
                output.append(high << 4 | low)
                index += 2
            } else if byte != ASCII.carriageReturn, byte != ASCII.lineFeed {
                output.append(byte)
            }
            index += 1
        }
        return output
    }

    /// Octets of text in one word of B: with its frame it is no longer than RFC 2047 §2 allows.
    private static let maximumText = 45
    /// Octets of a word that goes unencoded: it cannot be folded, and RFC 5322 §2.1.1 ends a line at 998.
    private static let maximumPlainWord = 900

    /// The text for an unstructured field or a display name: as it is when it is printable ASCII that nobody would take for an
    /// encoded word, else words of B in UTF-8, each at most 75 octets with whole characters, separated by a space.
    /// - Parameter indent: octets that stand on the first word's line already: lines with encoded words have 76 (RFC 2047 §2).
    public static func encode(_ text: String, indent: Int = 0) -> String {
        var wordLength = 0
        let isPlain =
            text.utf8.allSatisfy {
                wordLength = $0 == ASCII.space ? 0 : wordLength + 1
                return (($0 >= 0x20 && $0 < 0x7F) || $0 == 0x09) && wordLength <= maximumPlainWord
            } && !text.contains("=?")
        if isPlain { return text }
        var words: [String] = []
        var piece: [UInt8] = []
        func flush() {
            guard !piece.isEmpty else { return }
            words.append("=?utf-8?B?\(String(decoding: Base64.encode(piece), as: UTF8.self))?=")
            piece = []
        }
        for character in text.unicodeScalars {
            let encoded = Array(String(character).utf8)
            // `=?utf-8?B?` and `?=` are 12.
            let room = words.isEmpty ? min(maximumText, max(6, (76 - 12 - indent) / 4 * 3)) : maximumText
            if piece.count + encoded.count > room { flush() }
            piece += encoded
        }
        flush()
        return words.joined(separator: " ")
    }
}
