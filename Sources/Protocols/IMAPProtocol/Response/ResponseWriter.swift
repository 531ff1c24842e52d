internal import MartletBytes

/// Writes responses into one buffer that is used again and again: no strings are put together on the way (RFC 9051 §7).
///
/// The shell writes any number of responses, sends `bytes` and calls `removeAll`. Every function writes whole responses with
/// their CRLF, but for the pieces of FETCH (`ResponseWriter+Fetch.swift`).
public struct ResponseWriter: Sendable {
    public var bytes: [UInt8]
    /// Mailbox names and texts are UTF-8: after ENABLE IMAP4rev2 or UTF8=ACCEPT. Else names are modified UTF-7, and what is
    /// not ASCII is a literal.
    public var usesUTF8: Bool
    /// Whether the next piece of FETCH is the first of its response.
    var isFirstItem = true

    public init(usesUTF8: Bool = false, capacity: Int = 0) {
        self.usesUTF8 = usesUTF8
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public var isEmpty: Bool { bytes.isEmpty }

    /// Forgets what was written. Keeps the memory when it is small (an idle connection holds little).
    public mutating func removeAll(keepingUpTo capacity: Int = 1_024) {
        if bytes.capacity <= capacity { bytes.removeAll(keepingCapacity: true) } else { bytes = [] }
    }

    /// Hands over what was written.
    public mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    // MARK: Pieces

    /// Octets of the longest quoted string: clients have small limits for lines, and none for literals.
    private static let maximumQuotedLength = 1_024

    @inline(__always)
    mutating func text(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func ascii(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func crlf() { text("\r\n") }

    mutating func number(_ value: some BinaryInteger) { number(UInt64(clamping: value)) }

    mutating func number(_ value: UInt32) { number(UInt64(value)) }

    mutating func number(_ value: UInt64) { ASCII.appendDecimal(value, to: &bytes) }

    /// A set of ascending numbers in its shortest form: `1:3,5,7:9`.
    public mutating func numberSet(_ numbers: [UInt32]) {
        var index = 0
        while index < numbers.count {
            var end = index
            while end + 1 < numbers.count, numbers[end + 1] == numbers[end] &+ 1 { end += 1 }
            if index > 0 { bytes.append(0x2C) }
            number(numbers[index])
            if end > index {
                bytes.append(0x3A)
                number(numbers[end])
            }
            index = end + 1
        }
    }

    /// string: quoted when it can be, else a literal (RFC 9051 §4.3).
    public mutating func string(_ content: UnsafeRawBufferPointer) {
        guard content.count <= ResponseWriter.maximumQuotedLength, canQuote(content) else {
            literalHead(length: content.count, isBinary: false)
            body(content)
            return
        }
        bytes.append(0x22)
        for octet in content {
            if octet == 0x22 || octet == 0x5C { bytes.append(0x5C) }
            bytes.append(octet)
        }
        bytes.append(0x22)
    }

    public mutating func string(_ content: some Sequence<UInt8>) {
        Array(content).withUnsafeBytes { string($0) }
    }

    /// nstring
    mutating func nstring(_ content: String?) {
        if let content { string(content.utf8) } else { text("NIL") }
    }

    private func canQuote(_ content: UnsafeRawBufferPointer) -> Bool {
        var isASCII = true
        for octet in content {
            if octet == 0 || octet == 0x0A || octet == 0x0D { return false }
            if octet >= 0x80 { isASCII = false }
        }
        return isASCII || usesUTF8 && String(validating: content, as: UTF8.self) != nil
    }

    /// `{n}` CRLF or `~{n}` CRLF. Exactly `length` octets must follow, by `body` or `bytes`.
    public mutating func literalHead(length: Int, isBinary: Bool) {
        if isBinary { bytes.append(0x7E) }
        bytes.append(0x7B)
        number(length)
        text("}\r\n")
    }

    /// Octets of a literal. NUL must not stand in one (RFC 9051 §9 CHAR8): 0x80 takes its place, so that the length holds.
    public mutating func body(_ content: UnsafeRawBufferPointer) {
        let start = bytes.count
        bytes.append(contentsOf: content)
        guard content.contains(0) else { return }
        for index in start..<bytes.count where bytes[index] == 0 { bytes[index] = 0x80 }
    }

    /// A mailbox's name as astring: an atom when it can be one, else quoted.
    public mutating func mailbox(_ name: String) {
        let isPlain = name.utf8.allSatisfy { Octet.isAtom($0) && $0 != 0x26 }
        if isPlain, !name.isEmpty, !ASCII.equalsIgnoringCase(name.utf8, "NIL".utf8) {
            ascii(name)
            return
        }
        bytes.append(0x22)
        var wire: [UInt8] = []
        if usesUTF8 { wire.append(contentsOf: name.utf8) } else { ModifiedUTF7.encode(name, into: &wire) }
        for octet in wire {
            if octet == 0x22 || octet == 0x5C { bytes.append(0x5C) }
            bytes.append(octet)
        }
        bytes.append(0x22)
    }

    /// resp-text's text: no CR, LF or NUL; `?` for what is not ASCII before UTF-8 is allowed (RFC 9051 §9).
    mutating func humanText(_ text: String, isFirst: Bool) {
        var isAtStart = isFirst
        for octet in text.utf8 {
            if octet < 0x20 || octet == 0x7F || octet >= 0x80 && !usesUTF8 {
                bytes.append(octet & 0xC0 == 0x80 ? 0x2E : 0x3F)
            } else {
                // Without a code the text must not look as if it began with one.
                bytes.append(isAtStart && octet == 0x5B ? 0x28 : octet)
            }
            isAtStart = false
        }
    }
}
