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
