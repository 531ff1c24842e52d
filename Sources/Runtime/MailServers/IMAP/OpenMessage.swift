internal import IMAPProtocol
internal import MailStore
internal import MartletBytes
internal import MessageFormat

/// The structure of a message whose parts were asked for.
struct CachedStructure {
    var uid: UInt32
    var structure: MessageStructure
}

/// One message while its sections are fetched: what is read of it is read once.
///
/// The whole message and the parts of the message itself (`BODY[]`, HEADER, TEXT) need no structure and come in pieces; only
/// numbered parts make it be parsed, and then its structure is kept for the next command.
struct OpenMessage {
    /// Where a section's octets are.
    enum Content {
        case range(Range<Int>)
        case bytes(ArraySlice<UInt8>)
        /// There is no such part: NIL.
        case absent
        /// The part's transfer encoding is not known (RFC 3516 §4.3).
        case unknownEncoding

        var size: Int {
            switch self {
            case .range(let range): range.count
            case .bytes(let bytes): bytes.count
            case .absent, .unknownEncoding: 0
            }
        }

        /// - Parameter part: within `0..<size`.
        func part(_ part: Range<Int>) -> Content {
            switch self {
            case .range(let range): .range(range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
            case .bytes(let bytes):
                .bytes(bytes[bytes.startIndex + part.lowerBound..<bytes.startIndex + part.upperBound])
            case .absent, .unknownEncoding: self
            }
        }
    }

    /// Larger bodies are decoded beside the event loop.
    private static let largeBytes = 262_144

    let uid: UInt32
    let reader: any MessageReading
    private(set) var structure: MessageStructure?
    private var whole: [UInt8]?
    /// Octets from the beginning.
    private var head: [UInt8] = []
    private var headerLength: Int?
    /// The part that was decoded last: its size and its pieces are asked for one after the other.
    private var lastDecoded: (path: [UInt32], bytes: [UInt8])?

    var size: Int { reader.size }

    init(uid: UInt32, reader: any MessageReading, structure: MessageStructure?) {
        self.uid = uid
        self.reader = reader
        self.structure = structure
    }

    // MARK: Reading

    mutating func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        if let whole { return Array(whole[range.clamped(to: 0..<whole.count)]) }
        if range.upperBound <= head.count { return Array(head[range]) }
        return try await reader.read(range)
    }

    private mutating func readWhole() async throws(StoreError) -> [UInt8] {
        if let whole { return whole }
        let bytes = try await reader.readAll()
        whole = bytes
        return bytes
    }

    private mutating func parse() async throws(StoreError) -> MessageStructure {
        if let structure { return structure }
        let parsed = MessageStructure.parse(try await readWhole())
        structure = parsed
        return parsed
    }

    /// Octets of the header with its empty line: the message is read until that is found.
    private mutating func readHeader() async throws(StoreError) -> Int {
        if let headerLength { return headerLength }
        if let structure { return structure.root.headerRange.count }
        var wanted = 8_192
        while true {
            let upper = min(wanted, size)
            if head.count < upper { head += try await read(head.count..<upper) }
            if let length = OpenMessage.headerLength(head) ?? (upper == size ? size : nil) {
                headerLength = length
                return length
            }
            // A read that gives less than was asked for must not be asked for for ever.
            guard head.count == upper else { throw .corrupt(reason: "a message is shorter than its size") }
            wanted *= 4
        }
    }

    /// The octets up to and with the first empty line; nil when there is none. LF alone ends a line too, as in `MessageFormat`.
    private static func headerLength(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { bytes in
            var lineStart = 0
            while let lineFeed = bytes.firstIndex(ofByte: ASCII.lineFeed, from: lineStart) {
                let length = lineFeed - lineStart
                if length == 0 || (length == 1 && bytes[lineStart] == ASCII.carriageReturn) { return lineFeed + 1 }
                lineStart = lineFeed + 1
            }
            return nil
        }
    }

    // MARK: Sections

