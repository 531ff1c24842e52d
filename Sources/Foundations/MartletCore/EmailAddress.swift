/// A mailbox address: local part and domain (RFC 5321 §4.1.2 `Mailbox`, RFC 6531 §3.3 for UTF-8 local parts).
///
/// The local part is kept unquoted, as its meaning: `"a b"@x` has the local part `a b`; beyond ASCII it is kept in
/// normalization form C (RFC 6532 §3.1), so that equal addresses are equal bytes too. Address literals
/// (`user@[192.0.2.1]`) are `EmailAddress.Host.literal`. No value exists that cannot be written back as an address.
public struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// What stands right of the `@`.
    public enum Host: Sendable, Hashable {
        case domain(Domain)
        /// The text between the brackets, lower case: `192.0.2.1` or `ipv6:2001:db8::1`.
        case literal(String)
    }

    /// Octets of the longest local part that is taken: the least that RFC 5321 §4.5.3.1.1 demands.
    public static let maximumLocalPartLength = 64

    /// Unquoted, in normalization form C: 1 to 64 octets.
    public let localPart: String
    public let host: Host

    /// From its parts; nil when the local part is not one.
    ///
    /// - Parameters:
    ///   - localPart: the unquoted local part: 1 to 64 octets of UTF-8, no control characters.
    ///   - host: what stands right of the `@`.
    public init?(localPart: String, host: Host) {
        // No form is more than three times as long as another (UAX #15 §12.1).
        guard localPart.utf8.count <= 3 * EmailAddress.maximumLocalPartLength else { return nil }
        let localPart = Normalization.nfc(localPart)
        let bytes = localPart.utf8
        guard !bytes.isEmpty, bytes.count <= EmailAddress.maximumLocalPartLength else { return nil }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        self.localPart = localPart
        self.host = host
    }

    public init?(localPart: String, domain: Domain) { self.init(localPart: localPart, host: .domain(domain)) }

    /// Reads `local@domain`, `"quoted local"@domain` or `local@[literal]`; nil when it is not an address.
    public init?(_ text: String) {
        guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let left = Array(text.utf8[..<at])
        let right = String(decoding: text.utf8[text.utf8.index(after: at)...], as: UTF8.self)
        guard let localPart = EmailAddress.unquote(left) else { return nil }
        if right.hasPrefix("["), right.hasSuffix("]") {
            let inner = right.dropFirst().dropLast().lowercased()
            guard EmailAddress.isLiteral(inner) else { return nil }
            self.init(localPart: localPart, host: .literal(inner))
        } else {
            guard let domain = Domain(right) else { return nil }
            self.init(localPart: localPart, host: .domain(domain))
        }
    }

    /// nil for an address literal.
    public var domain: Domain? {
        if case .domain(let domain) = host { return domain }
        return nil
    }

    /// The form for the wire: quoted where the local part is no dot-string (RFC 5321 §4.1.2).
    public var description: String {
        let right =
            switch host {
            case .domain(let domain): domain.ascii
            case .literal(let text): "[\(text)]"
            }
        return "\(quotedLocalPart)@\(right)"
    }

    /// Whether the wire form needs SMTPUTF8 (RFC 6531 §3.3). Domains never do: they are kept as A-labels.
    public var needsSMTPUTF8: Bool { !localPart.utf8.allSatisfy { $0 < 0x80 } }

    /// The local part in the form that addresses of one account are compared in: case is folded, since no receiver that
    /// people use tells `Anna` from `anna` (RFC 5321 §2.4 leaves this to the receiving host: that is us).
    public var foldedLocalPart: String { Normalization.nfc(localPart.lowercased()) }

    var quotedLocalPart: String {
        let bytes = Array(localPart.utf8)
        if EmailAddress.isDotString(bytes) { return localPart }
        var quoted: [UInt8] = [UInt8(ascii: "\"")]
        for byte in bytes {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted.append(UInt8(ascii: "\\")) }
            quoted.append(byte)
        }
        quoted.append(UInt8(ascii: "\""))
        return String(decoding: quoted, as: UTF8.self)
    }

    private static func unquote(_ bytes: [UInt8]) -> String? {
        guard let first = bytes.first else { return nil }
        guard first == UInt8(ascii: "\"") else {
            return isDotString(bytes) ? String(decoding: bytes, as: UTF8.self) : nil
        }
        guard bytes.count >= 3, bytes.last == UInt8(ascii: "\"") else { return nil }
        var inner: [UInt8] = []
        var escaped = false
        for byte in bytes[1..<(bytes.count - 1)] {
            guard byte >= 0x20, byte != 0x7F else { return nil }
            if escaped {
                inner.append(byte)
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                return nil
            } else {
                inner.append(byte)
            }
        }
        return escaped ? nil : String(decoding: inner, as: UTF8.self)
    }

    /// RFC 5321 §4.1.2 `Dot-string`, with UTF-8 by RFC 6531 §3.3.
    private static func isDotString(_ bytes: [UInt8]) -> Bool {
        var previousIsDot = true
        for byte in bytes {
            if byte == UInt8(ascii: ".") {
                if previousIsDot { return false }
                previousIsDot = true
                continue
            }
            guard byte >= 0x80 || isAtext(byte) else { return false }
            previousIsDot = false
        }
        return !previousIsDot
    }

    private static func isAtext(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "="),
            UInt8(ascii: "?"),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"),
            UInt8(ascii: "}"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Octets of the longest address literal: an IPv6 address with its tag has 50.
    private static let maximumLiteralLength = 100

    /// The characters of RFC 5321 §4.1.3's literals, lower case. Whether they make an address is not looked at.
    private static func isLiteral(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumLiteralLength
            && text.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x7A) || $0 == 0x2E || $0 == 0x3A || $0 == 0x2D
            }
    }
}
