internal import MartletBytes

/// Reads an mbox file that comes in pieces: messages with CRLF line ends, flags and dates (RFC 4155 and the variants in use).
///
/// A From_ line begins a message when it has a date and an empty line stands before it, or when only one of these holds and the
/// next line is a header field: text that happens to begin with `From ` does not cut a message in two. Memory is bounded by
/// `maximumHeader` and the largest piece given.
///
///     decoder.append(piece)
///     while let event = decoder.next() { … }
///     decoder.finish()
///     while let event = decoder.next() { … }
public struct MboxDecoder: Sendable {
    /// Octets of a header that are gathered to look for flags.
    public static let maximumHeader = 1 << 20
    /// Octets of content in one event, about.
    static let contentPiece = 128 << 10
    /// Octets that a probe asks for.
    public static let probeLength = 8

    enum State: Sendable, Hashable {
        /// Before the first message.
        case beforeFirst
        case header
        case body
        /// A body whose end `Content-Length` tells.
        case counted(end: Int64)
        /// Behind such a body: empty lines, then a From_ line of any form.
        case between
        case probing(end: Int64)
    }

    let variant: MboxVariant
    var state = State.beforeFirst
    var buffer: [UInt8] = []
    /// Where in `buffer` the unread part begins, and where that is in the file.
    var start = 0
    public internal(set) var offset: Int64
    var isFinished = false
    /// Events that are found and not told yet.
    var waiting: [MboxEvent] = []
    /// Content that is not told yet.
    var output: [UInt8] = []
    var normaliser = LineEndingNormaliser()

    // The message that is being read.
    var messageOffset: Int64 = 0
    var line = FromLine(sender: [], date: nil)
    /// Octets of the header in CRLF form.
    var header: [UInt8] = []
    var isLeftOut = false
    var isCounted = false
    /// In the middle of a line whose beginning has been read.
    var isInLine = false
    /// The line before this one is empty; so is what is before the file.
    var followsEmptyLine = true
    /// An empty line of the body that belongs to the message only if more of it comes.
    var heldEmptyLine = false
    /// Octets passed over before the first message.
    var passedOver: Int64 = 0
    var hasMessage = false

    /// - Parameter offset: where in the file the octets begin that will be given: 0, or the `next` of an earlier event.
    public init(variant: MboxVariant = .automatic, offset: Int64 = 0) {
        self.variant = variant
        self.offset = offset
        // Where a message ended, the next From_ line counts as it did when the message was read.
        if offset > 0 { state = .between }
    }

    /// Octets that are held.
    public var heldBytes: Int { buffer.count - start + output.count + header.count }

    /// The next piece of the file. Ask `next` until it gives nil before the next one.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(!isFinished, "the file is over")
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    public mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// The file is over.
    public mutating func finish() { isFinished = true }

    /// The answer to `.probe`: up to `probeLength` octets from there on; empty at the end of the file, nil beyond it or when that
    /// cannot be known.
    public mutating func probed(_ bytes: [UInt8]?) {
        guard case .probing(let end) = state else { return }
        if let bytes, Self.endsMessage(bytes) {
            state = .counted(end: end)
            isCounted = true
        } else {
            state = .body
            waiting.append(.damage(.wrongContentLength(end - offset), offset: messageOffset))
        }
    }

    /// At the end of the file, or before a From_ line with or without an empty line.
    private static func endsMessage(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        if rest.first == ASCII.carriageReturn, rest.dropFirst().first == ASCII.lineFeed { rest.removeFirst() }
        if rest.first == ASCII.lineFeed { rest.removeFirst() }
        return rest.isEmpty || rest.starts(with: FromLine.prefix)
    }

    /// The next event; nil when more octets are needed, or when all is told after `finish`.
    public mutating func next() -> MboxEvent? {
        while true {
            if !waiting.isEmpty { return waiting.removeFirst() }
            if case .probing(let end) = state { return .probe(offset: end) }
            if output.count >= Self.contentPiece { return takeOutput() }
            guard step() else { break }
        }
        if !waiting.isEmpty { return waiting.removeFirst() }
        return output.isEmpty ? nil : takeOutput()
    }

    private mutating func takeOutput() -> MboxEvent {
        defer { output = [] }
        return .content(output)
    }

    // MARK: Messages

    /// The header begins with its empty line.
    var isHeaderEmptyLine: Bool { header.count == 2 && header[1] == ASCII.lineFeed }

    /// A From_ line was read.
    mutating func begin(at offset: Int64, _ line: FromLine) {
        noteWhatWasPassedOver()
        messageOffset = offset
        self.line = line
        header = []
        hasMessage = true
        isLeftOut = false
        isCounted = false
        heldEmptyLine = false
        followsEmptyLine = false
        normaliser = LineEndingNormaliser()
        state = .header
    }

    mutating func noteWhatWasPassedOver() {
        if passedOver > 0 { waiting.append(.damage(.noFromLine(octets: passedOver), offset: 0)) }
        passedOver = 0
    }

    /// The header is there: with its empty line, or as far as the limit or the end of the message lets it.
    mutating func endHeader() {
        let status = StatusFields.take(from: &header)
        isLeftOut = status.isFolderData
        if !isLeftOut {
            waiting.append(.began(MboxMessageHead(offset: messageOffset, line: line, flags: status.flags)))
            output = header
        }
        header = []
        state = .body
        if let length = status.contentLength, variant.usesContentLength, !isLeftOut {
            let (end, overflow) = offset.addingReportingOverflow(length)
            if !overflow { state = .probing(end: end) }
        }
    }

    /// The message is over: `next` is where another may begin.
    mutating func endMessage(next: Int64) {
        if case .header = state {
            guard !header.isEmpty, !isHeaderEmptyLine else {
                header = []
                waiting.append(.damage(.emptyMessage, offset: messageOffset))
                return
            }
            endHeader()
        }
        if isLeftOut {
            waiting.append(.folderData(next: next))
            return
        }
        if !output.isEmpty { waiting.append(takeOutput()) }
        if normaliser.removedNULs > 0 {
            waiting.append(.damage(.nuls(normaliser.removedNULs), offset: messageOffset))
        }
        waiting.append(.ended(next: next))
    }
}
