internal import IMAPProtocol
internal import MessageFormat

/// The text of a message for SEARCH BODY, TEXT and HEADER: transfer encodings and charsets undone (RFC 9051 §6.4.4).
struct MessageText {
    private let bytes: [UInt8]
    private let structure: MessageStructure

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        structure = MessageStructure.parse(bytes)
    }

    /// The fields of the message itself.
    func header() -> HeaderFacts { fields(in: structure.root.headerRange) }

    /// The text parts, and header and text of messages inside. Other parts are no text and are not looked at.
    func text() -> TextFacts {
        var parts: [FoldedText] = []
        append(structure.root, to: &parts)
        return TextFacts(parts: parts)
    }

    private func fields(in range: Range<Int>) -> HeaderFacts {
        bytes.withUnsafeBytes { bytes in
            let walk = HeaderFields(bytes, in: range)
            return HeaderFacts(
                fields: walk.map { field in
                    (String(decoding: bytes[field.name], as: UTF8.self), EncodedWord.decode(walk.unfolded(field)))
                })
        }
    }

    /// Depth is bounded by `MessageLimits`.
    private func append(_ part: MessageStructure.Part, to parts: inout [FoldedText]) {
        if part.isMessage, let message = part.children.first {
            let header = fields(in: message.headerRange).fields.map { "\($0.name): \($0.value)" }.joined(
                separator: "\r\n")
            parts.append(FoldedText(header))
            append(message, to: &parts)
        } else if !part.children.isEmpty {
            for child in part.children { append(child, to: &parts) }
        } else if part.contentType.type == "text" {
            parts.append(FoldedText(bytes.withUnsafeBytes { part.decodedText(in: $0) }))
        }
    }
}
