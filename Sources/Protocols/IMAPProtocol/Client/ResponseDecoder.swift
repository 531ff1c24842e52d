internal import MartletBytes

/// Cuts what an IMAP server sends into responses (RFC 9051 §2.2.2). The text of a message in a FETCH comes in pieces, so that its
/// size costs no memory; all else is bounded by `maximumResponse`.
///
/// Give it octets with `append`, then ask `next` until it gives nil.
public struct ResponseDecoder: Sendable {
    public enum Event: Sendable, Hashable {
        /// A message's text is coming; `response(.fetch)` follows behind its last `body`.
        case bodyBegan(octets: UInt64)
        case body([UInt8])
        case response(ServerResponse)
    }

    public enum Failure: Error, Sendable, Hashable {
        /// A response without its messages' text is longer than `maximumResponse`.
        case tooLong
    }

    /// Octets of a response but for the text of messages.
    public static let maximumResponse = 1 << 20
    /// Octets of a message's text in one event.
    static let bodyPiece = 64 << 10

    private enum State: Sendable {
        case text
        /// Octets of a literal that are still to come; `isBody`: they are passed on.
        case literal(UInt64, isBody: Bool)
    }

    private var buffer: [UInt8] = []
    private var start = 0
    private var state = State.text
    /// Where the search for the line's end goes on, behind `start`.
    private var searched = 0
    private var parts: [ResponsePart] = []
    /// What has come of a literal that is not passed on.
    private var literal: [UInt8] = []
    /// Octets in `parts`.
    private var gathered = 0

    public init() {}

    /// Octets that were given and are not told yet.
    public var heldBytes: Int { buffer.count - start + gathered }
    /// Whether nothing of a response has come yet: the moment for STARTTLS.
    public var isEmpty: Bool { heldBytes == 0 && parts.isEmpty }

    public mutating func append(_ bytes: [UInt8]) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer += bytes
    }

    /// The next event; nil when more octets are needed.
    public mutating func next() throws(Failure) -> Event? {
        while true {
            switch state {
            case .literal(let left, let isBody):
                if left == 0 {
                    parts.append(isBody ? .streamed : .string(literal))
                    literal = []
                    state = .text
                    continue
                }
                let available = min(buffer.count - start, Self.bodyPiece)
                guard available > 0 else { return nil }
                let count = left < UInt64(available) ? Int(left) : available
                let piece = Array(buffer[start..<(start + count)])
                start += count
                state = .literal(left - UInt64(count), isBody: isBody)
                if isBody { return .body(piece) }
                gathered += count
                guard gathered <= Self.maximumResponse else { throw .tooLong }
                literal += piece
            case .text:
                guard let line = try takeLine() else { return nil }
                gathered += line.count
                guard gathered <= Self.maximumResponse else { throw .tooLong }
                if let announced = Self.literal(at: line) {
                    parts.append(.text(Array(line[..<announced.start])))
                    let isBody = isMessageText
                    state = .literal(announced.length, isBody: isBody)
                    if isBody { return .bodyBegan(octets: announced.length) }
                    continue
                }
                parts.append(.text(line))
                let response = ResponseReader.read(parts)
                parts = []
                gathered = 0
                return .response(response)
            }
        }
    }

    /// A line without its end, which is CRLF or, from servers that know no better, LF.
    private mutating func takeLine() throws(Failure) -> [UInt8]? {
        guard let end = buffer[(start + searched)...].firstIndex(of: ASCII.lineFeed) else {
            searched = buffer.count - start
            guard searched <= Self.maximumResponse else { throw .tooLong }
            return nil
        }
        var line = buffer[start..<end]
        if line.last == ASCII.carriageReturn { line.removeLast() }
        searched = 0
        start = end + 1
        return Array(line)
    }

    /// `{12}` or `~{12}` at the end of a line.
    private static func literal(at line: [UInt8]) -> (start: Int, length: UInt64)? {
        guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")),
            let length = ASCII.number(line[(open + 1)..<(line.count - 1)], limit: UInt64(Int64.max))
        else { return nil }
        let isBinary = open > 0 && line[open - 1] == UInt8(ascii: "~")
        return (isBinary ? open - 1 : open, length)
    }

    /// Whether what is gathered is a FETCH that now comes to `BODY[]` or `RFC822`.
    private var isMessageText: Bool {
        guard case .text(let first)? = parts.first, case .text(let last)? = parts.last else { return false }
        let words = first.split(separator: ASCII.space, maxSplits: 3)
        guard words.count >= 3, words[0].elementsEqual("*".utf8), ASCII.number(words[1]) != nil,
            ASCII.equalsIgnoringCase(words[2], "FETCH".utf8)
        else { return false }
        let name = last.reversed().drop { $0 == ASCII.space }.prefix {
            $0 != ASCII.space && $0 != UInt8(ascii: "(")
        }.reversed()
        return ASCII.equalsIgnoringCase(Array(name), "BODY[]".utf8)
            || ASCII.equalsIgnoringCase(Array(name), "RFC822".utf8)
    }
}

/// A response in the parts in which it comes.
enum ResponsePart: Sendable, Hashable {
    case text([UInt8])
    /// A literal.
    case string([UInt8])
    /// A literal that was passed on.
    case streamed
}
