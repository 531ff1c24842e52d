/// Why the data of a record is not of its type.
public enum DNSWireError: Error, Sendable, Hashable {
    /// Ends before its fields do.
    case truncated
    /// Goes on behind its last field.
    case trailingBytes
    /// A name is too long, or has labels of a kind that stands in no record's data, such as a compression pointer.
    case badName
    /// A field has a value that its type does not allow.
    case badValue

    /// Continues "its data".
    public var summary: String {
        switch self {
        case .truncated: "ends too early"
        case .trailingBytes: "is too long"
        case .badName: "holds a malformed name"
        case .badValue: "has a value that its type does not allow"
        }
    }
}

/// Takes fields from the data of a record, one by one.
struct DNSWireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() throws(DNSWireError) -> UInt8 {
        guard let byte = rest.popFirst() else { throw .truncated }
        return byte
    }

    mutating func uint16() throws(DNSWireError) -> UInt16 { UInt16(try byte()) << 8 | UInt16(try byte()) }

    mutating func uint32() throws(DNSWireError) -> UInt32 { UInt32(try uint16()) << 16 | UInt32(try uint16()) }

    mutating func bytes(_ count: Int) throws(DNSWireError) -> [UInt8] {
        guard rest.count >= count else { throw .truncated }
        let bytes = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return bytes
    }

    mutating func remaining() -> [UInt8] {
        let bytes = Array(rest)
        rest = rest.suffix(0)
        return bytes
    }

    /// A character-string: a length octet and as many octets (RFC 1035 §3.3).
    mutating func string() throws(DNSWireError) -> [UInt8] { try bytes(Int(try byte())) }

    /// A name in full: data that a resolver gives has no compression (RFC 3597 §4).
    mutating func name() throws(DNSWireError) -> DNSName {
        var labels: [[UInt8]] = []
        // 127 labels of one octet and the root's are the most that 255 octets hold.
        while labels.count <= DNSName.maximumLength / 2 {
            let length = try byte()
            if length == 0 {
                guard let name = DNSName(labels: labels) else { throw .badName }
                return name
            }
            guard length <= DNSName.maximumLabel else { throw .badName }
            labels.append(try bytes(Int(length)))
        }
        throw .badName
    }
}
