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

    /// Octets of a line that RFC 5322 §2.1.1 asks for.
    static let preferredLineLength = 78

    private var header: [UInt8] = []

    public init() {}

    /// Adds an unstructured field such as Subject. CR and LF in `text` become spaces: no field can add another.
    public mutating func add(_ name: StaticString, text: String) {
        let clean = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        fold(
            name,
            words: EncodedWord.encode(clean).split(separator: " ", omittingEmptySubsequences: false).map(String.init),
            separator: " ")
    }

    /// Adds a field of addresses: `Name <local@domain>, …`.
    public mutating func add(_ name: StaticString, addresses: [(name: String?, address: EmailAddress)]) {
        let written = addresses.map { entry in
            guard let display = entry.name, !display.isEmpty else { return entry.address.description }
            let encoded = EncodedWord.encode(display)
            return encoded == display ? "\(Self.quoted(display)) <\(entry.address)>" : "\(encoded) <\(entry.address)>"
        }
        fold(name, words: written, separator: ", ")
    }

    public mutating func add(_ name: StaticString, date: MailDate) {
        fold(name, words: [date.description], separator: " ")
    }

    /// The message. `boundarySeed` makes boundaries; a different one for each message keeps them from meeting in nested mail.
    public func build(_ body: Body, boundarySeed: UInt64) -> [UInt8] {
        var output = header
        output += Array("MIME-Version: 1.0\r\n".utf8)
        var counter: UInt64 = 0
        Self.append(body, seed: boundarySeed, counter: &counter, to: &output)
        return output
    }

    private mutating func fold(_ name: StaticString, words: [String], separator: String) {
        var line = "\(name):"
        for (index, word) in words.enumerated() {
            let piece = index == words.count - 1 ? word : word + (separator == " " ? "" : ",")
            if line.utf8.count + piece.utf8.count + 1 > Self.preferredLineLength, line.utf8.count > 20, !piece.isEmpty {
                header += Array(line.utf8) + [ASCII.carriageReturn, ASCII.lineFeed]
                line = ""
            }
            line += " " + piece
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
            line("Content-Type: \(type)")
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
            line("")
            output += bytes
        case .multipart(let subtype, let parts):
            counter += 1
            // `=_` cannot occur in quoted-printable or base 64 (RFC 2045 §6.7).
            let boundary = "=_" + String(seed, radix: 36) + "_\(counter)"
            line("Content-Type: multipart/\(subtype); boundary=\"\(boundary)\"")
            for part in parts {
                line("")
                line("--\(boundary)")
                append(part, seed: seed, counter: &counter, to: &output)
            }
            line("")
            line("--\(boundary)--")
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
