internal import MartletBytes

/// Turns a message, given piece by piece, into the rest of a RETR or TOP answer: byte-stuffed, cut after the asked lines,
/// and ended (RFC 1939 §3, §5, §7).
///
/// Octets go out as they are stored, so that RETR sends exactly what LIST says, stuffing and end aside. Lines that end in a
/// bare LF (they come by APPEND only) are therefore not given a CR; a dot behind a bare LF is stuffed too, because clients
/// that split at LF would otherwise take it for the end. A message that does not end in CRLF is given one more CRLF.
public struct POP3MessageWriter: Sendable {
    private enum Part: Sendable, Hashable {
        case header
        /// Lines that may still follow; nil: all.
        case body(left: Int?)
    }

    private var part: Part
    private let lines: Int?
    /// Whether the next octet begins a line.
    private var isAtLineStart = true
    /// Whether the line so far is empty or only a CR: at an LF, this was the line that ends the header.
    private var isLineEmpty = true
    /// Whether that CR has come: a second one is text.
    private var hasCR = false
    private var previous: UInt8 = 0
    private var endsWithCRLF = false
    /// Whether all that was asked for has been written: more pieces would be thrown away.
    public private(set) var isComplete = false

    /// - Parameter lines: how many lines of the body; nil for the whole message.
    public init(lines: Int?) {
        self.lines = lines
        part = lines == nil ? .body(left: nil) : .header
    }

    /// The next octets for the wire. A piece that needs no stuffing is given back as it is, without a copy.
    public mutating func write(_ piece: [UInt8]) -> [UInt8] {
        guard !isComplete, !piece.isEmpty else { return [] }
        let wanted = lines == nil ? piece.count : cut(piece)
        guard wanted > 0 else { return [] }
        let dots = dotPlaces(piece, wanted)
        note(piece, wanted)
        if dots.isEmpty { return wanted == piece.count ? piece : Array(piece[..<wanted]) }
        var stuffed: [UInt8] = []
        stuffed.reserveCapacity(wanted + dots.count)
        var from = 0
        for dot in dots {
            stuffed.append(contentsOf: piece[from..<dot])
            stuffed.append(UInt8(ascii: "."))
            from = dot
        }
        stuffed.append(contentsOf: piece[from..<wanted])
        return stuffed
    }

    /// The end of the answer.
    public mutating func finish() -> [UInt8] {
        isComplete = true
        return Array((endsWithCRLF ? ".\r\n" : "\r\n.\r\n").utf8)
    }

    /// Where lines of the piece begin with a dot.
    private func dotPlaces(_ piece: [UInt8], _ count: Int) -> [Int] {
        var places: [Int] = []
        piece.withUnsafeBytes { bytes in
            if isAtLineStart, bytes[0] == UInt8(ascii: ".") { places.append(0) }
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            var from = 0
            while let end = bytes.firstIndex(ofByte: ASCII.lineFeed, from: from) {
                from = end + 1
                if from < count, bytes[from] == UInt8(ascii: ".") { places.append(from) }
            }
        }
        return places
    }

    private mutating func note(_ piece: [UInt8], _ count: Int) {
        let last = piece[count - 1]
        let beforeLast = count > 1 ? piece[count - 2] : previous
        isAtLineStart = last == ASCII.lineFeed
        endsWithCRLF = isAtLineStart && beforeLast == ASCII.carriageReturn
        previous = last
    }

    /// How much of the piece TOP wants.
    private mutating func cut(_ piece: [UInt8]) -> Int {
        piece.withUnsafeBytes { bytes in
            var from = 0
            if case .body(left: 0?) = part {
                isComplete = true
                return 0
            }
            while let end = bytes.firstIndex(ofByte: ASCII.lineFeed, from: from) {
                let isEmpty =
                    isLineEmpty
                    && (end == from || (!hasCR && end == from + 1 && bytes[from] == ASCII.carriageReturn))
                isLineEmpty = true
                hasCR = false
                from = end + 1
                switch part {
                case .header:
                    if isEmpty { part = .body(left: lines) }
                case .body(let left?):
                    part = .body(left: left - 1)
                case .body(nil):
                    break
                }
                if case .body(left: 0?) = part {
                    isComplete = true
                    return from
                }
            }
            // The rest is the beginning of a line. A CR alone may still become an empty line.
            if from < bytes.count {
                hasCR =
                    isLineEmpty && !hasCR && bytes.count == from + 1 && bytes[from] == ASCII.carriageReturn
                isLineEmpty = hasCR
            }
            return bytes.count
        }
    }
}
