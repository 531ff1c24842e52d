internal import CIDN2

/// A domain name in the one form that Martlet compares and stores: A-labels, lower case, no trailing dot.
///
/// Made from A-labels, U-labels or a mixture (RFC 5890, IDNA2008 by libidn2 with the non-transitional UTS 46 mapping).
/// No value exists that is not a valid domain: 1 to 253 octets, labels of 1 to 63 (RFC 1035 §2.3.4, RFC 5321 §4.5.3.1.2).
public struct Domain: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Octets of the longest name that is taken, without the trailing dot (RFC 1035 §2.3.4).
    public static let maximumLength = 253

    /// Octets of a name as it is written, in U-labels too, of which a longer one is not looked at.
    private static let maximumWrittenLength = 1_000
    /// Octets of a label (RFC 1035 §2.3.4).
    private static let maximumLabel = 63

    /// The name in A-labels, lower case.
    public let ascii: String

    /// Reads a domain; nil when it is not one. Costs O(length); U-labels cost a call into libidn2.
    public init?(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count <= Domain.maximumWrittenLength else { return nil }
        if bytes.allSatisfy({ $0 < 0x80 }) {
            for index in bytes.indices where bytes[index] >= 0x41 && bytes[index] <= 0x5A { bytes[index] |= 0x20 }
            guard Domain.isHostName(bytes) else { return nil }
            ascii = String(decoding: bytes, as: UTF8.self)
            return
        }
        // libidn2 takes a C string: behind a NUL it would see nothing, and the name would be another one.
        guard !bytes.contains(0), let converted = Domain.toASCII(String(decoding: bytes, as: UTF8.self)) else {
            return nil
        }
        guard Domain.isHostName(Array(converted.utf8)) else { return nil }
        ascii = converted
    }

    /// The name for people: U-labels where the A-labels decode (RFC 5891 §5), otherwise as stored.
    public var unicode: String {
        guard ascii.contains("xn--") else { return ascii }
        var output: UnsafeMutablePointer<CChar>?
        guard idn2_to_unicode_8z8z(ascii, &output, 0) == IDN2_OK.rawValue, let output else { return ascii }
        defer { idn2_free(output) }
        return String(cString: output)
    }

    public var description: String { ascii }

    public static func < (left: Domain, right: Domain) -> Bool { left.ascii < right.ascii }

    /// Whether this is `other` or lies below it.
    public func isEqualToOrBelow(_ other: Domain) -> Bool { self == other || ascii.hasSuffix("." + other.ascii) }

    private static func toASCII(_ text: String) -> String? {
        var output: UnsafeMutablePointer<CChar>?
        let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
        guard idn2_to_ascii_8z(text, &output, flags) == IDN2_OK.rawValue, let output else { return nil }
        defer { idn2_free(output) }
        return String(cString: output)
    }

    /// Letters, digits, hyphens inside, and the underscore that real names carry (RFC 2181 §11).
    private static func isHostName(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= maximumLength else { return false }
        var labelLength = 0
        var previous = UInt8(ascii: ".")
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "."):
                guard labelLength > 0, previous != UInt8(ascii: "-") else { return false }
                labelLength = 0
            case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "_"):
                labelLength += 1
            case UInt8(ascii: "-"):
                guard labelLength > 0 else { return false }
                labelLength += 1
            default:
                return false
            }
            guard labelLength <= maximumLabel else { return false }
            previous = byte
        }
        return labelLength > 0 && previous != UInt8(ascii: "-")
    }
}
