internal import MartletBytes

/// Makes CRLF of every line end of a message that comes in pieces, as the store and IMAP want it, and leaves out NUL, which no
/// message may hold (RFC 5322 §2.3, RFC 9051 §4.3). A CR alone stays.
public struct LineEndingNormaliser: Sendable, Hashable {
    private var endsInCarriageReturn = false
    /// NUL octets that were left out.
    public private(set) var removedNULs: Int64 = 0

    public init() {}

    /// Appends a piece to `output`. O(n) at memory speed.
    public mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        if bytes.firstIndex(ofByte: 0) != nil {
            let kept = bytes.filter { $0 != 0 }
            removedNULs &+= Int64(bytes.count - kept.count)
            return kept.withUnsafeBytes { normalise($0, to: &output) }
        }
        normalise(bytes, to: &output)
    }

    private mutating func normalise(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        guard let last = bytes.last else { return }
        var start = 0
        while let end = bytes.firstIndex(ofByte: ASCII.lineFeed, from: start) {
            output.append(contentsOf: bytes[start..<end])
            let hasReturn = end > 0 ? bytes[end - 1] == ASCII.carriageReturn : endsInCarriageReturn
            if !hasReturn { output.append(ASCII.carriageReturn) }
            output.append(ASCII.lineFeed)
            start = end + 1
        }
        output.append(contentsOf: bytes[start...])
        endsInCarriageReturn = last == ASCII.carriageReturn
    }

    public mutating func append(_ bytes: [UInt8], to output: inout [UInt8]) {
        bytes.withUnsafeBytes { append($0, to: &output) }
    }
}

/// Makes LF of every CRLF of a message that comes in pieces: what programs on Unix expect in files.
public struct LineFeedWriter: Sendable, Hashable {
    private var heldReturn = false

    public init() {}

    public mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var start = 0
        if heldReturn, let first = bytes.first {
            if first != ASCII.lineFeed { output.append(ASCII.carriageReturn) }
            heldReturn = false
        }
        while let place = bytes.firstIndex(ofByte: ASCII.carriageReturn, from: start) {
            output.append(contentsOf: bytes[start..<place])
            start = place + 1
            if start == bytes.count {
                heldReturn = true
            } else if bytes[start] != ASCII.lineFeed {
                output.append(ASCII.carriageReturn)
            }
        }
        output.append(contentsOf: bytes[start...])
    }

    /// The message is over.
    public mutating func finish(to output: inout [UInt8]) {
        if heldReturn { output.append(ASCII.carriageReturn) }
        heldReturn = false
    }
}
