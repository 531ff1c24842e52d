/// An IPv4 or IPv6 address: octets in network order. Equal addresses are equal values; `::ffff:192.0.2.1` is not
/// `192.0.2.1` until `unmapped` says so.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Family: String, Sendable, Hashable, CaseIterable {
        case ipv4 = "IPv4"
        case ipv6 = "IPv6"
    }

    /// 4 or 16.
    public let octets: [UInt8]

    /// - Parameter octets: 4 or 16 in network order; nil for another number.
    public init?(octets: [UInt8]) {
        guard octets.count == 4 || octets.count == 16 else { return nil }
        self.octets = octets
    }

    /// Reads `192.0.2.1` or `2001:db8::1` (RFC 4291 §2.2), without brackets and zone; nil when it is no address.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)[...]
        guard let octets = AddressText.ipv4(bytes) ?? AddressText.ipv6(bytes) else { return nil }
        self.octets = octets
    }

    /// What stands between the brackets of an address literal: `192.0.2.1`, `IPv6:2001:db8::1` (RFC 5321 §4.1.3).
    public init?(literal: String) {
        let tag = "ipv6:"
        guard literal.lowercased().hasPrefix(tag) else {
            guard let octets = AddressText.ipv4(Array(literal.utf8)[...]) else { return nil }
            self.octets = octets
            return
        }
        guard let octets = AddressText.ipv6(Array(literal.utf8.dropFirst(tag.utf8.count))[...]) else { return nil }
        self.octets = octets
    }

    public var family: Family { octets.count == 4 ? .ipv4 : .ipv6 }

    /// 127.0.0.0/8 and `::1` (RFC 6890 §2.2).
    public var isLoopback: Bool {
        let address = unmapped.octets
        return address.count == 4 ? address[0] == 127 : address.dropLast().allSatisfy { $0 == 0 } && address[15] == 1
    }

    /// One host can be connected to at it: not 0.0.0.0/8, `::`, multicast or broadcast (RFC 6890 §2.2, RFC 4291 §2.7).
    public var isUnicast: Bool {
        let address = unmapped.octets
        return switch address.count {
        case 4: address[0] != 0 && address[0] < 224
        default: address[0] != 0xFF && address.contains { $0 != 0 }
        }
    }

    /// The IPv4 address that an IPv4-mapped one stands for (RFC 4291 §2.5.5.2); otherwise the address itself.
    public var unmapped: IPAddress {
        guard octets.count == 16, octets[..<10].allSatisfy({ $0 == 0 }), octets[10] == 0xFF, octets[11] == 0xFF,
            let mapped = IPAddress(octets: Array(octets[12...]))
        else { return self }
        return mapped
    }

    /// `192.0.2.1`, `2001:db8::1` in the one form of RFC 5952 §4.
    public var description: String {
        guard octets.count == 16 else { return octets.map { "\($0)" }.joined(separator: ".") }
        if octets[..<10].allSatisfy({ $0 == 0 }), octets[10] == 0xFF, octets[11] == 0xFF {
            return "::ffff:" + octets[12...].map { "\($0)" }.joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(octets[2 * $0]) << 8 | UInt16(octets[2 * $0 + 1]) }
        func text(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        // The first of the longest runs of two and more zero groups (§4.2.3).
        var longest = 0..<0
        var start = 0
        while start < 8 {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(longest.count, 1) { longest = start..<end }
            start = end
        }
        if longest.isEmpty { return text(groups[...]) }
        return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }
}
