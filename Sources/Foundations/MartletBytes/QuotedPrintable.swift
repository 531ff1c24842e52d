/// Quoted-printable (RFC 2045 §6.7).
public enum QuotedPrintable {
    /// Decodes leniently: a `=` that starts no valid escape stands for itself, spaces before a line end are dropped.
    public static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "="):
                if index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                    let low = ASCII.hexValue(text[index + 2])
                {
                    output.append(high << 4 | low)
                    index += 3
                } else if let next = softBreak(text, after: index) {
                    index = next
                } else {
                    output.append(byte)
                    index += 1
                }
            case ASCII.space, ASCII.tab:
                var end = index
                while end < text.count, ASCII.isSpaceOrTab(text[end]) { end += 1 }
                let isTrailing = end == text.count || text[end] == ASCII.lineFeed || text[end] == ASCII.carriageReturn
                if !isTrailing { output.append(contentsOf: text[index..<end]) }
                index = end
            default:
                output.append(byte)
                index += 1
            }
        }
        return output
    }

    /// Encodes text: lines of at most 76 octets, CRLF kept as line ends.
    public static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        var column = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == ASCII.carriageReturn, index + 1 < bytes.count, bytes[index + 1] == ASCII.lineFeed {
                output.append(contentsOf: [ASCII.carriageReturn, ASCII.lineFeed])
                column = 0
                index += 2
                continue
            }
            let atLineEnd = index + 1 == bytes.count || bytes[index + 1] == ASCII.carriageReturn
            let isPlain =
                (byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "=")) || (ASCII.isSpaceOrTab(byte) && !atLineEnd)
            let width = isPlain ? 1 : 3
            if column + width > 75 {
                output.append(contentsOf: [UInt8(ascii: "="), ASCII.carriageReturn, ASCII.lineFeed])
                column = 0
            }
            if isPlain {
                output.append(byte)
            } else {
                output.append(contentsOf: [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
            column += width
            index += 1
        }
        return output
    }

    /// The index behind `=` + optional spaces + line end; nil when that is not what stands there.
    private static func softBreak(_ text: UnsafeRawBufferPointer, after equals: Int) -> Int? {
        var index = equals + 1
        while index < text.count, ASCII.isSpaceOrTab(text[index]) { index += 1 }
        if index == text.count { return index }
        if text[index] == ASCII.lineFeed { return index + 1 }
        if text[index] == ASCII.carriageReturn {
            return index + 1 < text.count && text[index + 1] == ASCII.lineFeed ? index + 2 : index + 1
        }
        return nil
    }
}
