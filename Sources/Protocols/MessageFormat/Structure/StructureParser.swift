internal import MartletBytes

/// Finds parts in one pass over the lines, whatever the nesting, since a line is compared with all boundaries that are open
/// (RFC 2046 §5.1.2: an outer boundary ends the inner parts too). Header blocks are walked a second time for their fields.
struct StructureParser {
    private let bytes: UnsafeRawBufferPointer
    private let limits: MessageLimits
    private var boundaries: [[UInt8]] = []
    private var position = 0
    private var partCount = 0
    /// Line feeds before `position`: a body's lines are the difference of two of these.
    private var lineFeeds = 0

    init(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parse() -> MessageStructure {
        let (root, _) = entity(depth: 0, defaultType: .plainText)
        return MessageStructure(root: root, partCount: partCount)
    }

    /// How an entity ended.
    private struct End {
        /// The end of its body: before the line end that belongs to the boundary.
        var body: Int
        /// Line feeds of the message before `body`.
        var lineFeeds: Int
        /// Which open boundary ended it; nil at the end of the message.
        var boundary: Int?
        /// `--boundary--`
        var isClosing = false
    }

    private struct ContentFields {
        var type: ContentType?
        var hasType = false
        var encoding = "7bit"
        var disposition: ContentDisposition?
        var id: [UInt8]?
        var description: [UInt8]?
        var md5: [UInt8]?
        var location: [UInt8]?
        var language: [String] = []
    }

    private mutating func entity(depth: Int, defaultType: ContentType) -> (MessageStructure.Part, End) {
        partCount += 1
        let headerStart = position
        let headerEnding = scanHeader()
        let headerEnd = headerEnding?.body ?? position
        let fields = contentFields(in: headerStart..<max(headerStart, headerEnd))
        let contentType = fields.type ?? (fields.hasType ? .plainText : defaultType)
        var part = MessageStructure.Part(
            headerRange: headerStart..<max(headerStart, headerEnd), bodyRange: headerEnd..<headerEnd, lines: 0,
            contentType: contentType,
            encoding: fields.encoding, disposition: fields.disposition, id: fields.id, description: fields.description,
            md5: fields.md5,
            location: fields.location, language: fields.language, children: [], isOpaque: false)
        // A boundary inside the header: the part has no body.
        if let headerEnding {
            part.isOpaque = contentType.type == "multipart"
            return (part, headerEnding)
        }

        let bodyStart = position
        let lineFeedsBefore = lineFeeds
        var end: End
        let mayNest = depth < limits.maximumDepth && partCount < limits.maximumParts
        if contentType.type == "multipart" {
            if mayNest, let boundary = contentType.parameters["boundary"], !boundary.isEmpty,
                boundary.count <= limits.maximumBoundaryLength
            {
                end = multipart(boundary, into: &part, depth: depth)
            } else {
                part.isOpaque = true
                end = scanBody()
            }
        } else if contentType.isMessage, mayNest, Self.isIdentity(fields.encoding) {
            let (message, inner) = entity(depth: depth + 1, defaultType: .plainText)
            part.children = [message]
            end = inner
        } else {
            end = scanBody()
        }
        if end.body < bodyStart {
            // A boundary directly behind the header: the empty line's end is the boundary's too, and stays with the header, for what
            // is around this part as well.
            end.body = bodyStart
            end.lineFeeds = lineFeedsBefore
        }
        part.bodyRange = bodyStart..<end.body
        part.lines = end.lineFeeds - lineFeedsBefore
        return (part, end)
    }

    /// The parts of a multipart: preamble, parts, epilogue. Ends where an outer boundary or the message ends.
    private mutating func multipart(_ boundary: [UInt8], into part: inout MessageStructure.Part, depth: Int) -> End {
        let own = boundaries.count
        boundaries.append(boundary)
        var end = scanBody()
        let childDefault: ContentType = part.contentType.subtype == "digest" ? .message : .plainText
        while end.boundary == own, !end.isClosing {
            guard partCount < limits.maximumParts else {
                end = scanBody()
                continue
            }
            let (child, childEnd) = entity(depth: depth + 1, defaultType: childDefault)
            part.children.append(child)
            end = childEnd
        }
        boundaries.removeLast()
        // The epilogue, up to what ends the whole.
        if end.boundary == own { end = scanBody() }
        if part.children.isEmpty { part.isOpaque = true }
        return end
    }

    /// Moves behind the header's empty line. Gives an end when a boundary or the message's end comes first.
    private mutating func scanHeader() -> End? {
        while position < bytes.count {
            let lineStart = position
            let lineEnd = HeaderFields.endOfLine(bytes, from: lineStart, limit: bytes.count)
            if HeaderFields.isEmptyLine(bytes, lineStart, lineEnd) {
                position = lineEnd
                lineFeeds += 1
                return nil
            }
            let lineFeedsBefore = lineFeeds
            if bytes[lineEnd - 1] == ASCII.lineFeed { lineFeeds += 1 }
            position = lineEnd
            if let end = boundary(at: lineStart, lineEnd: lineEnd) {
                // No empty line stood between: the header ends at the boundary's line.
                return End(
                    body: lineStart, lineFeeds: lineFeedsBefore, boundary: end.boundary, isClosing: end.isClosing)
            }
        }
        return End(body: bytes.count, lineFeeds: lineFeeds, boundary: nil)
    }

    /// Moves behind the next boundary line, or to the end of the message.
    private mutating func scanBody() -> End {
        guard let base = bytes.baseAddress else { return End(body: 0, lineFeeds: 0, boundary: nil) }
        while position < bytes.count {
            let lineStart = position
            let lineEnd = HeaderFields.endOfLine(bytes, from: lineStart, limit: bytes.count)
            position = lineEnd
            let lineFeedsBefore = lineFeeds
            if base.load(fromByteOffset: lineEnd - 1, as: UInt8.self) == ASCII.lineFeed { lineFeeds += 1 }
            let isCandidate =
                lineEnd - lineStart > 2 && base.load(fromByteOffset: lineStart, as: UInt8.self) == UInt8(ascii: "-")
                && base.load(fromByteOffset: lineStart + 1, as: UInt8.self) == UInt8(ascii: "-")
            guard isCandidate, let found = boundary(at: lineStart, lineEnd: lineEnd) else { continue }
            var end = lineStart
            var endLineFeeds = lineFeedsBefore
            if end > 0, bytes[end - 1] == ASCII.lineFeed {
                end -= 1
                endLineFeeds -= 1
                if end > 0, bytes[end - 1] == ASCII.carriageReturn { end -= 1 }
            }
            return End(body: end, lineFeeds: endLineFeeds, boundary: found.boundary, isClosing: found.isClosing)
        }
        return End(body: bytes.count, lineFeeds: lineFeeds, boundary: nil)
    }

    /// Which open boundary the line begins with. RFC 2046 §5.1.1: the whole line need not match. So that a boundary is not taken for
    /// a longer one that begins with it, the longest counts; of equal ones the innermost.
    private func boundary(at start: Int, lineEnd: Int) -> (boundary: Int, isClosing: Bool)? {
        let hyphen = UInt8(ascii: "-")
        guard !boundaries.isEmpty, lineEnd - start > 2, bytes[start] == hyphen, bytes[start + 1] == hyphen else {
            return nil
        }
        let text = start + 2
        var best: Int?
        for index in boundaries.indices.reversed() {
            let boundary = boundaries[index]
            if let best, boundaries[best].count >= boundary.count { continue }
            guard text + boundary.count <= lineEnd, boundary.indices.allSatisfy({ bytes[text + $0] == boundary[$0] })
            else { continue }
            best = index
        }
        guard let best else { return nil }
        let tail = text + boundaries[best].count
        return (best, tail + 2 <= lineEnd && bytes[tail] == hyphen && bytes[tail + 1] == hyphen)
    }

    private func contentFields(in range: Range<Int>) -> ContentFields {
        var content = ContentFields()
        let fields = HeaderFields(bytes, in: range, limits: limits)
        for field in fields
        where ASCII.lowercased(bytes[field.name.lowerBound]) == UInt8(ascii: "c") && field.name.count >= 10 {
            if fields.isNamed(field, "content-type"), !content.hasType {
                content.hasType = true
                content.type = ContentType.parse(bytes.clamped(field.value), limits: limits)
            } else if fields.isNamed(field, "content-transfer-encoding") {
                var reader = ContentFieldReader(bytes.clamped(field.value), limits: limits)
                if let token = reader.token() { content.encoding = token }
            } else if fields.isNamed(field, "content-disposition"), content.disposition == nil {
                content.disposition = ContentDisposition.parse(bytes.clamped(field.value), limits: limits)
            } else if fields.isNamed(field, "content-id"), content.id == nil {
                content.id = fields.unfolded(field)
            } else if fields.isNamed(field, "content-description"), content.description == nil {
                content.description = fields.unfolded(field)
            } else if fields.isNamed(field, "content-md5"), content.md5 == nil {
                content.md5 = fields.unfolded(field)
            } else if fields.isNamed(field, "content-location"), content.location == nil {
                content.location = fields.unfolded(field)
            } else if fields.isNamed(field, "content-language"), content.language.isEmpty {
                let text = String(decoding: fields.unfolded(field), as: UTF8.self)
                content.language = text.split(separator: ",").prefix(limits.maximumParameters).map {
                    String($0.filter { $0 != " " && $0 != "\t" })
                }
                .filter { !$0.isEmpty }
            }
        }
        return content
    }

    /// RFC 2046 §5.2.1: only these leave a message inside readable as it stands.
    private static func isIdentity(_ encoding: String) -> Bool {
        encoding == "7bit" || encoding == "8bit" || encoding == "binary"
    }
}
