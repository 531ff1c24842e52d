internal import MartletBytes

/// Writes header fields and the fields of reports, folded at spaces (RFC 5322 §2.2.3). No value can add a field or a
/// line: control characters become spaces.
struct FieldWriter {
    /// Octets of a line that is folded where it can be (RFC 5322 §2.1.1, RFC 2047 §2).
    static let preferredLineLength = 76
    /// Octets of a word, or of a value that must not be folded. With the name it stays below the 998 of RFC 5322
    /// §2.1.1.
    static let maximumWordLength = 900

    private(set) var bytes: [UInt8] = []

    /// Folds at spaces; a word that no line has room for is broken.
    mutating func add(_ name: String, _ value: String) {
        var line = Array("\(name):".utf8)
        var hasWord = false
        for word in Self.words(value) {
            if hasWord, line.count + word.count + 1 > Self.preferredLineLength {
                end(line)
                line = []
            }
            line.append(ASCII.space)
            line += word
            hasWord = true
        }
        end(line)
    }

    /// On one line, spaces kept; cut at `maximumWordLength` octets.
    mutating func addUnfolded(_ name: String, _ value: String) {
        let text = Self.withoutControls(Self.prefix(Array(value.utf8)))
        end(Array("\(name): ".utf8) + text)
    }

    /// The empty line that ends a block of fields.
    mutating func endBlock() { end([]) }

    private mutating func end(_ line: [UInt8]) { bytes += line + [ASCII.carriageReturn, ASCII.lineFeed] }

    private static func words(_ value: String) -> [ArraySlice<UInt8>] {
        var words: [ArraySlice<UInt8>] = []
        for var word in withoutControls(Array(value.utf8)).split(separator: ASCII.space) {
            while word.count > maximumWordLength {
                let piece = prefix(word)
                words.append(piece)
                word = word[piece.endIndex...]
            }
            words.append(word)
        }
        return words
    }

    /// At most `maximumWordLength` octets, no character of UTF-8 cut in two.
    private static func prefix<Bytes: RandomAccessCollection<UInt8>>(_ bytes: Bytes) -> Bytes.SubSequence
    where Bytes.Index == Int {
        guard bytes.count > maximumWordLength else { return bytes[...] }
        var end = bytes.startIndex + maximumWordLength
        while end > bytes.startIndex + maximumWordLength - 4, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return bytes[..<end]
    }

    private static func withoutControls(_ bytes: some Collection<UInt8>) -> [UInt8] {
        bytes.map { $0 < 0x20 || $0 == 0x7F ? ASCII.space : $0 }
    }
}
