/// The purpose of a mailbox (RFC 6154 §2).
public enum SpecialUse: String, Sendable, Hashable, CaseIterable {
    case all = "\\All"
    case archive = "\\Archive"
    case drafts = "\\Drafts"
    case flagged = "\\Flagged"
    case junk = "\\Junk"
    case sent = "\\Sent"
    case trash = "\\Trash"
}

/// A mailbox as its own row says it: name, numbers and counters. Costs the same for ten messages and ten million.
public struct MailboxInfo: Sendable, Hashable {
    public var key: MailboxKey
    /// UTF-8 in NFC with `/` between levels; `INBOX` in capitals.
    public var name: String
    public var uidValidity: UInt32
    public var uidNext: UInt32
    public var highestModSeq: ModSeq
    public var messages: Int
    public var unseen: Int
    /// Messages with \Deleted (STATUS DELETED).
    public var deleted: Int
    /// Octets of all messages.
    public var size: Int64
    public var subscribed: Bool
    public var specialUse: SpecialUse?
    /// Names of keyword bits, see `Flags`.
    public var keywords: [String]

    public init(
        key: MailboxKey, name: String, uidValidity: UInt32, uidNext: UInt32, highestModSeq: ModSeq, messages: Int,
        unseen: Int, deleted: Int,
        size: Int64, subscribed: Bool, specialUse: SpecialUse?, keywords: [String]
    ) {
        self.key = key
        self.name = name
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.highestModSeq = highestModSeq
        self.messages = messages
        self.unseen = unseen
        self.deleted = deleted
        self.size = size
        self.subscribed = subscribed
        self.specialUse = specialUse
        self.keywords = keywords
    }
}

/// The mailboxes that every account has from its first moment on.
public let standardMailboxes: [(name: String, use: SpecialUse?)] = [
    ("INBOX", nil), ("Sent", .sent), ("Drafts", .drafts), ("Junk", .junk), ("Trash", .trash), ("Archive", .archive),
]
