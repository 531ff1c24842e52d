/// A resource record of class IN (RFC 1035 §3.2).
public struct DNSRecord: Sendable, Hashable {
    public var name: DNSName
    /// Seconds, at most 2³¹ - 1 (RFC 2181 §8).
    public var ttl: UInt32
    public var data: DNSRecordData
    public init(name: DNSName, ttl: UInt32, data: DNSRecordData) {
        self.name = name
        self.ttl = ttl
        self.data = data
    }
}

/// The types of records that are understood, with their numbers (IANA, DNS parameters).
public enum DNSRecordType: UInt16, Sendable, Hashable, CaseIterable {
    case a = 1
    case ns = 2
    case cname = 5
    case soa = 6
    case ptr = 12
    case mx = 15
    case txt = 16
    case aaaa = 28
    case srv = 33
    case tlsa = 52
    case caa = 257

    /// As master files write it.
    public var name: String { "\(self)".uppercased() }

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })

    /// - Parameter name: in any case.
    public init?(name: String) {
        guard let type = DNSRecordType.byName[name.uppercased()] else { return nil }
        self = type
    }
}

/// What a record says.
public enum DNSRecordData: Sendable, Hashable {
    /// 4 octets (RFC 1035 §3.4.1).
    case a([UInt8])
    /// 16 octets (RFC 3596 §2.2).
    case aaaa([UInt8])
    case ns(DNSName)
    case cname(DNSName)
    case ptr(DNSName)
    case soa(StartOfAuthority)
    /// RFC 1035 §3.3.9; RFC 7505: exchange `.` takes no mail.
    case mx(preference: UInt16, exchange: DNSName)
    /// One or more strings of at most 255 octets (RFC 1035 §3.3.14).
    case txt([[UInt8]])
    /// RFC 2782.
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    /// RFC 6698 §2.1.
    case tlsa(usage: UInt8, selector: UInt8, matchingType: UInt8, data: [UInt8])
    /// RFC 8659 §4.
    case caa(flags: UInt8, tag: String, value: [UInt8])

    /// RFC 1035 §3.3.13. Times in seconds.
    public struct StartOfAuthority: Sendable, Hashable {
        public var primary: DNSName
        /// The mailbox, its `@` as a dot.
        public var responsible: DNSName
        public var serial: UInt32
        public var refresh: UInt32
        public var retry: UInt32
        public var expire: UInt32
        /// How long the answer that there is no such name may be kept (RFC 2308 §4).
        public var minimum: UInt32
    }

    public var type: DNSRecordType {
        switch self {
        case .a: .a
        case .aaaa: .aaaa
        case .ns: .ns
        case .cname: .cname
        case .ptr: .ptr
        case .soa: .soa
        case .mx: .mx
        case .txt: .txt
        case .srv: .srv
        case .tlsa: .tlsa
        case .caa: .caa
        }
    }
}
