internal import MartletCore

extension MailboxName {
    /// From the wire, quoting taken off.
    ///
    /// - Parameter isUTF8: the name is UTF-8 and not modified UTF-7.
    /// - Returns: nil for a name that cannot be a mailbox's (see the type).
    public init?(wire bytes: UnsafeRawBufferPointer, isUTF8: Bool) {
        guard let text = MailboxName.decode(bytes, isUTF8: isUTF8) else { return nil }
        self.init(text)
        if isUTF8, !bytes.elementsEqual(name.utf8) { supplied = String(decoding: bytes, as: UTF8.self) }
    }

    /// From text. nil for a name that cannot be a mailbox's.
    public init?(_ text: String) {
        guard !text.isEmpty, !text.unicodeScalars.contains(where: MailboxName.isForbidden) else { return nil }
        name = MailboxName.withInbox(text)
    }

    /// RFC 9051 §5.1 asks for Net-Unicode (RFC 5198 §2): no C0 and C1 controls, no line and paragraph separators.
    static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || scalar.value >= 0x7F && scalar.value < 0xA0 || scalar.value == 0x2028
            || scalar.value == 0x2029
    }

    /// INBOX has no case (RFC 9051 §5.1), neither alone nor as the first level of a name.
    private static func withInbox(_ text: String) -> String {
        let utf8 = text.utf8
        guard utf8.count == 5 || utf8.count > 5 && utf8[utf8.index(utf8.startIndex, offsetBy: 5)] == 0x2F else {
            return text
        }
        var index = utf8.startIndex
        for letter in "INBOX".utf8 {
            guard Octet.uppercased(utf8[index]) == letter else { return text }
            index = utf8.index(after: index)
        }
        return "INBOX" + text[index...]
    }

    /// Names, references and patterns: to UTF-8 in NFC. nil for what is not well formed, or holds a NUL or control character.
    static func decode(_ bytes: UnsafeRawBufferPointer, isUTF8: Bool) -> String? {
        var isPlain = true
        for octet in bytes {
            if octet < 0x20 || octet == 0x7F { return nil }
            if octet >= 0x80 || octet == 0x26 { isPlain = false }
        }
        if isPlain { return String(decoding: bytes, as: UTF8.self) }
        guard let text = isUTF8 ? String(validating: bytes, as: UTF8.self) : ModifiedUTF7.decode(bytes) else {
            return nil
        }
        guard !text.unicodeScalars.contains(where: isForbidden) else { return nil }
        return Normalization.nfc(text)
    }

    /// A hierarchy mark at the end of CREATE's name says that names below it will follow (RFC 9051 §6.3.4): without it.
    public var withoutTrailingDelimiter: MailboxName {
        guard name.utf8.count > 1, name.utf8.last == 0x2F else { return self }
        var without = MailboxName(trusted: String(name.dropLast()))
        without.supplied = supplied.map { String($0.dropLast()) }
        return without
    }

    /// The name in modified UTF-7 (RFC 3501 §5.1.3).
    public var modifiedUTF7: [UInt8] {
        var bytes: [UInt8] = []
        ModifiedUTF7.encode(name, into: &bytes)
        return bytes
    }
}

/// The encoding of names in IMAP4rev1 (RFC 3501 §5.1.3): `&` begins, `-` ends a run of UTF-16 in base64 with `,` for `/`.
enum ModifiedUTF7 {
    /// nil for 8-bit octets, unended or empty runs, lone surrogates, bits left over, and printable ASCII inside a run: each
    /// name has one form, so that two names cannot look alike to access checks.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        var index = 0
        var followsRun = false
        while index < bytes.count {
            let octet = bytes[index]
            guard octet >= 0x20, octet < 0x7F else { return nil }
            index += 1
            guard octet == 0x26 else {
                result.append(octet)
                followsRun = false
                continue
            }
            if index < bytes.count, bytes[index] == 0x2D {
                result.append(0x26)
                index += 1
                followsRun = false
                continue
            }
            // Two runs side by side would be one (RFC 3501 §5.1.3).
            guard !followsRun, decodeRun(bytes, &index, into: &result) else { return nil }
            followsRun = true
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func decodeRun(_ bytes: UnsafeRawBufferPointer, _ index: inout Int, into result: inout [UInt8])
        -> Bool
    {
        var bits: UInt32 = 0
        var bitCount = 0
        var high: UInt32?
        var units = 0
        while index < bytes.count {
            let octet = bytes[index]
            index += 1
            if octet == 0x2D {
                return units > 0 && high == nil && bitCount < 6 && bits & ((1 << UInt32(bitCount)) - 1) == 0
            }
            guard let value = value(of: octet) else { return false }
            bits = (bits << 6 | UInt32(value)) & 0x3F_FFFF
            bitCount += 6
            guard bitCount >= 16 else { continue }
            bitCount -= 16
            let unit = bits >> UInt32(bitCount) & 0xFFFF
            units += 1
            if let first = high {
                guard unit & 0xFC00 == 0xDC00 else { return false }
                append(0x10000 + ((first & 0x3FF) << 10 | unit & 0x3FF), to: &result)
                high = nil
            } else if unit & 0xFC00 == 0xD800 {
                high = unit
            } else {
                guard unit & 0xFC00 != 0xDC00, unit < 0x20 || unit > 0x7E else { return false }
                append(unit, to: &result)
            }
        }
        return false
    }

    static func encode(_ text: String, into bytes: inout [UInt8]) {
        var bits: UInt32 = 0
        var bitCount = 0
        var isInRun = false
        func end(_ bytes: inout [UInt8]) {
            if bitCount > 0 { bytes.append(letter(UInt8(bits << UInt32(6 - bitCount) & 63))) }
            bytes.append(0x2D)
            bits = 0
            bitCount = 0
            isInRun = false
        }
        for unit in text.utf16 {
            if unit >= 0x20, unit <= 0x7E {
                if isInRun { end(&bytes) }
                bytes.append(UInt8(truncatingIfNeeded: unit))
                if unit == 0x26 { bytes.append(0x2D) }
                continue
            }
            if !isInRun {
                bytes.append(0x26)
                isInRun = true
            }
            bits = (bits << 16 | UInt32(unit)) & 0x3F_FFFF
            bitCount += 16
            while bitCount >= 6 {
                bitCount -= 6
                bytes.append(letter(UInt8(bits >> UInt32(bitCount) & 63)))
            }
        }
        if isInRun { end(&bytes) }
    }

    private static func append(_ value: UInt32, to result: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(value) else { return }
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private static func value(of octet: UInt8) -> UInt8? {
        switch octet {
        case 0x41...0x5A: octet - 0x41
        case 0x61...0x7A: octet - 0x61 + 26
        case 0x30...0x39: octet - 0x30 + 52
        case 0x2B: 62
        case 0x2C: 63
        default: nil
        }
    }

    private static func letter(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: value + 0x41
        case 26..<52: value - 26 + 0x61
        case 52..<62: value - 52 + 0x30
        case 62: 0x2B
        default: 0x2C
        }
    }
}
