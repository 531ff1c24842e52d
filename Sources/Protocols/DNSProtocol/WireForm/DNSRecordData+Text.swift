internal import MartletBytes

extension DNSRecordData: CustomStringConvertible {
    /// The fields as a master file has them: `10 mx1.example.test.` (RFC 1035 §5.1). Printable ASCII, whatever was read.
    public var description: String {
        switch self {
        case .a(let octets), .aaaa(let octets):
            IPAddress(octets: octets)?.description ?? Hex.encode(octets)
        case .ns(let name), .cname(let name), .ptr(let name): name.description
        case .mx(let preference, let exchange): "\(preference) \(exchange)"
        case .txt(let strings): strings.map(DNSRecordData.quoted).joined(separator: " ")
        case .soa(let authority):
            "\(authority.primary) \(authority.responsible) \(authority.serial) \(authority.refresh) "
                + "\(authority.retry) \(authority.expire) \(authority.minimum)"
        case .srv(let priority, let weight, let port, let target): "\(priority) \(weight) \(port) \(target)"
        case .tlsa(let usage, let selector, let matchingType, let data):
            "\(usage) \(selector) \(matchingType) \(Hex.encode(data))"
        case .caa(let flags, let tag, let value): "\(flags) \(tag) \(DNSRecordData.quoted(value))"
        }
    }

    private static func quoted(_ string: [UInt8]) -> String {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        for byte in string {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0x20...0x7E: text.append(byte)
            default:
                text.append(UInt8(ascii: "\\"))
                text += [byte / 100, byte / 10 % 10, byte % 10].map { $0 + UInt8(ascii: "0") }
            }
        }
        return String(decoding: text + [UInt8(ascii: "\"")], as: UTF8.self)
    }
}
