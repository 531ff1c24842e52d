internal import MartletBytes

/// One field of a header block as places in the message (RFC 5322 §2.2).
public struct HeaderField: Sendable, Hashable {
    /// The name, without the colon and spaces before it.
    public var name: Range<Int>
    /// Everything behind the colon up to the line end of the last folded line, that line end left out.
    public var value: Range<Int>
    /// The field with its line ends: what HEADER.FIELDS gives.
    public var whole: Range<Int>
}

/// Walks the fields of a header block: lines that fold belong together, a line without a colon is skipped.
///
/// LF alone ends a line too: such messages are stored by APPEND. Stops at the empty line, at the end of `range`, or at a limit.
public struct HeaderFields: Sequence, IteratorProtocol {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next field begins; after the last one, where the empty line stands or the walk gave up.
    private(set) var position: Int
    private let end: Int
    private var fieldsLeft: Int

    /// - Parameters:
    ///   - bytes: the whole message; must outlive the walk.
    ///   - range: the header block, with or without its empty line.
    public init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>, limits: MessageLimits = .default) {
        self.bytes = bytes
        position = Swift.max(0, range.lowerBound)
        end = Swift.min(bytes.count, range.upperBound, Swift.max(0, range.lowerBound) + limits.maximumHeaderBytes)
        fieldsLeft = limits.maximumFields
    }

    public mutating func next() -> HeaderField? {
        while position < end, fieldsLeft > 0 {
            let start = position
            var lineEnd = Self.endOfLine(bytes, from: start, limit: end)
            // The empty line ends the block.
            if Self.isEmptyLine(bytes, start, lineEnd) { return nil }
            let firstLineEnd = lineEnd
            while lineEnd < end, ASCII.isSpaceOrTab(bytes[lineEnd]) {
                // A folded line that is empty but for its space still folds (RFC 5322 §4.2 obs-FWS).
                lineEnd = Self.endOfLine(bytes, from: lineEnd, limit: end)
            }
            position = lineEnd
            fieldsLeft -= 1
            // A name is not folded: the colon is looked for in the first line, so that no octet is looked at for two fields.
            guard let nameLength = bytes.clamped(start..<firstLineEnd).firstIndex(ofByte: UInt8(ascii: ":")) else {
                continue
            }
            let colon = start + nameLength
            var nameEnd = colon
            while nameEnd > start, ASCII.isSpaceOrTab(bytes[nameEnd - 1]) { nameEnd -= 1 }
            guard nameEnd > start, Self.isName(bytes, start..<nameEnd) else { continue }
            var valueEnd = lineEnd
            if valueEnd > colon + 1, bytes[valueEnd - 1] == ASCII.lineFeed { valueEnd -= 1 }
            if valueEnd > colon + 1, bytes[valueEnd - 1] == ASCII.carriageReturn { valueEnd -= 1 }
            return HeaderField(name: start..<nameEnd, value: (colon + 1)..<valueEnd, whole: start..<lineEnd)
        }
        return nil
    }

    /// Whether `field` has this name, which is given in lower case.
    public func isNamed(_ field: HeaderField, _ lowercaseName: StaticString) -> Bool {
        field.name.count == lowercaseName.utf8CodeUnitCount
            && bytes.hasPrefixIgnoringCase(lowercaseName, at: field.name.lowerBound)
    }

    /// The value with its folding undone and spaces at both ends removed (RFC 5322 §2.2.3).
    public func unfolded(_ field: HeaderField) -> [UInt8] { Self.unfold(bytes, field.value) }

    /// The octets of `range` with folding undone and spaces at both ends removed.
    public static func unfold(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> [UInt8] {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high, isSpace(bytes[low]) { low += 1 }
        while high > low, isSpace(bytes[high - 1]) { high -= 1 }
        var output: [UInt8] = []
        output.reserveCapacity(high - low)
        for index in low..<high where bytes[index] != ASCII.carriageReturn && bytes[index] != ASCII.lineFeed {
            output.append(bytes[index])
        }
        return output
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        ASCII.isSpaceOrTab(byte) || byte == ASCII.carriageReturn || byte == ASCII.lineFeed
    }

    /// The index behind the line end, or `limit`.
    static func endOfLine(_ bytes: UnsafeRawBufferPointer, from start: Int, limit: Int) -> Int {
        guard let length = bytes.clamped(start..<limit).firstIndex(ofByte: ASCII.lineFeed) else { return limit }
        return start + length + 1
    }

    /// The index behind the empty line that ends the header which begins at `start`; the end of the message when there is none.
    static func endOfHeader(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var place = start
        while place < bytes.count {
            let lineEnd = endOfLine(bytes, from: place, limit: bytes.count)
            if isEmptyLine(bytes, place, lineEnd) { return lineEnd }
            place = lineEnd
        }
        return bytes.count
    }

    static func isEmptyLine(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Bool {
        switch end - start {
        case 1: bytes[start] == ASCII.lineFeed
        case 2: bytes[start] == ASCII.carriageReturn && bytes[start + 1] == ASCII.lineFeed
        default: false
        }
    }

    /// RFC 5322 §2.2: printable ASCII but colon. RFC 6532 does not change that.
    private static func isName(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count <= 998 else { return false }
        for index in range where bytes[index] <= 0x20 || bytes[index] >= 0x7F { return false }
        return true
    }
}
