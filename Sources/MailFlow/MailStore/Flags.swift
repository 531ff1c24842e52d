/// The flags of a message as a set of bits: the system flags (RFC 9051 §2.3.2) and the mailbox's keywords.
///
/// Bits 0 to 4 are system flags. Bit `5 + n` is the mailbox's keyword number `n`, whose name stands in
/// `MailboxInfo.keywords[n]`; 58 keywords a mailbox is the limit. `\Recent` of RFC 3501 is no stored flag.
public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let seen = Flags(rawValue: 1 << 0)
    public static let answered = Flags(rawValue: 1 << 1)
    public static let flagged = Flags(rawValue: 1 << 2)
    public static let deleted = Flags(rawValue: 1 << 3)
    public static let draft = Flags(rawValue: 1 << 4)
    public static let system: Flags = [.seen, .answered, .flagged, .deleted, .draft]

    /// Keywords that one mailbox can hold.
    public static let maximumKeywords = 58

    /// The bit of the mailbox's keyword number `index`, 0 to 57.
    public static func keyword(_ index: Int) -> Flags {
        precondition(index >= 0 && index < maximumKeywords, "a mailbox has 58 keywords at most")
        return Flags(rawValue: 1 << UInt64(5 + index))
    }

    /// The numbers of the keywords that are set, ascending.
    public var keywordIndices: [Int] {
        var rest = rawValue >> 5
        var indices: [Int] = []
        while rest != 0 {
            indices.append(rest.trailingZeroBitCount)
            rest &= rest - 1
        }
        return indices
    }
}

/// Flags as a client names them: system flags by bit, keywords by name. What APPEND and STORE ask for.
public struct NamedFlags: Sendable, Hashable {
    public var system: Flags
    /// As written by the client; compared without regard to ASCII case.
    public var keywords: [String]
    public init(system: Flags = [], keywords: [String] = []) {
        self.system = system.intersection(.system)
        self.keywords = keywords
    }
}

/// How STORE changes flags (RFC 9051 §6.4.6).
public enum FlagOperation: Sendable, Hashable {
    case replace(NamedFlags)
    case add(NamedFlags)
    case remove(NamedFlags)
}
