import DNSProtocol
import FuzzSupport

/// Zone files and names of the DNS. What was read can be written and read again; every mistake has its line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzZoneFile(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = FuzzInput(data, size).rest
    if let name = DNSName(String(decoding: bytes, as: UTF8.self)) { check(name) }
    guard let origin = DNSName("example.test.") else { broken("a name is a name") }
    do throws(ZoneFileErrors) {
        let zone = try ZoneFile.parse(bytes, origin: origin)
        for record in zone.records {
            check(record.name)
            require(record.ttl <= 0x7FFF_FFFF, "RFC 2181 §8")
            check(record.data)
        }
        // Names written in full are the same below any other origin.
        require(zone.records.count <= bytes.count, "a record has a line")
    } catch {
        let lines = bytes.count { $0 == 0x0A } + 1
        require((1...ZoneFile.maximumErrors).contains(error.errors.count), "mistakes are told, and bounded")
        require(
            error.errors.allSatisfy { (1...lines).contains($0.line) && !$0.problem.isEmpty }, "a mistake has its line")
    }
    return 0
}

func check(_ name: DNSName) {
    require(DNSName(name.description) == name, "a name reads as it was written")
    require(name.labels.allSatisfy { (1...DNSName.maximumLabel).contains($0.count) }, "RFC 1035 §2.3.4")
    require(name.labels.reduce(1) { $0 + 1 + $1.count } <= DNSName.maximumLength, "RFC 1035 §2.3.4")
    require(name.isEqualToOrBelow(name) && name.isEqualToOrBelow(.root), "all is below the root")
    // In a file, with a record of each kind that holds one name.
    let text = "\(name) 60 IN MX 10 \(name)\n"
    guard let zone = try? ZoneFile.parse(Array(text.utf8)) else { broken("a written name can stand in a file") }
    require(
        zone.records == [DNSRecord(name: name, ttl: 60, data: .mx(preference: 10, exchange: name))],
        "a record reads as it was written")
}

func check(_ data: DNSRecordData) {
    switch data {
    case .a(let octets): require(octets.count == 4, "4 octets")
    case .aaaa(let octets): require(octets.count == 16, "16 octets")
    case .ns(let name), .cname(let name), .ptr(let name), .mx(_, let name), .srv(_, _, _, let name): check(name)
    case .soa(let authority):
        check(authority.primary)
        check(authority.responsible)
    case .txt(let strings):
        require(!strings.isEmpty && strings.allSatisfy { $0.count <= 255 }, "RFC 1035 §3.3.14")
    case .tlsa(_, _, _, let data): require(!data.isEmpty, "data is there")
    case .caa(_, let tag, _): require((1...255).contains(tag.utf8.count), "RFC 8659 §4.1")
    }
}

@_cdecl("FuzzZoneFile_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzZoneFile($0, $1) }
}
