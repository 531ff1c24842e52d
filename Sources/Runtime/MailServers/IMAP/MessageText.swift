internal import IMAPProtocol
internal import MessageFormat

/// The text of a message for SEARCH BODY, TEXT and HEADER: transfer encodings and charsets undone (RFC 9051 §6.4.4).
struct MessageText {
    /// Octets from a message's beginning that hold all of its header that is looked at.
    static let headerBytes = MessageLimits.default.maximumHeaderBytes

    private let bytes: [UInt8]

    /// - Parameter bytes: the message; its beginning is enough for `header`.
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The fields of the message itself.
    func header() -> HeaderFacts { HeaderFacts(fields: fields(in: 0..<bytes.count)) }

    /// The text parts, and header and text of messages inside; beside them the MIME headers of all parts. Parts that are no
    /// text are not looked at.
    func text() -> TextFacts {
        var facts = TextFacts(parts: [])
        append(MessageStructure.parse(bytes).root, to: &facts)
        return facts
    }

    /// The fields of the header block that `range` begins with.
    private func fields(in range: Range<Int>) -> [(name: String, value: String)] {
        bytes.withUnsafeBytes { bytes in
            let walk = HeaderFields(bytes, in: range)
            return walk.map { field in
                (String(decoding: bytes[field.name], as: UTF8.self), EncodedWord.decode(walk.unfolded(field)))
            }
        }
    }

    private func headerText(in range: Range<Int>) -> FoldedText {
        FoldedText(fields(in: range).map { "\($0.name): \($0.value)" }.joined(separator: "\r\n"))
    }

    /// Depth is bounded by `MessageLimits`.
    private func append(_ part: MessageStructure.Part, to facts: inout TextFacts) {
        if part.isMessage, let message = part.children.first {
            // The message's header is text of the one around it.
            facts.parts.append(headerText(in: message.headerRange))
            append(message, to: &facts)
        } else if !part.children.isEmpty {
            for child in part.children {
                if !child.headerRange.isEmpty { facts.partHeaders.append(headerText(in: child.headerRange)) }
                append(child, to: &facts)
            }
        } else if part.contentType.type == "text" {
            facts.parts.append(FoldedText(bytes.withUnsafeBytes { part.decodedText(in: $0) }))
        }
    }
}
