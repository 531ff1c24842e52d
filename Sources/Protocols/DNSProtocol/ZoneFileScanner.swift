internal import MartletBytes

/// Cuts a master file into entries: words, without comments, over several lines where parentheses say so (RFC 1035 §5.1).
struct ZoneFileScanner {
    struct Word {
        /// As written, backslashes too, without the quotes.
        var text: ArraySlice<UInt8>
        var isQuoted: Bool
        var line: Int
    }

    struct Entry {
        var words: [Word]
        /// A blank at the start of the line: the owner is that of the entry before.
        var startsWithBlank: Bool
        var line: Int
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next entry that has words; nil at the end. After an error the rest of the line is passed over.
    mutating func next() throws(ZoneFileError) -> Entry? {
        while position < bytes.count {
            if let entry = try entry(), !entry.words.isEmpty { return entry }
        }
        return nil
    }

    private mutating func entry() throws(ZoneFileError) -> Entry? {
        var entry = Entry(words: [], startsWithBlank: ASCII.isSpaceOrTab(bytes[position]), line: line)
        var openedAt: Int?
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case ASCII.lineFeed:
                position += 1
                line += 1
                if openedAt == nil { return entry }
            case ASCII.space, ASCII.tab, ASCII.carriageReturn: position += 1
            case UInt8(ascii: ";"):
                position = bytes[position...].firstIndex(of: ASCII.lineFeed) ?? bytes.count
            case UInt8(ascii: "("):
                guard openedAt == nil else { throw fail("parentheses stand within each other") }
                openedAt = line
                position += 1
            case UInt8(ascii: ")"):
                guard openedAt != nil else { throw fail("a “)” closes nothing") }
                openedAt = nil
                position += 1
            case UInt8(ascii: "\""): entry.words.append(try quoted())
            default: entry.words.append(try word())
            }
        }
        if let openedAt { throw ZoneFileError(line: openedAt, problem: "a “(” is not closed") }
        return entry
    }

    private mutating func quoted() throws(ZoneFileError) -> Word {
        let start = position + 1
        position = start
        while position < bytes.count, bytes[position] != ASCII.lineFeed {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return Word(text: bytes[start..<(position - 1)], isQuoted: true, line: line)
            case UInt8(ascii: "\\") where position + 1 < bytes.count && bytes[position + 1] != ASCII.lineFeed:
                position += 2
            default: position += 1
            }
        }
        throw fail("a quoted string is not closed")
    }

    private mutating func word() throws(ZoneFileError) -> Word {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case ASCII.space, ASCII.tab, ASCII.carriageReturn, ASCII.lineFeed, UInt8(ascii: ";"), UInt8(ascii: "("),
                UInt8(ascii: ")"), UInt8(ascii: "\""):
                return Word(text: bytes[start..<position], isQuoted: false, line: line)
            case 0..<0x20, 0x7F: throw fail("a control character: is this a text file?")
            case UInt8(ascii: "\\") where position + 1 < bytes.count && bytes[position + 1] != ASCII.lineFeed:
                position += 2
            default: position += 1
            }
        }
        return Word(text: bytes[start...], isQuoted: false, line: line)
    }

    private mutating func fail(_ problem: String) -> ZoneFileError {
        let error = ZoneFileError(line: line, problem: problem)
        let end = bytes[position...].firstIndex(of: ASCII.lineFeed)
        position = end.map { $0 + 1 } ?? bytes.count
        if end != nil { line += 1 }
        return error
    }
}
