internal import MartletBytes
internal import MartletCore

/// The codes at the beginning of a reply that is kept as text: `550 5.1.1 no such user` (RFC 5321 §4.2, RFC 2034 §4).
struct ReplyCode: Sendable, Hashable {
    /// 200 to 599.
    var basic: Int
    var enhanced: EnhancedStatus?

    /// nil when the text does not begin like a reply: what kept a server from answering is no reply.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 3, let basic = ASCII.number(bytes[..<3], limit: 599), basic >= 200,
            bytes.count == 3 || bytes[3] == ASCII.space || bytes[3] == UInt8(ascii: "-")
        else { return nil }
        self.basic = Int(basic)
        enhanced = Self.enhanced(in: bytes.dropFirst(4))
        // RFC 2034 §4: the class is the reply's first digit; another one was never meant as a code.
        if let enhanced, Int(enhanced.category) != self.basic / 100 { self.enhanced = nil }
    }

    /// The enhanced code that a text begins with, spaces before it skipped.
    static func enhanced(in text: ArraySlice<UInt8>) -> EnhancedStatus? {
        let digits = text.drop { ASCII.isSpaceOrTab($0) }.prefix(12).prefix {
            ASCII.isDigit($0) || $0 == UInt8(ascii: ".")
        }
        let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 1, parts[1].count <= 3, parts[2].count <= 3,
            let category = ASCII.number(parts[0]), category == 2 || category == 4 || category == 5,
            let subject = ASCII.number(parts[1]), let detail = ASCII.number(parts[2])
        else { return nil }
        return EnhancedStatus(
            UInt8(truncatingIfNeeded: category), UInt16(truncatingIfNeeded: subject), UInt16(truncatingIfNeeded: detail)
        )
    }
}
