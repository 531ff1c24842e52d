public import DNSProtocol

/// How questions to the DNS are answered.
public struct ResolverOptions: Sendable, Hashable {
    /// Who is asked for what is not in the cache.
    public enum Upstream: Sendable, Hashable {
        /// The DNS's own servers, from the root down.
        case recursive
        /// These resolvers; at least one.
        case forwarders([NameServer])
        /// The resolvers of `/etc/resolv.conf`.
        case system
    }

    /// A name server's address, with its port where that is not 53.
    public struct NameServer: Sendable, Hashable, CustomStringConvertible {
        public var address: IPAddress
        public var port: UInt16

        public init(_ address: IPAddress, port: UInt16 = 53) {
            self.address = address
            self.port = port
        }

        /// Reads `192.0.2.53`, `192.0.2.53@5353`, `2001:db8::53@5353`; nil when it is none of these.
        public init?(_ text: String) {
            let parts = text.split(separator: "@", omittingEmptySubsequences: false)
            guard let first = parts.first, parts.count <= 2, let address = IPAddress(String(first)) else { return nil }
            guard parts.count == 2 else {
                self.init(address)
                return
            }
            guard let port = UInt16(parts[1]), port > 0 else { return nil }
            self.init(address, port: port)
        }

        /// `192.0.2.53@53`
        public var description: String { "\(address)@\(port)" }
    }

    /// A zone whose authoritative servers are named here.
    public struct ZoneOverride: Sendable, Hashable {
        public var zone: DNSName
        public var servers: [NameServer]
        public init(zone: DNSName, servers: [NameServer]) {
            self.zone = zone
            self.servers = servers
        }
    }

    public var upstream: Upstream
    public var zones: [ZoneOverride]
    /// A file with DS or DNSKEY records in master-file form, such as Debian's `/usr/share/dns/root.key`. nil: nothing is
    /// validated, and no answer is `secure`.
    public var trustAnchorFile: String?
    /// Zones below a trust anchor that are taken without signatures.
    public var insecureZones: [DNSName]
    /// From the question to the answer; then it is `.timeout`.
    public var timeout: Duration
    /// Bytes for the cache's messages and records together.
    public var cacheSize: Int
    /// Name servers are asked by IPv6 too.
    public var usesIPv6: Bool

    public init(
        upstream: Upstream = .recursive, zones: [ZoneOverride] = [], trustAnchorFile: String? = nil,
        insecureZones: [DNSName] = [], timeout: Duration = .seconds(20), cacheSize: Int = 24 << 20,
        usesIPv6: Bool = true
    ) {
        self.upstream = upstream
        self.zones = zones
        self.trustAnchorFile = trustAnchorFile
        self.insecureZones = insecureZones
        self.timeout = timeout
        self.cacheSize = cacheSize
        self.usesIPv6 = usesIPv6
    }

    /// One of the servers is on this machine.
    var asksLoopback: Bool {
        let overrides = zones.flatMap(\.servers)
        return switch upstream {
        case .recursive: overrides.contains(where: \.address.isLoopback)
        case .forwarders(let servers): (servers + overrides).contains(where: \.address.isLoopback)
        // systemd-resolved and dnsmasq listen there.
        case .system: true
        }
    }
}

/// Why a resolver cannot be made, with what to do about it.
public struct ResolverSetupError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
}
