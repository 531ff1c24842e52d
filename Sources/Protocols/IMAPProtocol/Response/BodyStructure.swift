internal import MartletBytes

/// BODYSTRUCTURE in wire form, read just far enough to take its extension data off (RFC 9051 §7.5.2).
///
/// BODY is BODYSTRUCTURE without what follows the size (lines, for text and message/rfc822) of a part and the subtype of a
/// multipart. The store keeps the longer form only.
enum BodyStructure {
    /// Depth at which reading is given up.
    static let maximumDepth = 256

    /// nil when `wire` is no body structure.
    static func withoutExtensions(_ wire: [UInt8]) -> [UInt8]? {
        wire.withUnsafeBytes { bytes -> [UInt8]? in
            var reader = Reader(bytes: bytes)
            reader.result.reserveCapacity(bytes.count)
            guard reader.copyBody(depth: 0), reader.index == bytes.count else { return nil }
            return reader.result
        }
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var index = 0
        var result: [UInt8] = []

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        func peek() -> UInt8 { index < bytes.count ? bytes[index] : 0 }

        /// body = "(" (body-type-1part / body-type-mpart) ")"
        mutating func copyBody(depth: Int) -> Bool {
            guard depth < BodyStructure.maximumDepth, peek() == 0x28 else { return false }
            take()
            if peek() == 0x28 {
                while peek() == 0x28 {
                    guard copyBody(depth: depth + 1) else { return false }
                }
                guard copySpaceAndElement(depth) != nil else { return false }
            } else {
                guard let type = copyElement(depth), let subtype = copySpaceAndElement(depth) else { return false }
                // Parameters, id, description, encoding, size.
                for _ in 0..<5 where copySpaceAndElement(depth) == nil { return false }
                if matches(type, "TEXT") {
                    guard copySpaceAndElement(depth) != nil else { return false }
                } else if matches(type, "MESSAGE"), matches(subtype, "RFC822") || matches(subtype, "GLOBAL") {
                    // Envelope, body, lines.
                    guard copySpaceAndElement(depth) != nil, peek() == 0x20 else { return false }
                    take()
                    guard copyBody(depth: depth + 1), copySpaceAndElement(depth) != nil else { return false }
                }
            }
            while peek() == 0x20 {
                index += 1
                guard let element = skipElement(depth), !element.isEmpty else { return false }
            }
            guard peek() == 0x29 else { return false }
            take()
            return true
        }

        mutating func take() {
            result.append(bytes[index])
            index += 1
        }

        mutating func copySpaceAndElement(_ depth: Int) -> Range<Int>? {
            guard peek() == 0x20 else { return nil }
            take()
            return copyElement(depth)
        }

        mutating func copyElement(_ depth: Int) -> Range<Int>? {
            guard let range = skipElement(depth) else { return nil }
            result.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
            return range
        }

        /// A quoted string, literal, atom or list with all in it.
        mutating func skipElement(_ depth: Int) -> Range<Int>? {
            let start = index
            var open = 0
            repeat {
                switch peek() {
                case 0x28:
                    open += 1
                    index += 1
                    if open > BodyStructure.maximumDepth { return nil }
                case 0x29:
                    guard open > 0 else { return nil }
                    open -= 1
                    index += 1
                case 0x20:
                    guard open > 0 else { return nil }
                    index += 1
                case 0x22:
                    guard skipQuoted() else { return nil }
                case 0x7B:
                    guard skipLiteral() else { return nil }
                default:
                    let before = index
                    while Octet.isAtom(peek()) { index += 1 }
                    guard index > before else { return nil }
                }
            } while open > 0
            return start..<index
        }

        private mutating func skipQuoted() -> Bool {
            index += 1
            while index < bytes.count {
                let octet = bytes[index]
                index += octet == 0x5C ? 2 : 1
                if octet == 0x22 { return true }
            }
            return false
        }

        private mutating func skipLiteral() -> Bool {
            index += 1
            var count = 0
            while ASCII.isDigit(peek()) {
                guard count < 1 << 40 else { return false }
                count = count * 10 + Int(peek() &- 0x30)
                index += 1
            }
            guard bytes.count - index >= 3, peek() == 0x7D, bytes[index + 1] == 0x0D, bytes[index + 2] == 0x0A else {
                return false
            }
            guard count <= bytes.count - index - 3 else { return false }
            index += 3 + count
            return true
        }

        /// Whether the element is `name` in capitals, quoted or not.
        private func matches(_ range: Range<Int>, _ name: StaticString) -> Bool {
            let text = bytes[range]
            let bare = text.first == 0x22 ? text.dropFirst().dropLast() : text
            let expected = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            return bare.count == expected.count && zip(bare, expected).allSatisfy { ASCII.uppercased($0) == $1 }
        }
    }
}
