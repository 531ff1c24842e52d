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

/// Splits a field into words and specials, and words into mailboxes: one pass, no backtracking.
private struct AddressParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: MessageLimits
    private var position = 0
    private var entries: [AddressList.Entry] = []
    private var isInGroup = false
    private static let maximumCommentDepth = 16

    init(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// What has been gathered since the last comma.
    private struct Pending {
        var words: [UInt8] = []
        var comment: [UInt8]?
        /// Inside or behind `<…>`.
        var angle: [UInt8]?
        /// The `@` that separates local part and domain, in `words`.
        var at: Int?
        var isEmpty: Bool { words.isEmpty && angle == nil }
    }

    mutating func parse() -> [AddressList.Entry] {
        var pending = Pending()
        var spaceBefore = false
        while position < bytes.count, entries.count < limits.maximumAddresses {
            let byte = bytes[position]
            switch byte {
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
            case UInt8(ascii: "<") where pending.angle == nil:
                pending.angle = angle()
            case UInt8(ascii: "("):
                let comment = comment()
                if pending.comment == nil { pending.comment = comment }
                spaceBefore = true
                continue
            case UInt8(ascii: "\""):
                separate(&pending, spaceBefore)
                let text = quoted()
                pending.words += text
            case UInt8(ascii: "@"):
                if pending.at == nil { pending.at = pending.words.count }
                pending.words.append(byte)
                position += 1
            case 0...0x20:
                spaceBefore = true
                position += 1
                continue
            default:
                separate(&pending, spaceBefore)
                while position < bytes.count, !Self.isSpecial(bytes[position]) {
                    pending.words.append(bytes[position])
                    position += 1
                }
                if position < bytes.count, bytes[position] == UInt8(ascii: ":"),
                    isInGroup || pending.at != nil || pending.angle != nil
                {
                    pending.words.append(bytes[position])
                    position += 1
                }
                if position < bytes.count, bytes[position] == UInt8(ascii: ">") { position += 1 }
            }
            spaceBefore = false
        }
        finish(&pending)
        if isInGroup { entries.append(.groupEnd) }
        return entries
    }

    /// Words of a name are separated by one space; around the `@` and dots of an address spaces are obsolete and vanish.
    private func separate(_ pending: inout Pending, _ spaceBefore: Bool) {
        guard spaceBefore, let last = pending.words.last, last != UInt8(ascii: "@"), last != UInt8(ascii: "."),
            pending.at == nil,
            bytes[position] != UInt8(ascii: ".")
        else { return }
        pending.words.append(ASCII.space)
    }

    private mutating func finish(_ pending: inout Pending) {
        defer { pending = Pending() }
        guard !pending.isEmpty else { return }
        if let angle = pending.angle {
            let name = pending.words.isEmpty ? pending.comment : pending.words
            entries.append(Self.mailbox(angle, name: name))
        } else {
            let at = pending.at
            let local = at.map { Array(pending.words[..<$0]) } ?? pending.words
            let domain = at.map { Array(pending.words[($0 + 1)...]) } ?? []
            entries.append(.mailbox(name: pending.comment, route: nil, local: local, domain: domain))
        }
    }

    /// `@a,@b:local@domain` without the brackets.
    private static func mailbox(_ text: [UInt8], name: [UInt8]?) -> AddressList.Entry {
        var rest = text[...]
        var route: [UInt8]?
        if rest.first == UInt8(ascii: "@"), let colon = rest.firstIndex(of: UInt8(ascii: ":")) {
            route = Array(rest[..<colon])
            rest = rest[(colon + 1)...]
        }
        guard let at = rest.lastIndex(of: UInt8(ascii: "@")) else {
            return .mailbox(name: name, route: route, local: Array(rest), domain: [])
        }
        return .mailbox(name: name, route: route, local: Array(rest[..<at]), domain: Array(rest[(at + 1)...]))
    }

    private mutating func angle() -> [UInt8] {
        position += 1
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: ">") {
            switch bytes[position] {
            case UInt8(ascii: "\""): text += quoted()
            case UInt8(ascii: "("): _ = comment()
            case 0...0x20: position += 1
            default:
                text.append(bytes[position])
                position += 1
            }
        }
        position = min(position + 1, bytes.count)
        return text
    }

    private mutating func quoted() -> [UInt8] {
        position += 1
        var text: [UInt8] = []
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
            if bytes[position] != ASCII.carriageReturn, bytes[position] != ASCII.lineFeed {
                text.append(bytes[position])
            }
            position += 1
        }
        position = min(position + 1, bytes.count)
        return text
    }

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
        } while position < bytes.count && depth > 0 && depth <= Self.maximumCommentDepth
        return text
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "("),
            UInt8(ascii: "\""), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}
