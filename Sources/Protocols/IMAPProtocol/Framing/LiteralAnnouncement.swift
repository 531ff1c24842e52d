internal import MartletBytes

/// The announcement of a literal at the end of a line: `{n}`, `{n+}`, with `~` before it a literal8 (RFC 9051 §9, RFC 3516).
struct LiteralAnnouncement: Equatable {
    /// Saturates at the largest number.
    var length: UInt64
    var isSynchronizing: Bool
    /// Where `{` stands.
    var offset: Int
    /// `(~` stands before it: APPEND's `UTF8 (~{…}`, the only rule with a parenthesis there (RFC 6855 §4).
    var isWrapped: Bool

    /// Looks at the end of `line` (without CRLF).
    init?(endOf line: UnsafeRawBufferPointer) {
        var index = line.count - 1
        guard index >= 2, line[index] == UInt8(ascii: "}") else { return nil }
        index -= 1
        isSynchronizing = line[index] != UInt8(ascii: "+")
        if !isSynchronizing { index -= 1 }
        let lastDigit = index
        while index >= 0, ASCII.isDigit(line[index]) { index -= 1 }
        guard index >= 0, index < lastDigit, line[index] == UInt8(ascii: "{") else { return nil }
        length = 0
        for position in index + 1...lastDigit {
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(line[position] &- 0x30))
            length = overflow || carry ? .max : sum
            if length == .max { break }
        }
        offset = index
        isWrapped = index >= 2 && line[index - 1] == UInt8(ascii: "~") && line[index - 2] == UInt8(ascii: "(")
    }
}
