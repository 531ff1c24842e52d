/// A reply of an SMTP or LMTP server: three digits, an enhanced code where there is one, lines of text (RFC 5321 §4.2).
public struct SMTPReply: Sendable, Hashable, CustomStringConvertible {
    /// 200 to 599.
    public var code: UInt16
    public var enhanced: EnhancedStatus?
    /// At least one line, printable ASCII or UTF-8, no CR or LF.
    public var lines: [String]

    public init(_ code: UInt16, _ enhanced: EnhancedStatus? = nil, _ text: String) {
        self.init(code, enhanced, lines: [text])
    }

    public init(_ code: UInt16, _ enhanced: EnhancedStatus? = nil, lines: [String]) {
        precondition((200...599).contains(code), "RFC 5321 §4.2.1: replies have codes 2yz to 5yz")
        precondition(!lines.isEmpty, "a reply has a line")
        self.code = code
        self.enhanced = enhanced
        self.lines = lines
    }

    /// 2yz or 3yz: done, or to go on (RFC 5321 §4.2.1).
    public var isPositive: Bool { code < 400 }

    /// The wire form, every line with its CRLF.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the wire form to `buffer`. Control characters in the text become `?`: text may quote a peer.
    public func append(to buffer: inout [UInt8]) {
        for (index, line) in lines.enumerated() {
            buffer.append(UInt8(truncatingIfNeeded: 0x30 + code / 100))
            buffer.append(UInt8(truncatingIfNeeded: 0x30 + code / 10 % 10))
            buffer.append(UInt8(truncatingIfNeeded: 0x30 + code % 10))
            buffer.append(index == lines.count - 1 ? UInt8(ascii: " ") : UInt8(ascii: "-"))
            if let enhanced {
                buffer.append(contentsOf: enhanced.description.utf8)
                buffer.append(UInt8(ascii: " "))
            }
            for byte in line.utf8 { buffer.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: "?") : byte) }
            buffer.append(0x0D)
            buffer.append(0x0A)
        }
    }

    public var description: String { "\(code) \(enhanced.map { "\($0) " } ?? "")\(lines.joined(separator: " / "))" }
}
