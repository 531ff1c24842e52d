internal import MartletBytes

/// The first words of a message, for lists (RFC 8970): the first text part, markup taken out, space collapsed.
enum Preview {
    /// RFC 8970 §3.1
    static let maximumCharacters = 256
    /// Octets of the part that are looked at.
    private static let maximumInput = 2_048

    static func make(_ bytes: UnsafeRawBufferPointer, _ structure: MessageStructure) -> String {
        guard let part = textPart(structure.root, "plain") ?? textPart(structure.root, nil) else { return "" }
        let isMarkup = part.contentType.subtype != "plain"
        var decoded = part.decodedText(in: bytes, limit: isMarkup ? 2 * maximumInput : maximumInput)
        if isMarkup { decoded = withoutMarkup(decoded) }
        return collapsed(decoded)
    }

    private static func textPart(_ part: MessageStructure.Part, _ subtype: String?) -> MessageStructure.Part? {
        if part.contentType.type == "text", subtype == nil || part.contentType.subtype == subtype { return part }
        guard part.isMultipart else { return nil }
        for child in part.children {
            if child.disposition?.kind != "attachment", let found = textPart(child, subtype) { return found }
        }
        return nil
    }

    /// Text between tags; the content of style, script and title is no text.
    private static func withoutMarkup(_ text: String) -> String {
        var output: [UInt8] = []
        var hidden: [UInt8]?
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "<") {
                let end = bytes[index...].firstIndex(of: UInt8(ascii: ">")) ?? bytes.count - 1
                let isClosing = index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "/")
                let name = ASCII.lowercased(
                    bytes[min(end, index + (isClosing ? 2 : 1))..<end].prefix { ASCII.isLetter($0) })
                if isClosing, name == hidden {
                    hidden = nil
                } else if !isClosing, hidden == nil, Self.hiddenElements.contains(name) {
                    hidden = name
                }
                output.append(ASCII.space)
                index = end + 1
            } else {
                if hidden == nil { output.append(bytes[index]) }
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static let hiddenElements: Set<[UInt8]> = [
        Array("style".utf8), Array("script".utf8), Array("title".utf8), Array("head".utf8),
    ]

    private static func collapsed(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        var count = 0
        var needsSpace = false
        for scalar in text.unicodeScalars {
            if scalar.value <= 0x20 || scalar.value == 0xA0 || scalar.value == 0x7F {
                needsSpace = count > 0
                continue
            }
            guard count + (needsSpace ? 1 : 0) < maximumCharacters else { break }
            if needsSpace {
                output.append(" ")
                count += 1
                needsSpace = false
            }
            output.append(scalar)
            count += 1
        }
        return String(output)
    }
}
