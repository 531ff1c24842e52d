internal import MartletBytes

/// Cuts what a client sends into lines. A line ends with LF; a CR before it belongs to the end (RFC 1939 §3 wants CRLF,
/// some clients send LF alone, and no second party reads these bytes differently).
public struct POP3LineReader: Sendable {
    public enum Line: Sendable, Hashable {
        /// Without its end.
        case line([UInt8])
        /// Longer than `POP3Limits.line`. Its bytes are gone.
        case tooLong
    }

    private var bytes: [UInt8] = []
    private var start = 0
    /// Where to look on for the end of the line.
    private var scanned = 0
    private var isDiscarding = false

    public init() {}

    /// Octets that wait.
    public var count: Int { bytes.count - start }

    public mutating func append(_ new: some Sequence<UInt8>) {
        if start > 0 {
            bytes.removeFirst(start)
            scanned -= start
            start = 0
        }
        bytes.append(contentsOf: new)
    }

    /// The next line, or nil when more bytes are needed.
    public mutating func next() -> Line? {
        let end = bytes.withUnsafeBytes { $0.firstIndex(ofByte: ASCII.lineFeed, from: scanned) }
        guard let end else {
            scanned = bytes.count
            if isDiscarding || count > POP3Limits.line + 1 {
                isDiscarding = true
                removeAll()
            }
            return nil
        }
        var line = bytes[start..<end]
        start = end + 1
        scanned = start
        if isDiscarding {
            isDiscarding = false
            return .tooLong
        }
        if line.last == ASCII.carriageReturn { line.removeLast() }
        guard line.count <= POP3Limits.line else { return .tooLong }
        let copy = Array(line)
        if start == bytes.count { removeAll() }
        return .line(copy)
    }

    /// Throws away what waits: bytes that came before a TLS handshake are never used after it.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 4_096)
        start = 0
        scanned = 0
    }
}
