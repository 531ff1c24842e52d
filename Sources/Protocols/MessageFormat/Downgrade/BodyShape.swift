internal import MartletBytes

/// What kinds of octets and lines a body is made of: 7-bit, 8-bit or binary (RFC 2045 §2.7 to §2.9).
struct BodyShape: Sendable, Hashable {
    /// Octets of a line without its end (RFC 5322 §2.1.1).
    static let maximumLine = 998

    /// Octets above 127.
    private(set) var eightBit = 0
    private(set) var hasNUL = false
    /// CR or LF by itself.
    private(set) var hasBareLineEnd = false
    /// Octets, without the line end.
    private(set) var longestLine = 0

    /// O(n).
    init(_ bytes: UnsafeRawBufferPointer) {
        var length = 0
        var previous: UInt8 = 0
        for byte in bytes {
            if byte >= 0x80 { eightBit += 1 }
            if byte == 0 { hasNUL = true }
            if (byte == ASCII.lineFeed) != (previous == ASCII.carriageReturn) { hasBareLineEnd = true }
            if byte == ASCII.lineFeed {
                longestLine = max(longestLine, previous == ASCII.carriageReturn ? length - 1 : length)
                length = 0
            } else {
                length += 1
            }
            previous = byte
        }
        if previous == ASCII.carriageReturn { hasBareLineEnd = true }
        longestLine = max(longestLine, length)
    }

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) { self.init(bytes.clamped(range)) }
    init(_ bytes: [UInt8]) { self = bytes.withUnsafeBytes { BodyShape($0) } }

    var isASCII: Bool { eightBit == 0 && !hasNUL }

    /// Lines that any server takes, of octets that 8BITMIME allows.
    var isMadeOfLines: Bool { !hasNUL && !hasBareLineEnd && longestLine <= Self.maximumLine }

    /// Whether a body with this label goes through a 7-bit server as it is. Lines and line ends are looked at only
    /// where the label says that they mean nothing: elsewhere they have come this far.
    func isSevenBit(labelled encoding: String) -> Bool { isASCII && (encoding != "binary" || isMadeOfLines) }
}
