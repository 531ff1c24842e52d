internal import MartletBytes

/// A domain name as the DNS has it: labels of any octets (RFC 1035 §3.1), compared without regard to ASCII case (RFC 4343).
///
/// Always absolute. No value exists that is longer than the wire allows: labels of 1 to 63 octets, 255 in all (§2.3.4).
/// Mail's own names, which are host names, are `MartletCore.Domain`.
public struct DNSName: Sendable, Hashable, CustomStringConvertible {
    /// Octets of the longest label (RFC 1035 §2.3.4).
    public static let maximumLabel = 63
    /// Octets of the longest name on the wire, with its length octets and the root's.
    public static let maximumLength = 255

    public static let root = DNSName()

    /// From the most specific one to the top-level one, in the case in which they were written.
    public let labels: [[UInt8]]

    private init() { labels = [] }

    /// - Precondition: the bounds hold.
    init(unchecked labels: [[UInt8]]) { self.labels = labels }

    public init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...DNSName.maximumLabel).contains($0.count) }),
            labels.reduce(1, { $0 + 1 + $1.count }) <= DNSName.maximumLength
        else { return nil }
        self.labels = labels
    }

    /// Reads an absolute name, with or without its last dot, as master files write it: `mail.example.test.`, `a\.b.test`,
    /// `\065.test` (RFC 1035 §5.1). nil when it is none.
    public init?(_ text: String) {
        switch DNSName.parse(Array(text.utf8)[...]) {
        case .success(let parsed): self.init(labels: parsed.labels)
        case .failure: return nil
        }
    }

    /// This name below `origin`; nil when that is too long.
    public func appending(_ origin: DNSName) -> DNSName? { DNSName(labels: labels + origin.labels) }

    public func isEqualToOrBelow(_ other: DNSName) -> Bool {
        labels.count >= other.labels.count
            && zip(labels.suffix(other.labels.count), other.labels).allSatisfy { ASCII.equalsIgnoringCase($0, $1) }
    }

    public static func == (left: DNSName, right: DNSName) -> Bool {
        left.labels.count == right.labels.count && left.isEqualToOrBelow(right)
    }

    public func hash(into hasher: inout Hasher) {
        for label in labels { hasher.combine(ASCII.lowercased(label)) }
    }

    /// The master-file form with its last dot; `.` for the root.
    public var description: String {
        guard !labels.isEmpty else { return "." }
        var text: [UInt8] = []
        for label in labels {
            for byte in label {
                switch byte {
                case 0x21...0x7E:
                    if DNSName.needsBackslash(byte) { text.append(UInt8(ascii: "\\")) }
                    text.append(byte)
                default:
                    text.append(UInt8(ascii: "\\"))
                    text += [byte / 100, byte / 10 % 10, byte % 10].map { $0 + UInt8(ascii: "0") }
                }
            }
            text.append(UInt8(ascii: "."))
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func needsBackslash(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: ";"), UInt8(ascii: "@"), UInt8(ascii: "$"):
            true
        default: false
        }
    }

    /// Why a text is no name.
    enum ParseError: Error {
        case empty
        case emptyLabel
        case labelTooLong
        case tooLong
        case badEscape
        case notASCII

        var summary: String {
            switch self {
            case .empty: "is empty"
            case .emptyLabel: "has an empty label"
            case .labelTooLong: "has a label of more than \(DNSName.maximumLabel) octets"
            case .tooLong: "is longer than \(DNSName.maximumLength) octets"
            case .badEscape: "has a backslash that three digits or a character must follow"
            case .notASCII: "is not ASCII: write its A-labels (xn--…)"
            }
        }
    }

    /// The labels of a written name, and whether it ends with a dot.
    static func parse(_ text: ArraySlice<UInt8>) -> Result<(labels: [[UInt8]], isAbsolute: Bool), ParseError> {
        guard !text.isEmpty else { return .failure(.empty) }
        if text.elementsEqual([UInt8(ascii: ".")]) { return .success(([], true)) }
        var labels: [[UInt8]] = []
        var label: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."):
                guard !label.isEmpty else { return .failure(.emptyLabel) }
                labels.append(label)
                label = []
            case UInt8(ascii: "\\"):
                guard let escaped = unescape(&rest) else { return .failure(.badEscape) }
                label.append(escaped)
            case 0x80...: return .failure(.notASCII)
            default: label.append(byte)
            }
            guard label.count <= maximumLabel else { return .failure(.labelTooLong) }
        }
        let isAbsolute = label.isEmpty
        if !isAbsolute { labels.append(label) }
        return DNSName(labels: labels) == nil ? .failure(.tooLong) : .success((labels, isAbsolute))
    }

    /// What stands behind a backslash: `\DDD` is an octet, `\X` the character itself (RFC 1035 §5.1).
    static func unescape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let first = rest.popFirst() else { return nil }
        guard ASCII.isDigit(first) else { return first }
        guard rest.count >= 2 else { return nil }
        let digits = [first] + rest.prefix(2)
        rest = rest.dropFirst(2)
        return ASCII.number(digits, limit: 255).map { UInt8($0) }
    }
}
