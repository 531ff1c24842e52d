internal import MartletBytes
public import MartletCore

/// Writes messages as mboxrd: From_ line, `Status` fields, LF line ends, `>` before every line that begins `>…>From `, and an
/// empty line behind each. An `MboxDecoder` reads back the same message when all its line ends are CRLF, with no further CR
/// before them, when it ends with one, and when it has none of the fields in which mbox keeps flags.
///
/// For each message: `begin`, then `append` its octets in pieces of any size, then `end`.
public struct MboxEncoder: Sendable {
    private var lineFeeds = LineFeedWriter()
    private var flags = MailboxFlags()
    /// The header while it is not whole; nil in the body.
    private var header: [UInt8]?
    /// The beginning of a body line that may have to be quoted.
    private var lineStart: [UInt8] = []
    private var isAtLineStart = true

    /// Octets of a header that are gathered.
    static let maximumHeader = 512 << 10

    public init() {}

    /// - Parameters:
    ///   - sender: the envelope sender, empty for none.
    ///   - date: when the message came.
    /// - Returns: octets to write.
    public mutating func begin(sender: [UInt8], date: Instant, flags: MailboxFlags) -> [UInt8] {
        self = MboxEncoder()
        self.flags = flags
        header = []
        return FromLine(sender: sender, date: date).encoded
    }

    /// - Returns: octets to write.
    public mutating func append(_ bytes: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count + 1)
        bytes.withUnsafeBytes { lineFeeds.append($0, to: &plain) }
        return take(plain)
    }

    /// - Returns: octets to write.
    public mutating func end() -> [UInt8] {
        var rest: [UInt8] = []
        lineFeeds.finish(to: &rest)
        var output = take(rest)
        if let header { output += self.header(header, isWhole: false) }
        header = nil
        output += quoted(isLast: true)
        if !isAtLineStart { output.append(ASCII.lineFeed) }
        output.append(ASCII.lineFeed)
        return output
    }

    private mutating func take(_ plain: [UInt8]) -> [UInt8] {
        guard var gathered = header else { return body(plain[...]) }
        let searched = max(0, gathered.count - 1)
        gathered += plain
        let end = Self.endOfHeader(gathered, from: searched)
        if let end, end <= Self.maximumHeader {
            header = nil
            return self.header(Array(gathered[..<end]), isWhole: true) + body(gathered[end...])
        }
        guard gathered.count > Self.maximumHeader else {
            header = gathered
            return []
        }
        // Readers look for flags in the first part of a header: they go to the last line end that is there.
        header = nil
        let cut = gathered[..<Self.maximumHeader].lastIndex(of: ASCII.lineFeed).map { $0 + 1 } ?? 0
        return self.header(Array(gathered[..<cut]), isWhole: false) + body(gathered[cut...])
    }

    /// The place behind the empty line.
    private static func endOfHeader(_ header: [UInt8], from start: Int) -> Int? {
        if header.first == ASCII.lineFeed { return 1 }
        var place = start
        while let end = header[place...].firstIndex(of: ASCII.lineFeed) {
            guard end + 1 < header.count else { return nil }
            if header[end + 1] == ASCII.lineFeed { return end + 2 }
            place = end + 1
        }
        return nil
    }

    /// The header without what it says of flags, with what is so; the empty line stays its last.
    private mutating func header(_ header: [UInt8], isWhole: Bool) -> [UInt8] {
        var fields = isWhole ? Array(header.dropLast()) : header
        _ = StatusFields.take(from: &fields)
        var output: [UInt8] = []
        // A line that looks like a From_ line would end the message before it begins.
        for line in fields.split(separator: ASCII.lineFeed, omittingEmptySubsequences: false) where !line.isEmpty {
            if Self.isFromLine(line) { output.append(UInt8(ascii: ">")) }
            output += line
            output.append(ASCII.lineFeed)
        }
        output += StatusFields.encoded(flags)
        if isWhole { output.append(ASCII.lineFeed) }
        return output
    }

    private mutating func body(_ plain: ArraySlice<UInt8>) -> [UInt8] {
        guard !plain.isEmpty else { return [] }
        var output: [UInt8] = []
        output.reserveCapacity(plain.count + 16)
        var rest = plain
        while !rest.isEmpty {
            if isAtLineStart || !lineStart.isEmpty {
                isAtLineStart = false
                // Enough of the line to see whether it is quoted.
                while let byte = rest.first, Self.mayBeFromLine(lineStart), byte != ASCII.lineFeed {
                    lineStart.append(byte)
                    rest.removeFirst()
                }
                if rest.isEmpty, Self.mayBeFromLine(lineStart) { return output }
                output += quoted(isLast: false)
            }
            guard let end = rest.firstIndex(of: ASCII.lineFeed) else {
                output += rest
                return output
            }
            output += rest[...end]
            rest = rest[(end + 1)...]
            isAtLineStart = true
        }
        return output
    }

    private mutating func quoted(isLast: Bool) -> [UInt8] {
        defer { lineStart = [] }
        return Self.isFromLine(lineStart[...]) ? [UInt8(ascii: ">")] + lineStart : lineStart
    }

    /// Whether more octets could make a quoted From_ line of it. A line of many `>` is not held for ever.
    private static func mayBeFromLine(_ line: [UInt8]) -> Bool {
        guard line.count <= FromLine.maximumQuotes + FromLine.prefix.count else { return false }
        let rest = line.drop { $0 == UInt8(ascii: ">") }
        return rest.count < FromLine.prefix.count && FromLine.prefix.starts(with: rest)
    }

    private static func isFromLine(_ line: ArraySlice<UInt8>) -> Bool {
        let quotes = line.prefix(FromLine.maximumQuotes + 1).prefix { $0 == UInt8(ascii: ">") }.count
        return quotes <= FromLine.maximumQuotes && line.dropFirst(quotes).starts(with: FromLine.prefix)
    }
}
