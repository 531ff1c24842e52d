/// The records of one zone, as an authoritative server looks them up (RFC 1034 §4.3.2, RFC 4592).
struct Zone: Sendable {
    /// Records of one name and type.
    struct RecordSet: Sendable {
        /// The smallest of the records (RFC 2181 §5.2).
        var ttl: UInt32
        /// In the order of the file, none twice.
        var data: [DNSRecordData]
    }

    enum Finding {
        case records(RecordSet)
        case alias(DNSName, ttl: UInt32)
        case noSuchRecords(ttl: UInt32)
        case noSuchName(ttl: UInt32)
        /// In no zone that is here: an NS record below the apex delegates it.
        case elsewhere(ttl: UInt32)
    }

    /// How long an answer that there is nothing is kept where no SOA says it.
    static let defaultNegativeTTL: UInt32 = 60

    let apex: DNSName
    private var nodes: [DNSName: [DNSRecordType: RecordSet]] = [:]
    /// Every name that exists: owners, and the empty non-terminals above them (RFC 4592 §2.2.2).
    private var names: Set<DNSName>
    private var negativeTTL = Zone.defaultNegativeTTL

    init(apex: DNSName) {
        self.apex = apex
        names = [apex]
    }

    /// - Precondition: the owner is the apex or below it.
    mutating func add(_ record: DNSRecord) {
        precondition(record.name.isEqualToOrBelow(apex), "a zone holds what is at or below its apex")
        if case .soa(let authority) = record.data, record.name == apex {
            // RFC 2308 §5.
            negativeTTL = min(record.ttl, authority.minimum)
        }
        let type = record.data.type
        var set = nodes[record.name]?[type] ?? RecordSet(ttl: record.ttl, data: [])
        set.ttl = min(set.ttl, record.ttl)
        if !set.data.contains(record.data) { set.data.append(record.data) }
        nodes[record.name, default: [:]][type] = set
        var name: DNSName? = record.name
        while let present = name, names.insert(present).inserted { name = present.parent }
    }

    /// - Parameter name: the apex or below it.
    func find(_ name: DNSName, _ type: DNSRecordType) -> Finding {
        var closest = apex
        for depth in (apex.labels.count...max(apex.labels.count, name.labels.count)).dropFirst() {
            let ancestor = DNSName(unchecked: Array(name.labels.suffix(depth)))
            guard names.contains(ancestor) else {
                // The source of synthesis lies below the closest encloser (RFC 4592 §3.3.1).
                guard let wildcard = closest.wildcard, names.contains(wildcard) else {
                    return .noSuchName(ttl: negativeTTL)
                }
                return find(type, at: wildcard)
            }
            if let delegation = nodes[ancestor]?[.ns] { return .elsewhere(ttl: delegation.ttl) }
            closest = ancestor
        }
        return find(type, at: name)
    }

    private func find(_ type: DNSRecordType, at name: DNSName) -> Finding {
        guard let node = nodes[name] else { return .noSuchRecords(ttl: negativeTTL) }
        if let set = node[type] { return .records(set) }
        if let set = node[.cname], case .cname(let target)? = set.data.first { return .alias(target, ttl: set.ttl) }
        return .noSuchRecords(ttl: negativeTTL)
    }
}
