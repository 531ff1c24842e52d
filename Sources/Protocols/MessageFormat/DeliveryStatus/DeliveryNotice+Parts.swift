internal import MartletBytes
internal import MartletCore

extension DeliveryNotice {
    /// One of the two or three parts of a notice (RFC 6522 §3), encoded.
    struct Part {
        enum Encoding: String {
            case sevenBit = "7bit"
            case eightBit = "8bit"
            case quotedPrintable = "quoted-printable"
            case base64 = "base64"
        }

        /// `type/subtype` with its parameters.
        var type: String
        var description: String
        var encoding: Encoding
        var bytes: [UInt8]
        /// The message that is returned is there with its body.
        var isWhole = false

        func append(to output: inout [UInt8]) {
            output += Array("Content-Type: \(type)\r\nContent-Description: \(description)\r\n".utf8)
            output += Array("Content-Transfer-Encoding: \(encoding.rawValue)\r\n\r\n".utf8)
            output += bytes
        }

        /// Whether it can stand as it is.
        private static func isSevenBit(_ shape: BodyShape, _ lineLength: Int) -> Bool {
            shape.isASCII && shape.isMadeOfLines && shape.longestLine <= lineLength
        }

        /// ASCII in short lines as it is, else quoted-printable.
        static func words(_ words: String) -> Part {
            let text = Array(words.replacing("\n", with: "\r\n").utf8)
            let isPlain = isSevenBit(BodyShape(text), FieldWriter.preferredLineLength)
            return Part(
                type: "text/plain; charset=utf-8", description: "Notification",
                encoding: isPlain ? .sevenBit : .quotedPrintable, bytes: isPlain ? text : QuotedPrintable.encode(text))
        }

        /// RFC 6533 §4.1 where an address is not ASCII; in quoted-printable, so that any server takes it (§4.5).
        static func machine(_ report: DeliveryStatusReport) -> Part {
            let form = report.simplestForm
            let bytes = report.encode(as: form)
            return form == .ascii
                ? Part(
                    type: "message/delivery-status", description: "Delivery report", encoding: .sevenBit, bytes: bytes)
                : Part(
                    type: "message/global-delivery-status", description: "Delivery report", encoding: .quotedPrintable,
                    bytes: QuotedPrintable.encode(bytes))
        }

        /// The message, when that is wanted, it is here whole, small enough, and made of lines; else its header; nil when
        /// nothing of it is here (RFC 6522 §3).
        static func returned(_ original: Original, whole: Bool) -> Part? {
            if original.bytes.isEmpty { return nil }
            let headerLength = original.bytes.withUnsafeBytes { HeaderFields.endOfHeader($0, from: 0) }
            let isWhole =
                original.bytes.count == original.size && original.size <= DeliveryNotice.maximumReturnedMessage
            let shape = BodyShape(original.bytes)
            guard whole, isWhole, shape.isMadeOfLines else {
                return header(Array(original.bytes.prefix(min(headerLength, DeliveryNotice.maximumReturnedHeader))))
            }
            let header = original.bytes.prefix(headerLength)
            if header.contains(where: { $0 >= 0x80 }), String(validating: header, as: UTF8.self) != nil {
                // RFC 6532 §3.7: any encoding is permitted here.
                var encoded: [UInt8] = []
                SevenBitBody.appendBase64(original.bytes, to: &encoded)
                return Part(
                    type: "message/global", description: "Undelivered message", encoding: .base64, bytes: encoded,
                    isWhole: true)
            }
            return Part(
                type: "message/rfc822", description: "Undelivered message",
                encoding: shape.isASCII ? .sevenBit : .eightBit, bytes: original.bytes, isWhole: true)
        }

        /// Whole lines, without the empty one.
        private static func header(_ bytes: [UInt8]) -> Part {
            var lines: [UInt8] = []
            lines.reserveCapacity(bytes.count + 16)
            for line in bytes.split(separator: ASCII.lineFeed) {
                let text = line.last == ASCII.carriageReturn ? line.dropLast() : line
                if !text.isEmpty { lines += text + [ASCII.carriageReturn, ASCII.lineFeed] }
            }
            let shape = BodyShape(lines)
            let isPlain = isSevenBit(shape, BodyShape.maximumLine)
            let isGlobal = shape.eightBit > 0 && String(validating: lines, as: UTF8.self) != nil
            return Part(
                type: isGlobal ? "message/global-headers" : "text/rfc822-headers",
                description: "Header of the message", encoding: isPlain ? .sevenBit : .quotedPrintable,
                bytes: isPlain ? lines : QuotedPrintable.encode(lines))
        }

        /// A boundary that none of the parts has in it: looked for, not hoped for. Derived from the seed, so that the
        /// same notice is the same bytes.
        static func boundary(for parts: [Part], seed: String) -> String {
            // FNV-1a. `=_` cannot come from quoted-printable or base 64 (RFC 2045 §6.7).
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in seed.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            while true {
                // Each turn tries another one, and bounded parts hold a bounded number.
                let boundary = "=_" + String(hash, radix: 36)
                let needle = Array(boundary.utf8)
                if parts.allSatisfy({ $0.bytes.withUnsafeBytes { $0.firstIndex(of: needle) == nil } }) {
                    return boundary
                }
                hash &+= 1
            }
        }
    }
}
