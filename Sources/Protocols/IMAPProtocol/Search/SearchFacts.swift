public import MartletCore

/// What a mailbox's index knows of a message: enough for most keys, without reading anything.
public struct IndexFacts: Sendable {
    /// Place in the mailbox: sequence number less one.
    public var position: Int
    public var uid: UInt32
    /// The store's `Flags`: bits 0 to 4 as in `SystemFlags`, bit 5 + n is keyword n.
    public var flags: UInt64
    public var modSeq: Int64
    public var internalDate: Instant
    public var size: Int
    public var isRecent: Bool
    public init(
        position: Int, uid: UInt32, flags: UInt64, modSeq: Int64, internalDate: Instant, size: Int,
        isRecent: Bool = false
    ) {
        self.position = position
        self.uid = uid
        self.flags = flags
        self.modSeq = modSeq
        self.internalDate = internalDate
        self.size = size
        self.isRecent = isRecent
    }
}

/// What was computed at the door: decoded text of the usual fields, of each the first one and as far as it is kept.
public struct SummaryFacts: Sendable {
    public var subject: String
    public var from: String
    public var to: String
    public var cc: String
    public var bcc: String
    /// With angle brackets.
    public var messageID: String?
    public var sentDate: Instant?
    public var sentZoneMinutes: Int
    /// Octets of a field's value of which the summary keeps the text; what is behind them is in the header only.
    public var keptOctets: Int
    public init(
        subject: String, from: String, to: String, cc: String, bcc: String, messageID: String?, sentDate: Instant?,
        sentZoneMinutes: Int, keptOctets: Int = 16_384
    ) {
        self.subject = subject
        self.from = from
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.messageID = messageID
        self.sentDate = sentDate
        self.sentZoneMinutes = sentZoneMinutes
        self.keptOctets = keptOctets
    }
}

/// The header's fields, unfolded and decoded (RFC 2047), in order.
public struct HeaderFacts: Sendable {
    public var fields: [(name: String, value: String)]
    public init(fields: [(name: String, value: String)]) { self.fields = fields }
}

/// The text of the body's parts: transfer encodings taken off, charsets decoded, folded for comparison.
public struct TextFacts: Sendable {
    public var parts: [FoldedText]
    /// The MIME header fields of the parts, for TEXT: BODY does not look at them (RFC 9051 §6.4.4).
    public var partHeaders: [FoldedText]
    public init(parts: [FoldedText], partHeaders: [FoldedText] = []) {
        self.parts = parts
        self.partHeaders = partHeaders
    }
}

/// What must be known of a message, from cheap to dear.
public enum SearchTier: Int, Sendable, Comparable {
    case index
    case summary
    case header
    case text
    public static func < (left: SearchTier, right: SearchTier) -> Bool { left.rawValue < right.rawValue }
}

/// What evaluation says with what is known so far.
public enum SearchVerdict: Sendable, Equatable {
    case match
    case noMatch
    /// Undecided: evaluate again with facts of this tier as well.
    case needs(SearchTier)
}
