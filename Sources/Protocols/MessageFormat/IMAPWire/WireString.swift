internal import MartletBytes

/// Writing IMAP strings (RFC 9051 §4.3): quoted where every octet may stand in a quoted string of both revisions, else a literal.
enum WireString {
    /// A quoted string of RFC 3501 is 7-bit; longer than this it is a literal too, since clients' line limits are small.
    static let maximumQuotedLength = 1_000

    static func append(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        let isQuotable =
            bytes.count <= maximumQuotedLength && bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }
        guard isQuotable else { return literal(bytes, to: &output) }
        output.append(UInt8(ascii: "\""))
        for byte in bytes {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { output.append(UInt8(ascii: "\\")) }
            output.append(byte)
        }
        output.append(UInt8(ascii: "\""))
    }

    static func append(_ text: String, to output: inout [UInt8]) { append(Array(text.utf8), to: &output) }

    /// nil as `NIL`.
    static func appendOptional(_ bytes: [UInt8]?, to output: inout [UInt8]) {
        guard let bytes else { return output.append(contentsOf: "NIL".utf8) }
        append(bytes, to: &output)
    }

    /// A literal may hold every octet but NUL (RFC 9051 §9 CHAR8): NUL becomes a space.
    private static func literal(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        ASCII.appendDecimal(UInt64(bytes.count), to: &output)
        output.append(contentsOf: [UInt8(ascii: "}"), ASCII.carriageReturn, ASCII.lineFeed])
        output.append(contentsOf: bytes.lazy.map { $0 == 0 ? ASCII.space : $0 })
    }
}
