internal import MartletBytes

/// IP addresses as text (RFC 1035 §3.4.1, RFC 4291 §2.2).
enum AddressText {
    /// 4 octets of `192.0.2.1`; nil when it is no address.
    static func ipv4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let octets = parts.compactMap { part -> UInt8? in
            (1...3).contains(part.count) ? ASCII.number(part, limit: 255).map { UInt8($0) } : nil
        }
        return octets.count == 4 ? octets : nil
    }

    /// 16 octets of `2001:db8::1` or `::ffff:192.0.2.1`; nil when it is no address.
    static func ipv6(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        // Two colons stand for as many zeros as are missing, once.
        guard text.count <= 45 else { return nil }
        let colon = UInt8(ascii: ":")
        var gap: Int?
        for index in text.indices.dropLast() where text[index] == colon && text[index + 1] == colon {
            guard gap == nil else { return nil }
            gap = index
        }
        guard let gap else {
            let octets = groups(text)
            return octets?.count == 16 ? octets : nil
        }
        guard let head = groups(text[..<gap]), let tail = groups(text[(gap + 2)...]), head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var octets: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let last = ipv4(part) else { return nil }
                octets += last
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var value: UInt16 = 0
            for byte in part {
                guard let digit = ASCII.hexValue(byte) else { return nil }
                value = value << 4 | UInt16(digit)
            }
            octets += [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
        }
        return octets
    }
}
