public import MartletCore

/// Base64 of SASL exchanges (RFC 4648 §4): padded, no line breaks, nothing after the padding, no bits left over.
enum StrictBase64 {
    static func decode(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard bytes.count % 4 == 0 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count / 4 * 3)
        var bits: UInt32 = 0
        var padding = 0
        for (position, octet) in bytes.enumerated() {
            let value: UInt8
            switch octet {
            case 0x41...0x5A: value = octet - 0x41
            case 0x61...0x7A: value = octet - 0x61 + 26
            case 0x30...0x39: value = octet - 0x30 + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            case 0x3D where position >= bytes.count - 2:
                padding += 1
                value = 0
            default: return nil
            }
            if padding > 0, octet != 0x3D { return nil }
            bits = bits << 6 | UInt32(value)
            guard position % 4 == 3 else { continue }
            if padding > 0, bits & (padding == 1 ? 0xFF : 0xFFFF) != 0 { return nil }
            for shift in [UInt32(16), 8, 0].dropLast(padding) {
                result.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
            bits = 0
        }
        return result
    }

    static func encode(_ bytes: [UInt8], into result: inout [UInt8]) {
        func letter(_ value: UInt32) -> UInt8 {
            switch UInt8(truncatingIfNeeded: value & 63) {
            case let value where value < 26: value + 0x41
            case let value where value < 52: value - 26 + 0x61
            case let value where value < 62: value - 52 + 0x30
            case 62: 0x2B
            default: 0x2F
            }
        }
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let rest = bytes.count - start
            let bits =
                UInt32(bytes[start]) << 16 | (rest > 1 ? UInt32(bytes[start + 1]) << 8 : 0)
                | (rest > 2 ? UInt32(bytes[start + 2]) : 0)
            result.append(letter(bits >> 18))
            result.append(letter(bits >> 12))
            result.append(rest > 1 ? letter(bits >> 6) : 0x3D)
            result.append(rest > 2 ? letter(bits) : 0x3D)
        }
    }
}

/// What a line of an AUTHENTICATE exchange or of IDLE says (RFC 9051 §6.2.2, RFC 2177 §3).
public enum ContinuationLine: Sendable, Equatable {
    /// A decoded response, possibly empty.
    case response(Secret)
    /// `*`: the client gives up; answer BAD.
    case cancelled
    /// Not base64; answer BAD.
    case malformed

    public init(authentication line: [UInt8]) {
        if line == [0x2A] {
            self = .cancelled
        } else if let bytes = line.withUnsafeBytes(StrictBase64.decode) {
            self = .response(Secret(bytes))
        } else {
            self = .malformed
        }
    }

    /// Whether the line ends IDLE: `DONE` in any case.
    public static func isDone(_ line: [UInt8]) -> Bool {
        line.count == 4 && line.map(Octet.uppercased) == Array("DONE".utf8)
    }
}
