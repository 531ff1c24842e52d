/// FETCH and UID FETCH (RFC 9051 §6.4.5) with modifiers (RFC 7162 §3.1.4).
public struct FetchCommand: Sendable, Equatable {
    public var set: SequenceSet
    public var uid: Bool
    /// In the order asked for, macros expanded, UID not added: `UID FETCH` answers with UID anyway.
    public var items: [FetchItem]
    public var changedSince: UInt64?
    /// QRESYNC's VANISHED modifier; parsed, not advertised yet.
    public var vanished: Bool
    public init(set: SequenceSet, uid: Bool, items: [FetchItem], changedSince: UInt64? = nil, vanished: Bool = false) {
        self.set = set
        self.uid = uid
        self.items = items
        self.changedSince = changedSince
        self.vanished = vanished
    }
}

/// A data item of FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 3516 §4).
public enum FetchItem: Sendable, Equatable {
    case uid
    case flags
    case internalDate
    /// `RFC822.SIZE`
    case size
    case envelope
    /// `BODY` without a section: BODYSTRUCTURE without extension data.
    case body
    case bodyStructure
    case modSeq
    /// RFC 3501 only. Answered as `RFC822`, sets \Seen.
    case rfc822
    /// RFC 3501 only. Does not set \Seen.
    case rfc822Header
    /// RFC 3501 only. Sets \Seen.
    case rfc822Text
    /// `BODY[section]<partial>`; without `peek` it sets \Seen.
    case section(SectionSpecifier, partial: PartialRange?, peek: Bool)
    /// `BINARY[part]<partial>`: content with its transfer encoding taken off.
    case binary(part: [UInt32], partial: PartialRange?, peek: Bool)
    case binarySize(part: [UInt32])
    // Parsed and not advertised: `IMAPSession` refuses them (RFC 8474, 8514, 8970).
    case emailID
    case threadID
    case saveDate
    case preview(lazy: Bool)

    /// Whether fetching it sets \Seen (RFC 9051 §6.4.5).
    public var setsSeen: Bool {
        switch self {
        case .section(_, _, let peek), .binary(_, _, let peek): !peek
        case .rfc822, .rfc822Text: true
        default: false
        }
    }

    /// Whether the answers to both are the same octets: PEEK makes no difference to them.
    public func isAnswered(like other: FetchItem) -> Bool {
        switch (self, other) {
        case (.section(let one, let range, _), .section(let two, let otherRange, _)): one == two && range == otherRange
        case (.binary(let one, let range, _), .binary(let two, let otherRange, _)): one == two && range == otherRange
        default: self == other
        }
    }

    /// FAST, ALL and FULL (RFC 9051 §6.4.5).
    public static let fast: [FetchItem] = [.flags, .internalDate, .size]
    public static let all: [FetchItem] = [.flags, .internalDate, .size, .envelope]
    public static let full: [FetchItem] = [.flags, .internalDate, .size, .envelope, .body]
}

/// What stands between the brackets of `BODY[…]` (RFC 9051 §6.4.5.1).
public struct SectionSpecifier: Sendable, Equatable {
    public enum Text: Sendable, Equatable {
        /// The whole message or part.
        case whole
        case header
        /// Field names as the client wrote them: the answer repeats them.
        case headerFields([String])
        case headerFieldsNot([String])
        case text
        /// Only with a part.
        case mime
    }
    /// `1.2.3`; empty means the message itself.
    public var part: [UInt32]
    public var text: Text
    public init(part: [UInt32] = [], text: Text = .whole) {
        self.part = part
        self.text = text
    }
}

/// `<offset.length>` (RFC 9051 §6.4.5).
public struct PartialRange: Sendable, Equatable {
    public var offset: UInt64
    /// At least 1.
    public var length: UInt64
    public init(offset: UInt64, length: UInt64) {
        self.offset = offset
        self.length = length
    }

    /// The part of `0..<size` that is meant; empty when it begins behind the end (RFC 9051 §6.4.5).
    public func range(inSize size: Int) -> Range<Int> {
        guard size > 0, offset < UInt64(size) else { return 0..<0 }
        let start = Int(offset)
        let rest = size - start
        return start..<(length < UInt64(rest) ? start + Int(length) : size)
    }
}
