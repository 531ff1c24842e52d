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

/// What was computed at the door: decoded text of the usual fields.
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
    public init(
        subject: String, from: String, to: String, cc: String, bcc: String, messageID: String?, sentDate: Instant?,
        sentZoneMinutes: Int
    ) {
        self.subject = subject
        self.from = from
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.messageID = messageID
        self.sentDate = sentDate
        self.sentZoneMinutes = sentZoneMinutes
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
    public init(parts: [FoldedText]) { self.parts = parts }
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