    /// What `section` means in this message (RFC 9051 §6.4.5.1).
    mutating func content(of section: SectionSpecifier) async throws(StoreError) -> Content {
        if section.part.isEmpty {
            switch section.text {
            case .whole: return .range(0..<size)
            case .header: return .range(0..<(try await readHeader()))
            case .text: return .range(try await readHeader()..<size)
            case .headerFields(let names):
                return try await fields(names, areWanted: true, in: 0..<(try await readHeader()))
            case .headerFieldsNot(let names):
                return try await fields(names, areWanted: false, in: 0..<(try await readHeader()))
            case .mime: return .absent
            }
        }
        guard let part = try await parse().part(at: section.part.map { Int($0) }) else { return .absent }
        switch section.text {
        case .whole: return .range(part.bodyRange)
        case .mime: return .range(part.headerRange)
        default: break
        }
        // These are of the message inside message/rfc822 only.
        guard part.isMessage, let message = part.children.first else { return .absent }
        switch section.text {
        case .header: return .range(message.headerRange)
        case .text: return .range(message.bodyRange)
        case .headerFields(let names): return try await fields(names, areWanted: true, in: message.headerRange)
        case .headerFieldsNot(let names): return try await fields(names, areWanted: false, in: message.headerRange)
        case .whole, .mime: return .absent
        }
    }

    /// Whether BINARY can give a part.
    enum Decodability {
        case decodable
        case unknownEncoding
        /// The part is a multipart or a message: BINARY is of leaf parts only (RFC 9051 §6.4.5).
        case noLeaf
    }

    /// Whether `decodedPart` will know the part's transfer encoding. Decodes nothing.
    mutating func decodability(of path: [UInt32]) async throws(StoreError) -> Decodability {
        guard !path.isEmpty, let part = try await parse().part(at: path.map { Int($0) }) else { return .decodable }
        if part.isMultipart || part.isMessage { return .noLeaf }
        if case .unknown = ContentTransferEncoding(part.encoding) { return .unknownEncoding }
        return .decodable
    }

    /// The part without its transfer encoding (RFC 3516 §4.2). The last one is kept, so that its pieces cost one decoding.
    mutating func decodedPart(_ path: [UInt32]) async throws(StoreError) -> Content {
        guard !path.isEmpty else { return .range(0..<size) }
        if let lastDecoded, lastDecoded.path == path { return .bytes(lastDecoded.bytes[...]) }
        guard let part = try await parse().part(at: path.map { Int($0) }) else { return .absent }
        let encoding = ContentTransferEncoding(part.encoding)
        switch encoding {
        case .identity: return .range(part.bodyRange)
        case .unknown: return .unknownEncoding
        case .base64, .quotedPrintable:
            // The encoding of a multipart is none of its content's (RFC 2045 §6.4).
            if part.isMultipart || part.isMessage { return .range(part.bodyRange) }
            lastDecoded = nil
            let body = try await read(part.bodyRange)
            let bytes =
                body.count > OpenMessage.largeBytes
                ? await OpenMessage.decodeBeside(body, encoding) : OpenMessage.decode(body, encoding)
            lastDecoded = (path, bytes)
            return .bytes(bytes[...])
        }
    }

    private static func decode(_ body: [UInt8], _ encoding: ContentTransferEncoding) -> [UInt8] {
        body.withUnsafeBytes { encoding.decode($0) }
    }

    @concurrent private static func decodeBeside(_ body: [UInt8], _ encoding: ContentTransferEncoding) async -> [UInt8]
    {
        decode(body, encoding)
    }

    /// The fields with, or without, these names as they stand, and the empty line (RFC 9051 §6.4.5.1).
    private mutating func fields(_ names: [String], areWanted: Bool, in range: Range<Int>) async throws(StoreError)
        -> Content
    {
        let header = try await read(range)
        let wanted = Set(names.map { ASCII.lowercased($0.utf8) })
        var output: [UInt8] = []
        header.withUnsafeBytes { bytes in
            for field in HeaderFields(bytes, in: 0..<bytes.count) {
                let isNamed = wanted.contains(ASCII.lowercased(bytes.clamped(field.name)))
                if isNamed == areWanted { output.append(contentsOf: bytes.clamped(field.whole)) }
            }
        }
        output.append(contentsOf: [ASCII.carriageReturn, ASCII.lineFeed])
        return .bytes(output[...])
    }
}
