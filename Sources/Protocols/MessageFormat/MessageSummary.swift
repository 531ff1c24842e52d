internal import MartletBytes
public import MartletCore

/// What is computed of a message at the door and kept beside it, so that lists, SEARCH and sorting read no message.
public struct MessageSummary: Sendable, Hashable {
    /// IMAP ENVELOPE in wire form, parentheses included (RFC 9051 §7.5.2).
    public var envelope: [UInt8]
    /// IMAP BODYSTRUCTURE with extension data, parentheses included.
    public var bodyStructure: [UInt8]
    /// Octets of the header with its empty line.
    public var headerLength: Int
    /// Decoded text of the fields, each at most `MessageLimits.maximumSummaryText` octets.
    public var subject: String
    public var from: String
    public var to: String
    public var cc: String
    public var bcc: String
    /// With angle brackets; nil when there is none.
    public var messageID: String?
    public var inReplyTo: String?
    /// Message-IDs of References, with angle brackets, in order.
    public var references: [String]
    /// The Date field; nil when absent or unreadable.
    public var sentDate: Instant?
    /// Minutes east of UTC in the Date field.
    public var sentZoneMinutes: Int
    /// At most 256 characters of the first text part.
    public var preview: String

    /// Message-IDs of References that are kept: the last ones count for threads.
    static let maximumReferences = 100

    /// Parses and summarises. O(n).
    public static func make(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits = .default) -> MessageSummary {
        make(bytes, structure: MessageStructure.parse(bytes, limits: limits), limits: limits)
    }

    public static func make(_ bytes: [UInt8], limits: MessageLimits = .default) -> MessageSummary {
        bytes.withUnsafeBytes { make($0, limits: limits) }
    }

    /// The same when the structure is known already.
    public static func make(
        _ bytes: UnsafeRawBufferPointer, structure: MessageStructure, limits: MessageLimits = .default
    ) -> MessageSummary {
        let header = structure.root.headerRange
        let fields = EnvelopeWireForm.fields(bytes, in: header, limits: limits)
        let date = fields.date.flatMap { MailDate.parse($0) }
        func text(_ value: [UInt8]?) -> String {
            guard let value else { return "" }
            return EncodedWord.decode(
                value.count > limits.maximumSummaryText ? Array(value.prefix(limits.maximumSummaryText)) : value)
        }
        return MessageSummary(
            envelope: EnvelopeWireForm.encode(fields, limits: limits),
            bodyStructure: BodyStructureWireForm.encode(structure, in: bytes, extended: true, limits: limits),
            headerLength: header.count,
            subject: text(fields.subject), from: text(fields.from), to: text(fields.to), cc: text(fields.cc),
            bcc: text(fields.bcc),
            messageID: fields.messageID.flatMap { identifiers($0).first },
            inReplyTo: fields.inReplyTo.flatMap { identifiers($0).first },
            references: fields.references.map { Array(identifiers($0).suffix(maximumReferences)) } ?? [],
            sentDate: date?.instant,
            sentZoneMinutes: date?.zoneMinutes ?? 0, preview: Preview.make(bytes, structure))
    }

    /// The `<…>` words of a value that have something in them, without spaces inside.
    static func identifiers(_ value: [UInt8]) -> [String] {
        var found: [String] = []
        var start: Int?
        for (index, byte) in value.enumerated() {
            if byte == UInt8(ascii: "<") { start = index }
            if byte == UInt8(ascii: ">"), let open = start, index - open <= 998 {
                let identifier = value[open...index].filter { $0 > 0x20 }
                if identifier.count > 2 { found.append(Charset.decodeUnlabelled(identifier)) }
                start = nil
            }
        }
        return found
    }
}
