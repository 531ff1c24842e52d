internal import MartletBytes
public import MartletCore

/// Builds a message: RFC 5322 header with folding, encoded words where text is not ASCII, and MIME parts. Lines end in CRLF.
public struct MessageBuilder: Sendable {
    /// A body: leaves and multiparts.
    public indirect enum Body: Sendable {
        /// text/`subtype` in UTF-8; quoted-printable when it is not plain ASCII in short lines.
        case text(String, subtype: String)
        /// Base 64, with a file name by RFC 2231 and RFC 2183.
        case attachment([UInt8], type: String, fileName: String)
        /// message/rfc822 with the message as it is.
        case message([UInt8])
        case multipart(subtype: String, [Body])
    }

    /// Octets of a line: RFC 5322 §2.1.1 asks for 78, RFC 2047 §2 for 76 where there are encoded words.
    static let preferredLineLength = 76

    private var header: [UInt8] = []

    public init() {}

    /// Adds an unstructured field such as Subject. CR and LF in `text` become spaces: no field can add another.
    public mutating func add(_ name: StaticString, text: String) {
        fold(name, words: Self.words(Self.withoutControls(text), after: name))
    }

    /// Adds a field of addresses: `Name <local@domain>, …`. Control characters of names become spaces.
    public mutating func add(_ name: StaticString, addresses: [(name: String?, address: EmailAddress)]) {
        var words: [String] = []
        for (index, entry) in addresses.enumerated() {
            let comma = index == addresses.count - 1 ? "" : ","
            guard let display = entry.name.map(Self.withoutControls), !display.isEmpty else {
                words.append("\(entry.address)\(comma)")
                continue
            }
            let encoded = Self.words(display, after: index == 0 ? name : "")
            words += encoded.joined(separator: " ") == display ? [Self.quoted(display)] : encoded
            words.append("<\(entry.address)>\(comma)")
        }
        fold(name, words: words)
    }

    /// Adds a field of a date such as Date (RFC 5322 §3.3).
    public mutating func add(_ name: StaticString, date: MailDate) {
        fold(name, words: [date.description])
    }

    /// The message. `boundarySeed` makes boundaries; a different one for each message keeps them from meeting in nested mail.
    public func build(_ body: Body, boundarySeed: UInt64) -> [UInt8] {
        var output = header
        output += Array("MIME-Version: 1.0\r\n".utf8)
        var counter: UInt64 = 0
        Self.append(body, seed: boundarySeed, counter: &counter, to: &output)
        return output
    }

    private static func words(_ text: String, after name: StaticString) -> [String] {
        EncodedWord.encode(text, indent: name.utf8CodeUnitCount + 2)
            .split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    }

    /// Control characters as spaces.
    private static func withoutControls(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }

    /// Writes the field, with a line end before the word that would make a line too long. A folded line has a word in it: one of
    /// spaces alone would end the header for many readers.
    private mutating func fold(_ name: StaticString, words: [String]) {
        var line = "\(name):"
        var hasWord = false
        for word in words {
            if hasWord, !word.isEmpty, line.utf8.count + word.utf8.count + 1 > Self.preferredLineLength {
                header += Array(line.utf8) + [ASCII.carriageReturn, ASCII.lineFeed]
                line = ""
                hasWord = false
            }
            line += " " + word
            hasWord = hasWord || !word.isEmpty
        }
        header += Array(line.utf8) + [ASCII.carriageReturn, ASCII.lineFeed]
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private static func append(_ body: Body, seed: UInt64, counter: inout UInt64, to output: inout [UInt8]) {
        func line(_ text: String) { output += Array(text.utf8) + [ASCII.carriageReturn, ASCII.lineFeed] }
        switch body {
        case .text(let text, let subtype):
            let bytes = withCRLF(Array(text.utf8))
            let lines = bytes.split(separator: ASCII.lineFeed, omittingEmptySubsequences: false)
            let isPlain =
                bytes.allSatisfy { $0 < 0x80 && $0 != 0 } && lines.allSatisfy { $0.count <= preferredLineLength }
            line("Content-Type: text/\(subtype); charset=utf-8")
            line("Content-Transfer-Encoding: \(isPlain ? "7bit" : "quoted-printable")")
            line("")
            output += isPlain ? bytes : QuotedPrintable.encode(bytes)
        case .attachment(let bytes, let type, let fileName):
            line("Content-Type: \(withoutControls(type))")
            line("Content-Transfer-Encoding: base64")
            line("Content-Disposition: attachment; filename*=utf-8''\(percentEncoded(fileName))")
            line("")
            let encoded = Base64.encode(bytes)
            var start = 0
            while start < encoded.count {
                output += encoded[start..<min(start + 76, encoded.count)] + [ASCII.carriageReturn, ASCII.lineFeed]
                start += 76
            }
        case .message(let bytes):
            line("Content-Type: message/rfc822")
            if isEightBit(body) { line("Content-Transfer-Encoding: 8bit") }
            line("")
            output += bytes
        case .multipart(let subtype, let parts):
            counter += 1
            // `=_` cannot occur in quoted-printable or base 64 (RFC 2045 §6.7).
            let boundary = "=_" + String(seed, radix: 36) + "_\(counter)"
            line("Content-Type: multipart/\(subtype); boundary=\"\(boundary)\"")
            if isEightBit(body) { line("Content-Transfer-Encoding: 8bit") }
            for part in parts {
                line("")
                line("--\(boundary)")
                append(part, seed: seed, counter: &counter, to: &output)
            }
            line("")
            line("--\(boundary)--")
        }
    }

    /// Whether octets beyond ASCII stand in it unencoded: all that is around them has to say so (RFC 2045 §6.4).
    private static func isEightBit(_ body: Body) -> Bool {
        switch body {
        case .text, .attachment: false
        case .message(let bytes): bytes.contains { $0 >= 0x80 }
        case .multipart(_, let parts): parts.contains { isEightBit($0) }
        }
    }

    private static func withCRLF(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 16)
        for byte in bytes where byte != ASCII.carriageReturn {
            if byte == ASCII.lineFeed { output.append(ASCII.carriageReturn) }
            output.append(byte)
        }
        if output.last != ASCII.lineFeed { output += [ASCII.carriageReturn, ASCII.lineFeed] }
        return output
    }

    private static func percentEncoded(_ text: String) -> String {
        var output = ""
        for byte in text.utf8 {
            if ASCII.isDigit(byte) || ASCII.isLetter(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "_")
            {
                output.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                output += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return output
    }
}
