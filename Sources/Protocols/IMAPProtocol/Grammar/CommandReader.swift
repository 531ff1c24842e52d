internal import MartletBytes

/// A place in the bytes of a command. The functions read one rule of the grammar each and leave `index` behind it.
///
/// `UnsafeRawBufferPointer` is not checked in release builds: all access goes through `peek`, which is.
struct CommandReader {
    let bytes: UnsafeRawBufferPointer
    let parser: CommandParser
    var index = 0
    var tag: String?
    /// Set by SEARCH, see `CommandParseError.savesResult`.
    var savesResult = false

    var limits: IMAPLimits { parser.limits }

    init(bytes: UnsafeRawBufferPointer, parser: CommandParser) {
        self.bytes = bytes
        self.parser = parser
    }

    func failure(_ reason: CommandParseError.Reason) -> CommandParseError {
        failure(reason, at: index)
    }
    func failure(_ reason: CommandParseError.Reason, at offset: Int) -> CommandParseError {
        CommandParseError(tag: tag, offset: offset, reason: reason, savesResult: savesResult)
    }

    /// The next octet, NUL at the end: NUL stands in no rule.
    @inline(__always)
    func peek(_ ahead: Int = 0) -> UInt8 {
        let position = index + ahead
        return position < bytes.count ? bytes[position] : 0
    }

    var isAtEnd: Bool { index >= bytes.count }

    mutating func readIf(_ octet: UInt8) -> Bool {
        guard peek() == octet else { return false }
        index += 1
        return true
    }

    mutating func expect(_ octet: UInt8, _ what: CommandParseError.Expected) throws(CommandParseError) {
        guard readIf(octet) else { throw failure(.expected(what)) }
    }

    /// SP
    mutating func readSpace() throws(CommandParseError) {
        guard readIf(0x20) else { throw failure(.expected(.space)) }
    }

    /// `(`
    mutating func readOpen() throws(CommandParseError) { try expect(0x28, .list) }
    /// `)`
    mutating func readClose() throws(CommandParseError) { try expect(0x29, .listEnd) }

    func expectEnd() throws(CommandParseError) {
        guard isAtEnd else { throw failure(.trailingData) }
    }

    // MARK: Words

    mutating func readTag() throws(CommandParseError) -> String {
        while Octet.isTag(peek()) {
            index += 1
            if index > limits.tagBytes { throw failure(.limit(.tagBytes)) }
        }
        guard index > 0, peek() == 0x20 else {
            index = 0
            throw failure(.missingTag)
        }
        let tag = string(0..<index)
        self.tag = tag
        index += 1
        return tag
    }

    /// 1*ATOM-CHAR
    mutating func readAtom() throws(CommandParseError) -> Range<Int> {
        let start = index
        while Octet.isAtom(peek()) { index += 1 }
        guard index > start else { throw failure(.expected(.atom)) }
        return start..<index
    }

    /// Letters, digits, `.`, `-`, `=` and `_`: names of commands, items and options, which may have `[` or `(` behind them.
    mutating func readWord() -> Range<Int> {
        let start = index
        while true {
            let octet = peek()
            let letter = octet | 0x20
            guard
                letter &- 0x61 < 26 || ASCII.isDigit(octet) || octet == 0x2E || octet == 0x2D || octet == 0x3D
                    || octet == 0x5F
            else { break }
            index += 1
        }
        return start..<index
    }

    /// Whether the word in `range` is `name` (in capitals), without regard to ASCII case.
    @inline(__always)
    func word(_ range: Range<Int>, is name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard range.count == count else { return false }
        let expected = name.utf8Start
        for offset in 0..<count where ASCII.uppercased(bytes[range.lowerBound + offset]) != expected[offset] {
            return false
        }
        return true
    }

    /// ASCII of a range that has been looked at.
    func string(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    func uppercased(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]).map { ASCII.uppercased($0) }, as: UTF8.self)
    }

    /// A list in parentheses with one SP between elements. `isEmptyAllowed` admits `()`.
    mutating func readList(
        isEmptyAllowed: Bool, _ element: (inout CommandReader) throws(CommandParseError) -> Void
    ) throws(CommandParseError) {
        try readOpen()
        if isEmptyAllowed, readIf(0x29) { return }
        var count = 0
        while true {
            count += 1
            if count > limits.listElements { throw failure(.limit(.listElements)) }
            try element(&self)
            if readIf(0x29) { return }
            guard readIf(0x20) else { throw failure(.expected(.listEnd)) }
        }
    }

    // MARK: Numbers

    /// number64 and, by `maximum` and `minimum`, number, nz-number and mod-sequence values.
    mutating func readNumber(minimum: UInt64 = 0, maximum: UInt64) throws(CommandParseError) -> UInt64 {
        let start = index
        var value: UInt64 = 0
        while ASCII.isDigit(peek()) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[index] &- 0x30))
            guard !overflow, !carry, sum <= maximum else { throw failure(.numberOutOfRange, at: start) }
            value = sum
            index += 1
        }
        guard index > start else { throw failure(.expected(.number)) }
        guard value >= minimum else { throw failure(.numberOutOfRange, at: start) }
        return value
    }

    /// nz-number
    mutating func readNonZero32() throws(CommandParseError) -> UInt32 {
        UInt32(truncatingIfNeeded: try readNumber(minimum: 1, maximum: UInt64(UInt32.max)))
    }
    /// number64 and mod-sequence values have 63 bits (RFC 9051 §9, RFC 7162 §7).
    mutating func readNumber64(minimum: UInt64 = 0) throws(CommandParseError) -> UInt64 {
        try readNumber(minimum: minimum, maximum: UInt64(Int64.max))
    }

    // MARK: Sets

    mutating func readSequenceSet() throws(CommandParseError) -> SequenceSet {
        if readIf(0x24) { return .savedResult }
        var ranges: [SequenceRange] = []
        repeat {
            if ranges.count == limits.setElements { throw failure(.limit(.setElements)) }
            let first = try readSequenceNumber()
            ranges.append(SequenceRange(first, readIf(0x3A) ? try readSequenceNumber() : first))
        } while readIf(0x2C)
        return .ranges(ranges)
    }

    private mutating func readSequenceNumber() throws(CommandParseError) -> UInt32 {
        if readIf(0x2A) { return SequenceRange.star }
        guard ASCII.isDigit(peek()) else { throw failure(.expected(.sequenceSet)) }
        return try readNonZero32()
    }
}
