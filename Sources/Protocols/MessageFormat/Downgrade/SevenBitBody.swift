internal import MartletBytes

/// Bodies in 7 bits, written so that no line of them can be taken for a boundary.
enum SevenBitBody {
    private static let digits = Array("0123456789ABCDEF".utf8)
    /// Octets of a line without the `=` of a soft break (RFC 2045 §6.7).
    private static let maximumLine = 75

    /// Quoted-printable. Line ends stay line ends, by themselves too unless the body is binary.
    ///
    /// A line that would begin with `--` begins with `=2D-`: after a soft break, or with an octet encoded behind it,
    /// it could be a boundary that it was not before.
    static func appendQuotedPrintable(_ body: UnsafeRawBufferPointer, isBinary: Bool, to output: inout [UInt8]) {
        var column = 0
        var index = 0
        func byte(_ place: Int) -> UInt8? { place < body.count ? body[place] : nil }
        /// Octets of the line end at `place`; 0 when none stands there.
        func lineEnd(_ place: Int) -> Int {
            if byte(place) == ASCII.carriageReturn, byte(place + 1) == ASCII.lineFeed { return 2 }
            return byte(place) == ASCII.lineFeed && !isBinary ? 1 : 0
        }
        while let current = byte(index) {
            let ending = lineEnd(index)
            if ending > 0 {
                output += body[index..<(index + ending)]
                column = 0
                index += ending
                continue
            }
            let isLast = index + 1 == body.count || lineEnd(index + 1) > 0
            var isPlain =
                (current > 0x20 && current < 0x7F && current != UInt8(ascii: "="))
                || (ASCII.isSpaceOrTab(current) && !isLast)
            if column + (isPlain ? 1 : 3) > maximumLine {
                output += [UInt8(ascii: "="), ASCII.carriageReturn, ASCII.lineFeed]
                column = 0
            }
            if column == 0, current == UInt8(ascii: "-"), byte(index + 1) == UInt8(ascii: "-") { isPlain = false }
            if isPlain {
                output.append(current)
                column += 1
            } else {
                output += [UInt8(ascii: "="), digits[Int(current >> 4)], digits[Int(current & 15)]]
                column += 3
            }
            index += 1
        }
    }

    /// Base 64 in lines of 76 octets, each with its end. There is no `-` in it.
    static func appendBase64(_ content: [UInt8], to output: inout [UInt8]) {
        let encoded = Base64.encode(content)
        var start = 0
        while start < encoded.count {
            let end = min(start + 76, encoded.count)
            output += encoded[start..<end]
            output += [ASCII.carriageReturn, ASCII.lineFeed]
            start = end
        }
    }
}
