internal import MartletBytes
@_spi(_Unicode) internal import Swift

/// Text in the form that is compared: UTF-8, NFC, small letters by Unicode's simple mapping. Two texts that differ in case
/// only have the same form (RFC 9051 §6.4.4 asks for i;unicode-casemap or like it; RFC 5051).
public struct FoldedText: Sendable, Equatable {
    public let octets: [UInt8]

    public init(_ text: String) {
        var text = text
        octets = text.withUTF8 { FoldedText.fold($0) }
    }

    public var isEmpty: Bool { octets.isEmpty }

    /// Whether `needle` stands somewhere in it; the empty one does in every text. O(n) whatever the texts are.
    public func contains(_ needle: FoldedText) -> Bool {
        octets.withUnsafeBytes { $0.firstIndex(of: needle.octets) != nil }
    }

    /// Folds `text` only as far as the search needs: nothing is copied when it is ASCII.
    public static func text(_ text: String, contains needle: FoldedText) -> Bool {
        if needle.isEmpty { return true }
        return FoldedText(text).contains(needle)
    }

    private static func fold(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var folded = [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            count = 0
            for octet in bytes {
                guard octet < 0x80 else { break }
                buffer[count] = ASCII.lowercased(octet)
                count += 1
            }
        }
        guard folded.count < bytes.count else { return folded }
        let rest = UnsafeBufferPointer(rebasing: bytes[folded.count...])
        // Composition can join with the last ASCII letter: that one is folded again with the rest.
        let whole = String(decoding: rest, as: UTF8.self)
        guard whole.unicodeScalars.contains(where: mayCompose) else {
            for scalar in whole.unicodeScalars { append(scalar, to: &folded) }
            return folded
        }
        folded.removeAll(keepingCapacity: true)
        for scalar in String(decoding: bytes, as: UTF8.self)._nfc { append(scalar, to: &folded) }
        return folded
    }

    /// Whether the scalar can be joined with another, or is decomposed, by NFC. Wide on purpose.
    private static func mayCompose(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x370..<0x374, 0x375..<0x37E, 0x388..<0x483, 0x4E00..<0xA000: false
        default: true
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to folded: inout [UInt8]) {
        let value = scalar.value
        switch value {
        case 0..<0x80:
            folded.append(ASCII.lowercased(UInt8(truncatingIfNeeded: value)))
        case 0xC0..<0xDF where value != 0xD7, 0x391..<0x3AA, 0x410..<0x430:
            encode(value + 0x20, to: &folded)
        case 0x400..<0x410:
            encode(value + 0x50, to: &folded)
        case 0x3C2:
            // The final sigma is a sigma.
            encode(0x3C3, to: &folded)
        case 0x80..<0x100, 0x3AC..<0x3CF, 0x430..<0x460, 0x2E80..<0xA640, 0xAC00..<0xD7A4:
            encode(value, to: &folded)
        default:
            for mapped in scalar.properties.lowercaseMapping.unicodeScalars { encode(mapped.value, to: &folded) }
        }
    }

    private static func encode(_ value: UInt32, to folded: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (value >> shift & 0x3F)) }
        switch value {
        case 0..<0x80:
            folded.append(UInt8(truncatingIfNeeded: value))
        case 0x80..<0x800:
            folded.append(UInt8(truncatingIfNeeded: 0xC0 | value >> 6))
            folded.append(tail(0))
        case 0x800..<0x10000:
            folded.append(UInt8(truncatingIfNeeded: 0xE0 | value >> 12))
            folded.append(tail(6))
            folded.append(tail(0))
        default:
            folded.append(UInt8(truncatingIfNeeded: 0xF0 | value >> 18))
            folded.append(tail(12))
            folded.append(tail(6))
            folded.append(tail(0))
        }
    }
}
