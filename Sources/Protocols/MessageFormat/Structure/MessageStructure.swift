/// The MIME tree of a message as places in its bytes (RFC 2045, 2046): nothing is copied but the few words of Content fields.
///
/// Every message has one, however broken: what cannot be understood is a leaf of text/plain (RFC 2045 §5.2).
public struct MessageStructure: Sendable, Hashable {
    /// One entity: the message itself, a part of a multipart, or the message inside message/rfc822.
    public struct Part: Sendable, Hashable {
        /// The header block with its empty line.
        public var headerRange: Range<Int>
        /// The body; the line end before a boundary belongs to the boundary (RFC 2046 §5.1.1).
        public var bodyRange: Range<Int>
        /// Line ends in the body.
        public var lines: Int
        /// Content-Type and its parameters; text/plain when there is none that can be read.
        public var contentType: ContentType
        /// Content-Transfer-Encoding in lower case; `7bit` when absent.
        public var encoding: String
        public var disposition: ContentDisposition?
        /// Content-ID, Content-Description, Content-MD5, Content-Location: unfolded, as they stand.
        public var id: [UInt8]?
        public var description: [UInt8]?
        public var md5: [UInt8]?
        public var location: [UInt8]?
        /// Content-Language's tags.
        public var language: [String]
        /// Parts of a multipart, in order. For message/rfc822: the one message inside.
        public var children: [Part]

        public var isMultipart: Bool { contentType.type == "multipart" && !isOpaque }
        /// message/rfc822 or message/global whose content was parsed: `children[0]` is the message.
        public var isMessage: Bool { contentType.isMessage && !children.isEmpty }
        /// A multipart that a limit or a missing boundary left unparsed.
        public var isOpaque: Bool
        /// Header and body.
        public var wholeRange: Range<Int> { headerRange.lowerBound..<bodyRange.upperBound }
        /// The file name from the disposition or the type, decoded (RFC 2183 §2.3, RFC 2231).
        public var fileName: String? {
            disposition?.parameters.decoded("filename") ?? contentType.parameters.decoded("name")
        }
    }

    public var root: Part
    /// Parts in all, the root counted.
    public var partCount: Int

    /// Parses the structure. O(n); memory is bounded by `limits`, not by the input.
    public static func parse(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits = .default) -> MessageStructure {
        var parser = StructureParser(bytes, limits: limits)
        return parser.parse()
    }

    public static func parse(_ bytes: [UInt8], limits: MessageLimits = .default) -> MessageStructure {
        bytes.withUnsafeBytes { parse($0, limits: limits) }
    }

    /// The part with an IMAP part number (RFC 9051 §6.4.5): `[]` is the message; `[1]` of a message that is no multipart is its
    /// body; numbers go through message/rfc822 into the message inside. nil when there is none.
    public func part(at path: [Int]) -> Part? {
        var current = root
        for (depth, number) in path.enumerated() {
            // A number below message/rfc822 counts the parts of the message inside.
            let container = depth > 0 && current.isMessage ? current.children[0] : current
            if container.isMultipart, !container.children.isEmpty {
                guard number >= 1, number <= container.children.count else { return nil }
                current = container.children[number - 1]
            } else {
                guard number == 1, depth == 0 || current.isMessage else { return nil }
                // The single body of a message that is no multipart.
                current = container
                if depth < path.count - 1, !current.isMessage { return nil }
            }
        }
        return current
    }
}
