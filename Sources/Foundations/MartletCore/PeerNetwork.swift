/// What counts as one peer where peers are counted and slowed down: an IPv4 address, or an IPv6 /64, which is the least that
/// one customer has (RFC 6177 §2), so that nobody becomes many by taking other addresses of his own network.
public struct PeerNetwork: Sendable, Hashable, CustomStringConvertible {
    /// `192.0.2.1`, `2001:db8:1:2::/64`; what is no address stands for itself.
    public let description: String

    /// - Parameter address: numeric, without port and zone, as a socket tells it.
    public init(_ address: String) {
        guard address.utf8.contains(UInt8(ascii: ":")) else {
            description = address
            return
        }
        let halves = address.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
        var groups = halves[0].split(separator: ":").map(String.init)
        if halves.count == 2 {
            let tail = halves[1].split(separator: ":").map(String.init)
            groups += Array(repeating: "0", count: max(0, 8 - groups.count - tail.count)) + tail
        }
        description = groups.prefix(4).joined(separator: ":") + "::/64"
    }
}
