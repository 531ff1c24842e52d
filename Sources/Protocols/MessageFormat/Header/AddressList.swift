internal import MartletBytes

/// The addresses of a field such as From or To (RFC 5322 §3.4, obsolete forms of §4.4, UTF-8 of RFC 6532).
///
/// Lenient: what is no address becomes an entry that shows the text, so that an ENVELOPE tells what stands there.
public struct AddressList: Sendable, Hashable {
    /// One entry. Bytes are raw: encoded words are not decoded, quoting and comments are undone.
    public enum Entry: Sendable, Hashable {
        /// `name <route:local@domain>`; each part nil when absent.
        case mailbox(name: [UInt8]?, route: [UInt8]?, local: [UInt8], domain: [UInt8])
        case groupStart(name: [UInt8])
        case groupEnd
    }

    public var entries: [Entry]

    /// Mailboxes only, as `local@domain` text where both are there.
    public var mailboxes: [String] {
        entries.compactMap {
            guard case .mailbox(_, _, let local, let domain) = $0, !local.isEmpty, !domain.isEmpty else { return nil }
            return Charset.decodeUnlabelled(local) + "@" + Charset.decodeUnlabelled(domain)
        }
    }

    public static func parse(_ value: [UInt8], limits: MessageLimits = .default) -> AddressList {
        value.withUnsafeBytes { parse($0, limits: limits) }
    }

    public static func parse(_ value: UnsafeRawBufferPointer, limits: MessageLimits = .default) -> AddressList {
        var parser = AddressParser(value, limits: limits)
        return AddressList(entries: parser.parse())
    }
}

