public import MartletCore

/// A message's place in a mailbox, without its content: one entry of the mailbox's index.
public struct MessageEntry: Sendable, Hashable {
    public var uid: UInt32
    public var flags: Flags
    public var modSeq: ModSeq
    /// IMAP's INTERNALDATE.
    public var internalDate: Instant
    /// Octets, delivery prefix included (RFC822.SIZE).
    public var size: Int

    public init(uid: UInt32, flags: Flags, modSeq: ModSeq, internalDate: Instant, size: Int) {
        self.uid = uid
        self.flags = flags
        self.modSeq = modSeq
        self.internalDate = internalDate
        self.size = size
    }
}

/// What was computed at the door and is kept in wire form, plus the text that SEARCH compares with.
public struct StoredSummary: Sendable, Hashable {
    /// IMAP ENVELOPE, parentheses included (RFC 9051 §7.5.2).
    public var envelope: [UInt8]
    /// IMAP BODYSTRUCTURE with extension data.
    public var bodyStructure: [UInt8]
    /// Decoded text of the fields, for SEARCH and sorting.
    public var subject: String
    public var from: String
    public var to: String
    public var cc: String
    public var bcc: String
    /// With angle brackets.
    public var messageID: String?
    /// The Date field as a moment; nil when it is absent or unreadable.
    public var sentDate: Instant?
    /// Minutes east of UTC in the Date field.
    public var sentZoneMinutes: Int
    /// At most 256 characters of decoded text.
    public var preview: String

    public init(
        envelope: [UInt8], bodyStructure: [UInt8], subject: String = "", from: String = "", to: String = "",
        cc: String = "", bcc: String = "",
        messageID: String? = nil, sentDate: Instant? = nil, sentZoneMinutes: Int = 0, preview: String = ""
    ) {
        self.envelope = envelope
        self.bodyStructure = bodyStructure
        self.subject = subject
        self.from = from
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.messageID = messageID
        self.sentDate = sentDate
        self.sentZoneMinutes = sentZoneMinutes
        self.preview = preview
    }
}

/// Bytes of a message that are on their way into the store: hashed once while they streamed in.
public struct SpooledMessage: Sendable, Hashable {
    public enum Place: Sendable, Hashable {
        case memory([UInt8])
        /// A file in the store's spool directory that belongs to this message and is removed after the commit.
        case file(path: String)
    }
    public var place: Place
    public var blob: BlobID
    /// Octets.
    public var size: Int
    public init(place: Place, blob: BlobID, size: Int) {
        self.place = place
        self.blob = blob
        self.size = size
    }
}

/// Takes the bytes of one message as they arrive. Small ones stay in memory, large ones go to a file: memory is bounded.
/// Not shared between tasks.
public protocol SpoolWriter: AnyObject {
    /// Octets so far.
    var size: Int { get }
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError)
    /// Ends the message.
    func finish() throws(StoreError) -> SpooledMessage
    /// Throws away what was written. Also done when the writer is released without `finish`.
    func discard()
}

/// A message's bytes for reading: the recipient's delivery prefix (Return-Path, Delivered-To) followed by the shared blob.
/// Reads verify checksums: bytes that fail are an error, never content.
public protocol MessageReading: Sendable {
    /// Octets, prefix included.
    var size: Int { get }
    /// Octets `range` of the message. `range` is clamped to the size.
    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8]
}

extension MessageReading {
    /// The whole message in memory.
    public func readAll() async throws(StoreError) -> [UInt8] { try await read(0..<size) }
}

/// A message for APPEND.
public struct AppendedMessage: Sendable {
    public var content: SpooledMessage
    public var summary: StoredSummary
    public var flags: NamedFlags
    public var internalDate: Instant
    public init(content: SpooledMessage, summary: StoredSummary, flags: NamedFlags, internalDate: Instant) {
        self.content = content
        self.summary = summary
        self.flags = flags
        self.internalDate = internalDate
    }
}
