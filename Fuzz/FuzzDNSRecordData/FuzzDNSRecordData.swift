import DNSProtocol
import FuzzSupport
import MartletCore

/// Data of records as a resolver gives it. What was read is written back as it was, on the wire and as text.
///
/// The first octet chooses the type; the rest is the data, which also serves as an address and as its literal.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDNSRecordData(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let types = DNSRecordType.allCases
    let type = types[Int(input.mode()) % types.count]
    let bytes = input.rest
    check(address: bytes)
    guard let record = try? DNSRecordData.parse(type, bytes) else { return 0 }
    require(record.type == type, "data has the type that was asked for")
    // Names keep their case, tags do not.
    if type != .caa { require(record.wireForm == bytes, "data is written as it was read") }
    require((try? DNSRecordData.parse(type, record.wireForm)) == record, "data reads as it was written")
    require(record.description.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "text is printable")
    check(names(in: record))
    // Zone files take times as RFC 2181 §8 bounds them; on the wire they are any 32 bits.
    if case .soa(let authority) = record,
        [authority.refresh, authority.retry, authority.expire, authority.minimum].contains(where: { $0 > 0x7FFF_FFFF })
    {
        return 0
    }
    let text = "x.test. 60 IN \(type.name) \(record)\n"
    guard let zone = try? ZoneFile.parse(Array(text.utf8)) else { broken("the text can stand in a zone file") }
    require(zone.records.map(\.data) == [record], "the text reads as it was written")
    return 0
}

/// A name that is a host's is the same again.
func check(_ names: [DNSName]) {
    for name in names {
        guard let domain = name.domain else { continue }
        require(DNSName(domain) == name, "a host's name is a name")
    }
}

func names(in data: DNSRecordData) -> [DNSName] {
    switch data {
    case .ns(let name), .cname(let name), .ptr(let name), .mx(_, let name), .srv(_, _, _, let name): [name]
    case .soa(let authority): [authority.primary, authority.responsible]
    case .a, .aaaa, .txt, .tlsa, .caa: []
    }
}

func check(address bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    _ = IPAddress(literal: text)
    for address in [IPAddress(octets: bytes), IPAddress(text)].compactMap({ $0 }) {
        require(IPAddress(address.description) == address, "an address reads as it was written")
        require(address.unmapped.unmapped == address.unmapped, "an address is mapped once")
        require(!address.isLoopback || address.isUnicast, "loopback is a host")
    }
}

@_cdecl("FuzzDNSRecordData_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzDNSRecordData($0, $1) }
}