/// Splits a field into words and specials, and words into mailboxes: one pass, no backtracking. Each turn of each loop takes at
/// least one octet.
private struct AddressParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: MessageLimits
    private var position = 0
    private var entries: [AddressList.Entry] = []
    private var isInGroup = false
    private var spaceBefore = false

    init(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// An `addr-spec` or the inside of `<…>` as octets, with the places of what separates its parts.
    private struct Spec {
        var text: [UInt8] = []
        /// The last `@` that stands in no quotes.
        var at: Int?
        /// The `:` that ends a source route (RFC 5322 §4.4 obs-route).
        var routeEnd: Int?
    }

    /// What has been gathered since the last comma.
    private struct Pending {
        var words: [UInt8] = []
        /// Places in `words` where a space stands between two words: obsolete ones around `.` and `@` vanish from an address.
        var gaps: [Int] = []
        var comment: [UInt8]?
        /// What stood in `<…>`.
        var angle: Spec?
        /// The `@` that separates local part and domain, in `words`.
        var at: Int?
        var isEmpty: Bool { words.isEmpty && angle == nil }
    }

    mutating func parse() -> [AddressList.Entry] {
        var pending = Pending()
        while position < bytes.count, entries.count < limits.maximumAddresses {
            let byte = bytes[position]
            switch byte {
            case 0...0x20:
                position += 1
                spaceBefore = true
                continue
            case UInt8(ascii: "("):
                let comment = comment()
                if pending.comment == nil { pending.comment = comment }
                spaceBefore = true
                continue
            case UInt8(ascii: ","):
                finish(&pending)
                position += 1
            case UInt8(ascii: ";"):
                finish(&pending)
                if isInGroup { entries.append(.groupEnd) }
                isInGroup = false
                position += 1
            case UInt8(ascii: ":") where !isInGroup && pending.angle == nil && pending.at == nil:
                entries.append(.groupStart(name: pending.words))
                pending = Pending()
                isInGroup = true
                position += 1
            case UInt8(ascii: "<"):
                // A second one: the comma between is missing.
                if pending.angle != nil { finish(&pending) }
                pending.angle = angle()
            case UInt8(ascii: ">"):
                position += 1
            case UInt8(ascii: "\""):
                separate(&pending)
                quoted(into: &pending.words)
            default:
                separate(&pending)
                if byte == UInt8(ascii: "@"), pending.at == nil { pending.at = pending.words.count }
                repeat {
                    pending.words.append(bytes[position])
                    position += 1
                } while position < bytes.count && !Self.isSpecial(bytes[position])
            }
            spaceBefore = false
        }
        finish(&pending)
        if isInGroup { entries.append(.groupEnd) }
        return entries
    }

    /// Words are separated by one space, however much stood between them.
    private func separate(_ pending: inout Pending) {
        guard spaceBefore, !pending.words.isEmpty else { return }
        pending.gaps.append(pending.words.count)
        pending.words.append(ASCII.space)
    }

    private mutating func finish(_ pending: inout Pending) {
        defer { pending = Pending() }
        guard !pending.isEmpty else { return }
        if let angle = pending.angle {
            let name = pending.words.isEmpty ? pending.comment : pending.words
            entries.append(Self.mailbox(angle, name: name))
        } else {
            let spec = Self.compacted(pending)
            entries.append(Self.mailbox(spec, name: pending.comment))
        }
    }

    /// The words of an address without the spaces that obsolete syntax allows around `.` and `@`; of other text, the words.
    private static func compacted(_ pending: Pending) -> Spec {
        guard let at = pending.at else { return Spec(text: pending.words) }
        var spec = Spec()
        spec.text.reserveCapacity(pending.words.count)
        var gaps = pending.gaps[...]
        for (index, byte) in pending.words.enumerated() {
            if index == at { spec.at = spec.text.count }
            if index == gaps.first {
                gaps.removeFirst()
                // A word follows each gap.
                if index > at || isJoint(spec.text.last) || isJoint(pending.words[index + 1]) { continue }
            }
            spec.text.append(byte)
        }
        return spec
    }

    private static func isJoint(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: "@") }

    private static func mailbox(_ spec: Spec, name: [UInt8]?) -> AddressList.Entry {
        let route = spec.routeEnd.map { Array(spec.text[..<$0]) }
        let start = spec.routeEnd.map { $0 + 1 } ?? 0
        guard let at = spec.at, at >= start else {
            return .mailbox(name: name, route: route, local: Array(spec.text[start...]), domain: [])
        }
        return .mailbox(
            name: name, route: route, local: Array(spec.text[start..<at]), domain: Array(spec.text[(at + 1)...]))
    }

    /// `<@a,@b:local@domain>`. Without a `>` it ends at the comma, so that one slip does not swallow the list.
    private mutating func angle() -> Spec {
        position += 1
        var spec = Spec()
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: ">"):
                position += 1
                return spec
            case UInt8(ascii: ","), UInt8(ascii: ";"):
                if spec.text.first != UInt8(ascii: "@") || spec.routeEnd != nil { return spec }
                spec.text.append(byte)
            case UInt8(ascii: "\""):
                quoted(into: &spec.text)
                continue
            case UInt8(ascii: "("):
                _ = comment()
                continue
            case 0...0x20, UInt8(ascii: "<"): break
            case UInt8(ascii: ":") where spec.text.first == UInt8(ascii: "@") && spec.routeEnd == nil:
                spec.routeEnd = spec.text.count
                spec.text.append(byte)
            case UInt8(ascii: "@"):
                spec.at = spec.text.count
                spec.text.append(byte)
            default: spec.text.append(byte)
            }
            position += 1
        }
        return spec
    }

    /// A quoted string without its quotes and backslashes (RFC 5322 §3.2.4).
    private mutating func quoted(into text: inout [UInt8]) {
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
            if bytes[position] != ASCII.carriageReturn, bytes[position] != ASCII.lineFeed {
                text.append(bytes[position])
            }
            position += 1
        }
        position = min(position + 1, bytes.count)
    }

    /// A comment without its outer parentheses (RFC 5322 §3.2.2), up to `MessageLimits.maximumCommentDepth` inside each other.
    private mutating func comment() -> [UInt8] {
        var depth = 0
        var text: [UInt8] = []
        repeat {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "("):
                if depth > 0 { text.append(byte) }
                depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth > 0 { text.append(byte) }
            case UInt8(ascii: "\\") where position + 1 < bytes.count:
                position += 1
                text.append(bytes[position])
            case ASCII.carriageReturn, ASCII.lineFeed: break
            default: text.append(byte)
            }
            position += 1
        } while position < bytes.count && depth > 0 && depth <= limits.maximumCommentDepth
        return text
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "("), UInt8(ascii: "\""), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}
