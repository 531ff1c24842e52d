internal import MartletBytes

/// BODY and BODYSTRUCTURE in IMAP's wire form (RFC 9051 §7.5.2 and §9 `body`), parentheses included.
public enum BodyStructureWireForm {
    /// - Parameters:
    ///   - bytes: the whole message: embedded messages tell their ENVELOPE.
    ///   - extended: BODYSTRUCTURE with extension data; false for BODY.
    public static func encode(
        _ structure: MessageStructure, in bytes: UnsafeRawBufferPointer, extended: Bool,
        limits: MessageLimits = .default
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(256)
        append(structure.root, bytes, extended, limits, to: &output)
        return output
    }

    private static func append(
        _ part: MessageStructure.Part, _ bytes: UnsafeRawBufferPointer, _ extended: Bool, _ limits: MessageLimits,
        to output: inout [UInt8]
    ) {
        output.append(UInt8(ascii: "("))
        if part.isMultipart, !part.children.isEmpty {
            for child in part.children { append(child, bytes, extended, limits, to: &output) }
            output.append(ASCII.space)
            WireString.append(part.contentType.subtype, to: &output)
            if extended {
                output.append(ASCII.space)
                append(part.contentType.parameters, to: &output)
                appendTail(part, to: &output)
            }
        } else {
            appendSingle(part, bytes, extended, limits, to: &output)
        }
        output.append(UInt8(ascii: ")"))
    }

    private static func appendSingle(
        _ part: MessageStructure.Part, _ bytes: UnsafeRawBufferPointer, _ extended: Bool, _ limits: MessageLimits,
        to output: inout [UInt8]
    ) {
        // A multipart without parts, or a message that was left whole, is told as something that every client shows as a file:
        // RFC 9051's grammar gives `multipart` no single form and demands an envelope for message/rfc822.
        let type =
            part.isOpaque || part.contentType.isMessage && !part.isMessage ? "application" : part.contentType.type
        let subtype = type == part.contentType.type ? part.contentType.subtype : "octet-stream"
        WireString.append(type, to: &output)
        output.append(ASCII.space)
        WireString.append(subtype, to: &output)
        output.append(ASCII.space)
        append(part.contentType.parameters, to: &output)
        for value in [part.id, part.description] {
            output.append(ASCII.space)
            WireString.appendOptional(value, to: &output)
        }
        output.append(ASCII.space)
        WireString.append(part.encoding, to: &output)
        output.append(ASCII.space)
        ASCII.appendDecimal(UInt64(part.bodyRange.count), to: &output)
        if part.isMessage, let message = part.children.first {
            output.append(ASCII.space)
            output.append(contentsOf: EnvelopeWireForm.encode(bytes, header: message.headerRange, limits: limits))
            output.append(ASCII.space)
            append(message, bytes, extended, limits, to: &output)
        }
        if part.isMessage || type == "text" {
            output.append(ASCII.space)
            ASCII.appendDecimal(UInt64(max(0, part.lines)), to: &output)
        }
        if extended {
            output.append(ASCII.space)
            WireString.appendOptional(part.md5, to: &output)
            appendTail(part, to: &output)
        }
    }

    /// Disposition, language, location.
    private static func appendTail(_ part: MessageStructure.Part, to output: inout [UInt8]) {
        output.append(ASCII.space)
        if let disposition = part.disposition {
            output.append(UInt8(ascii: "("))
            WireString.append(disposition.kind, to: &output)
            output.append(ASCII.space)
            append(disposition.parameters, to: &output)
            output.append(UInt8(ascii: ")"))
        } else {
            output.append(contentsOf: "NIL".utf8)
        }
        output.append(ASCII.space)
        if part.language.isEmpty {
            output.append(contentsOf: "NIL".utf8)
        } else {
            output.append(UInt8(ascii: "("))
            for (index, tag) in part.language.enumerated() {
                if index > 0 { output.append(ASCII.space) }
                WireString.append(tag, to: &output)
            }
            output.append(UInt8(ascii: ")"))
        }
        output.append(ASCII.space)
        WireString.appendOptional(part.location, to: &output)
    }

    private static func append(_ parameters: ContentParameters, to output: inout [UInt8]) {
        guard !parameters.list.isEmpty else { return output.append(contentsOf: "NIL".utf8) }
        output.append(UInt8(ascii: "("))
        for (index, parameter) in parameters.list.enumerated() {
            if index > 0 { output.append(ASCII.space) }
            WireString.append(parameter.name, to: &output)
            output.append(ASCII.space)
            WireString.append(parameter.value, to: &output)
        }
        output.append(UInt8(ascii: ")"))
    }
}
