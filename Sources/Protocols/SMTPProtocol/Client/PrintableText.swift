internal import MartletBytes

/// What a peer said, made fit for records, logs and terminals.
enum PrintableText {
    /// The octets as one line of text. UTF-8 stays; control characters, what turns the direction of text, and octets that are
    /// no UTF-8 are written as `\xNN` or `\u{NNNN}`.
    static func of(_ bytes: some Collection<UInt8>) -> String {
        if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return String(decoding: bytes, as: UTF8.self) }
        var text = ""
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            for byte in bytes {
                if byte >= 0x20, byte < 0x7F {
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    text += "\\x" + Hex.encode([byte])
                }
            }
            return text
        }
        for scalar in decoded.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar.isASCII: text += "\\x" + Hex.encode([UInt8(truncatingIfNeeded: scalar.value)])
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// As `of`, of at most `limit` octets of the input; `…` stands for the rest.
    static func of(_ bytes: some Collection<UInt8>, limit: Int) -> String {
        bytes.count <= limit ? of(bytes) : of(wholeCharacters(bytes.prefix(limit))) + "…"
    }

    /// Without the part of a character that a cut has left at the end.
    private static func wholeCharacters(_ bytes: some Collection<UInt8>) -> ArraySlice<UInt8> {
        var bytes = Array(bytes)[...]
        let tail = bytes.suffix(3).reversed().prefix { $0 & 0xC0 == 0x80 }.count
        if tail < 3, let lead = bytes.dropLast(tail).last, lead >= 0xC0 {
            let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
            if tail + 1 < length { bytes = bytes.dropLast(tail + 1) }
        }
        return bytes
    }
}
