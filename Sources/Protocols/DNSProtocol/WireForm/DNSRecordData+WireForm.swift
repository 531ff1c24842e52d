internal import MartletBytes

extension DNSRecordData {
    /// Reads the data of a record as it stands in an answer, names in full (RFC 1035 §3.3, RFC 3597 §4).
    ///
    /// - Parameters:
    ///   - type: of the record; `rdata` does not say it.
    ///   - rdata: behind RDLENGTH.
    public static func parse(_ type: DNSRecordType, _ rdata: [UInt8]) throws(DNSWireError) -> DNSRecordData {
        var reader = DNSWireReader(rdata)
        let data = try read(type, &reader)
        guard reader.isAtEnd else { throw .trailingBytes }
        return data
    }

    private static func read(_ type: DNSRecordType, _ reader: inout DNSWireReader) throws(DNSWireError)
        -> DNSRecordData
    {
        switch type {
        case .a: return .a(try reader.bytes(4))
        case .aaaa: return .aaaa(try reader.bytes(16))
        case .ns: return .ns(try reader.name())
        case .cname: return .cname(try reader.name())
        case .ptr: return .ptr(try reader.name())
        case .mx: return .mx(preference: try reader.uint16(), exchange: try reader.name())
        case .txt:
            // As many as 65,535 octets of data hold.
            var strings: [[UInt8]] = []
            repeat { strings.append(try reader.string()) } while !reader.isAtEnd
            return .txt(strings)
        case .soa:
            return .soa(
                StartOfAuthority(
                    primary: try reader.name(), responsible: try reader.name(), serial: try reader.uint32(),
                    refresh: try reader.uint32(), retry: try reader.uint32(), expire: try reader.uint32(),
                    minimum: try reader.uint32()))
        case .srv:
            return .srv(
                priority: try reader.uint16(), weight: try reader.uint16(), port: try reader.uint16(),
                target: try reader.name())
        case .tlsa:
            let usage = try reader.byte()
            let selector = try reader.byte()
            let matchingType = try reader.byte()
            guard !reader.isAtEnd else { throw .truncated }
            return .tlsa(usage: usage, selector: selector, matchingType: matchingType, data: reader.remaining())
        case .caa:
            let flags = try reader.byte()
            let tag = try reader.string()
            // RFC 8659 §4.1: letters and digits, at least one, compared without case.
            guard !tag.isEmpty, tag.allSatisfy({ ASCII.isLetter($0) || ASCII.isDigit($0) }) else { throw .badValue }
            return .caa(
                flags: flags, tag: String(decoding: ASCII.lowercased(tag), as: UTF8.self), value: reader.remaining())
        }
    }

    /// As it stands in an answer, names in full.
    ///
    /// - Precondition: addresses have 4 and 16 octets, strings at most 255; whatever was read has.
    public var wireForm: [UInt8] {
        switch self {
        case .a(let octets), .aaaa(let octets): octets
        case .ns(let name), .cname(let name), .ptr(let name): name.wireForm
        case .mx(let preference, let exchange): preference.octets + exchange.wireForm
        case .txt(let strings): strings.flatMap(DNSRecordData.wireForm)
        case .soa(let authority):
            authority.primary.wireForm + authority.responsible.wireForm
                + [authority.serial, authority.refresh, authority.retry, authority.expire, authority.minimum]
                .flatMap { UInt16(truncatingIfNeeded: $0 >> 16).octets + UInt16(truncatingIfNeeded: $0).octets }
        case .srv(let priority, let weight, let port, let target):
            priority.octets + weight.octets + port.octets + target.wireForm
        case .tlsa(let usage, let selector, let matchingType, let data): [usage, selector, matchingType] + data
        case .caa(let flags, let tag, let value): [flags] + DNSRecordData.wireForm(Array(tag.utf8)) + value
        }
    }

    private static func wireForm(_ string: [UInt8]) -> [UInt8] {
        precondition(string.count <= 255, "RFC 1035 §3.3: a character-string has at most 255 octets")
        return [UInt8(truncatingIfNeeded: string.count)] + string
    }
}

extension DNSName {
    /// Labels with their lengths, and the root's (RFC 1035 §3.1); in the case in which they were written.
    public var wireForm: [UInt8] { labels.flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 } + [0] }
}

extension UInt16 {
    /// In network order.
    fileprivate var octets: [UInt8] { [UInt8(self >> 8), UInt8(truncatingIfNeeded: self)] }
}
