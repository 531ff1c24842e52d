public import MartletCore

extension DNSName {
    /// Every `Domain` is a name: its labels have 1 to 63 octets, 253 in all with the dots.
    public init(_ domain: Domain) {
        self.init(unchecked: domain.ascii.utf8.split(separator: UInt8(ascii: ".")).map { Array($0) })
    }

    /// This name as a host name; nil where a label holds what host names do not, and for the root.
    public var domain: Domain? {
        guard !labels.isEmpty, labels.allSatisfy({ $0.allSatisfy { $0 < 0x80 && $0 != UInt8(ascii: ".") } }) else {
            return nil
        }
        return Domain(labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
    }

    /// The name one label up; nil for the root.
    var parent: DNSName? { labels.isEmpty ? nil : DNSName(unchecked: Array(labels.dropFirst())) }

    /// `*` below this name; nil when that is too long (RFC 4592 §2.1.1).
    var wildcard: DNSName? { DNSName(labels: [[UInt8(ascii: "*")]] + labels) }
}
