/// Base 64 (RFC 4648 §4), strict for protocols and lenient for mail bodies.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// 0 to 63 for the alphabet, 64 for `=`, 255 for others.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        values[Int(UInt8(ascii: "="))] = 64
        return values
    }()

    /// Encodes with padding and without line breaks.
    public static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        var accumulator: UInt32 = 0
        var held = 0
        for byte in bytes {
            accumulator = accumulator << 8 | UInt32(byte)
            held += 1
            guard held == 3 else { continue }
            output.append(alphabet[Int(accumulator >> 18 & 63)])
            output.append(alphabet[Int(accumulator >> 12 & 63)])
            output.append(alphabet[Int(accumulator >> 6 & 63)])
            output.append(alphabet[Int(accumulator & 63)])
            accumulator = 0
            held = 0
        }
        switch held {
        case 1:
            output.append(alphabet[Int(accumulator >> 2 & 63)])
            output.append(alphabet[Int(accumulator << 4 & 63)])
            output.append(contentsOf: [UInt8(ascii: "="), UInt8(ascii: "=")])
        case 2:
            output.append(alphabet[Int(accumulator >> 10 & 63)])
            output.append(alphabet[Int(accumulator >> 4 & 63)])
            output.append(alphabet[Int(accumulator << 2 & 63)])
            output.append(UInt8(ascii: "="))
        default: break
        }
        return output
    }

    @inlinable
    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] { encode(Array(bytes)) }

    /// Decodes exactly: alphabet and right padding only, no spaces, no bits left over (RFC 4648 §3.5), so that each value has
    /// one form; nil otherwise. For SASL and other protocol text.
    public static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(text.count / 4 * 3)
        var accumulator: UInt32 = 0
        var held = 0
        var padding = 0
        for byte in text {
            let value = values[Int(byte)]
            guard value <= 64 else { return nil }
            if value == 64 {
                padding += 1
                guard padding <= 2, held + padding <= 4, held >= 2 else { return nil }
                continue
            }
            guard padding == 0 else { return nil }
            accumulator = accumulator << 6 | UInt32(value)
            held += 1
            guard held == 4 else { continue }
            output.append(UInt8(truncatingIfNeeded: accumulator >> 16))
            output.append(UInt8(truncatingIfNeeded: accumulator >> 8))
            output.append(UInt8(truncatingIfNeeded: accumulator))
            accumulator = 0
            held = 0
        }
        switch (held, padding) {
        case (0, 0): return output
        case (2, 2):
            guard accumulator & 0xF == 0 else { return nil }
            output.append(UInt8(truncatingIfNeeded: accumulator >> 4))
            return output
        case (3, 1):
            guard accumulator & 0x3 == 0 else { return nil }
            output.append(UInt8(truncatingIfNeeded: accumulator >> 10))
            output.append(UInt8(truncatingIfNeeded: accumulator >> 2))
            return output
        default: return nil
        }
    }

    @inlinable
    public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? { decode(Array(text)) }

    /// Decodes a mail body (RFC 2045 §6.8): bytes outside the alphabet are skipped, padding ends a quantum, a ragged end
    /// gives the octets that are whole.
    public static func decodeLeniently(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count / 4 * 3 + 3)
        var accumulator: UInt32 = 0
        var held = 0
        func flush() {
            if held >= 2 { output.append(UInt8(truncatingIfNeeded: accumulator >> (held == 2 ? 4 : 10))) }
            if held == 3 { output.append(UInt8(truncatingIfNeeded: accumulator >> 2)) }
            accumulator = 0
            held = 0
        }
        for byte in text {
            let value = values[Int(byte)]
            if value < 64 {
                accumulator = accumulator << 6 | UInt32(value)
                held += 1
                if held == 4 {
                    output.append(UInt8(truncatingIfNeeded: accumulator >> 16))
                    output.append(UInt8(truncatingIfNeeded: accumulator >> 8))
                    output.append(UInt8(truncatingIfNeeded: accumulator))
                    accumulator = 0
                    held = 0
                }
            } else if value == 64 {
                flush()
            }
        }
        flush()
        return output
    }
}
