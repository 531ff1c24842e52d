package import DNSProtocol
internal import Glibc

/// The addresses of this machine by which the world may reach it.
package enum HostAddresses {
    /// Addresses that are looked at.
    private static let maximum = 1_000

    /// Public ones of all interfaces, IPv4 first, in the order in which the machine has them.
    static var publicOnes: [IPAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: [IPAddress] = []
        var next = first
        var seen = 0
        while let entry = next, seen < maximum {
            next = entry.pointee.ifa_next
            seen += 1
            guard let address = entry.pointee.ifa_addr, let octets = octets(of: address),
                let known = IPAddress(octets: octets), isPublic(known), !found.contains(known)
            else { continue }
            found.append(known)
        }
        return found.filter { $0.family == .ipv4 } + found.filter { $0.family == .ipv6 }
    }

    private static func octets(of address: UnsafeMutablePointer<sockaddr>) -> [UInt8]? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) }
            }
        default: return nil
        }
    }

    /// Not of a network of one's own, of one link, of this machine, or for documentation alone (RFC 6890 §2.2); of IPv6 a
    /// global unicast address as they are given out, 2000::/3 (RFC 4291 §2.4).
    package static func isPublic(_ address: IPAddress) -> Bool {
        guard address.isUnicast, !address.isLoopback else { return false }
        let octets = address.unmapped.octets
        guard octets.count == 4 else {
            let isDocumentation = octets[0] == 0x20 && octets[1] == 0x01 && octets[2] == 0x0D && octets[3] == 0xB8
            return octets[0] & 0xE0 == 0x20 && !isDocumentation
        }
        switch (octets[0], octets[1]) {
        case (10, _), (192, 168), (169, 254): return false
        case (172, 16...31), (100, 64...127): return false
        case (192, 0) where octets[2] == 2, (198, 51) where octets[2] == 100, (203, 0) where octets[2] == 113:
            return false
        default: return true
        }
    }

    /// Where the DNS keeps the name of an address (RFC 1035 §3.5, RFC 3596 §2.5).
    package static func reverseName(of address: IPAddress) -> DNSName? {
        let octets = address.unmapped.octets
        let labels: [String] =
            if octets.count == 4 {
                octets.reversed().map(String.init) + ["in-addr", "arpa"]
            } else {
                octets.reversed().flatMap { [String($0 & 0xF, radix: 16), String($0 >> 4, radix: 16)] } + [
                    "ip6", "arpa",
                ]
            }
        return DNSName(labels: labels.map { Array($0.utf8) })
    }
}
