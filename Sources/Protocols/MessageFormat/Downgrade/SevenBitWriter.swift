internal import MartletBytes

/// Writes a message part by part: what needs no change as it stands, in order, so that nothing between parts is lost.
struct SevenBitWriter {
    /// Octets of a text that is quoted-printable whatever is in it: its source can be read.
    private static let shortText = 256

    private let bytes: UnsafeRawBufferPointer
    private let limits: MessageLimits
    private(set) var output: [UInt8] = []

    init(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
        output.reserveCapacity(bytes.count + bytes.count / 2)
    }

    /// - Parameter isMessage: the header is a message's, not a part's.
    mutating func write(_ part: MessageStructure.Part, isMessage: Bool) throws(SevenBitConversion.Obstacle) {
        guard BodyShape(bytes, part.headerRange).isASCII else { throw .eightBitHeader }
        if part.isMultipart {
            try writeMultipart(part, isMessage: isMessage)
        } else if part.isMessage, part.contentType.subtype == "rfc822" {
            try writeHeader(part, relabel(part), isMessage: isMessage)
            var position = part.bodyRange.lowerBound
            for child in part.children {
                try write(child, isMessage: true)
                position = max(position, child.wholeRange.upperBound)
            }
            writeBetween(position..<part.bodyRange.upperBound)
        } else {
            try writeLeaf(part, isMessage: isMessage)
        }
    }

    private mutating func writeMultipart(
        _ part: MessageStructure.Part, isMessage: Bool
    ) throws(SevenBitConversion.Obstacle) {
        try writeHeader(part, relabel(part), isMessage: isMessage)
        if part.contentType.subtype == "signed" {
            // RFC 1847 §2.1: octet by octet as it was signed, labels included.
            guard BodyShape(bytes, part.bodyRange).isASCII, !hasLooseBinary(part) else { throw .signed }
            output += bytes[part.bodyRange]
            return
        }
        var position = part.bodyRange.lowerBound
        for child in part.children {
            writeBetween(position..<child.headerRange.lowerBound)
            try write(child, isMessage: false)
            position = max(position, child.wholeRange.upperBound)
        }
        writeBetween(position..<part.bodyRange.upperBound)
    }

    private func hasLooseBinary(_ part: MessageStructure.Part) -> Bool {
        part.children.contains { child in
            hasLooseBinary(child)
                || (child.children.isEmpty
                    && !BodyShape(bytes, child.bodyRange).isSevenBit(labelled: child.encoding))
        }
    }

    private mutating func writeLeaf(
        _ part: MessageStructure.Part, isMessage: Bool
    ) throws(SevenBitConversion.Obstacle) {
        let shape = BodyShape(bytes, part.bodyRange)
        guard !shape.isSevenBit(labelled: part.encoding) else {
            try writeHeader(part, relabel(part), isMessage: isMessage)
            output += bytes[part.bodyRange]
            return
        }
        let type = part.contentType
        switch (type.type, type.subtype) {
        case ("multipart", _), ("message", "rfc822"), ("message", "partial"), ("message", "external-body"):
            // RFC 2045 §6.4, RFC 2046 §5.2; for other subtypes of message RFC 6532 §3.5 permits encodings.
            throw .unencodableType("\(type.type)/\(type.subtype)")
        default: break
        }
        let body = bytes.clamped(part.bodyRange)
        switch ContentTransferEncoding(part.encoding) {
        case .unknown(let token): throw .unknownEncoding(token)
        case .identity:
            let isText = type.type == "text" || (type.type == "message" && type.subtype != "global")
            // Quoted-printable makes three of one: longer text that is mostly beyond ASCII is half as long in base 64.
            let isMostlyEightBit = body.count > Self.shortText && shape.eightBit > body.count / 2
            let isQuoted = isText && !shape.hasNUL && !isMostlyEightBit
            try writeHeader(
                part, isQuoted ? "quoted-printable" : "base64", isMessage: isMessage, unlabelled: body)
            if isQuoted {
                SevenBitBody.appendQuotedPrintable(body, isBinary: part.encoding == "binary", to: &output)
            } else {
                SevenBitBody.appendBase64(Array(body), to: &output)
            }
        case .quotedPrintable:
            // Octets that have no business there, and mean themselves.
            try writeHeader(part, "quoted-printable", isMessage: isMessage)
            let content = ContentTransferEncoding.quotedPrintable.decode(body)
            content.withUnsafeBytes { SevenBitBody.appendQuotedPrintable($0, isBinary: false, to: &output) }
        case .base64:
            try writeHeader(part, "base64", isMessage: isMessage)
            SevenBitBody.appendBase64(ContentTransferEncoding.base64.decode(body), to: &output)
        }
    }

    /// The label of a body that is 7-bit now; nil when the one that it has is right.
    private func relabel(_ part: MessageStructure.Part) -> String? {
        part.encoding == "8bit" || part.encoding == "binary" ? "7bit" : nil
    }

    // MARK: Header

    /// The header with another Content-Transfer-Encoding; as it is when `encoding` is nil.
    /// - Parameter unlabelled: the body of a message that may have no MIME fields: it gets those that say what it is.
    private mutating func writeHeader(
        _ part: MessageStructure.Part, _ encoding: String?, isMessage: Bool, unlabelled: UnsafeRawBufferPointer? = nil
    ) throws(SevenBitConversion.Obstacle) {
        guard let encoding else {
            output += bytes[part.headerRange]
            return
        }
        let end = part.headerRange.upperBound
        var walk = HeaderFields(bytes, in: part.headerRange, limits: limits)
        var copied = part.headerRange.lowerBound
        var isWritten = false
        var hasVersion = false
        var hasType = false
        while let field = walk.next() {
            hasVersion = hasVersion || walk.isNamed(field, "mime-version")
            hasType = hasType || walk.isNamed(field, "content-type")
            guard walk.isNamed(field, "content-transfer-encoding") else { continue }
            output += bytes[copied..<field.whole.lowerBound]
            if !isWritten { add("Content-Transfer-Encoding: \(encoding)") }
            isWritten = true
            copied = field.whole.upperBound
        }
        // The walk ends at the empty line, or nothing is known of what follows.
        let place = walk.position
        guard place == end || HeaderFields.isEmptyLine(bytes, place, end) else { throw .tooComplex }
        output += bytes[copied..<place]
        if isMessage, !hasVersion {
            add("MIME-Version: 1.0")
            if !hasType, let unlabelled {
                // RFC 1428 §3 for what is not known.
                let isUTF8 = String(validating: unlabelled, as: UTF8.self) != nil
                add("Content-Type: text/plain; charset=\(isUTF8 ? "utf-8" : "unknown-8bit")")
            }
        }
        if !isWritten { add("Content-Transfer-Encoding: \(encoding)") }
        output += bytes[place..<end]
    }

    private mutating func add(_ field: String) { output += Array("\(field)\r\n".utf8) }

    // MARK: Between parts

    /// Boundary lines, preamble, epilogue: nobody reads them, and no encoding is there for them. A line ends before
    /// its first octet that is not ASCII, which makes no boundary of what was none.
    private mutating func writeBetween(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        var position = range.lowerBound
        while position < range.upperBound {
            let end = HeaderFields.endOfLine(bytes, from: position, limit: range.upperBound)
            let line = bytes[position..<end]
            if let bad = line.firstIndex(where: { $0 >= 0x80 || $0 == 0 }) {
                output += bytes[position..<bad]
                let ending = line.reversed().prefix { $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn }
                output += ending.reversed()
            } else {
                output += line
            }
            position = end
        }
    }
}
