import FuzzSupport

/// Cuts what a server wrote into responses as a strict client does (RFC 9051 §2.2.2, §9 `response`).
struct ResponseReader {
    enum Response: Equatable {
        case continuation
        case untagged(word: String)
        case tagged(String, status: String)
    }

    let bytes: [UInt8]
    var position = 0

    /// The next response; nil at the end.
    mutating func next() -> Response? {
        guard position < bytes.count else { return nil }
        let start = position
        var lineStart = position
        while true {
            guard let end = bytes[position...].firstIndex(of: 0x0A) else { broken("a response ends with CRLF") }
            require(end > lineStart && bytes[end - 1] == 0x0D, "a response ends with CRLF")
            let line = bytes[lineStart..<(end - 1)]
            require(!line.contains(0x0D) && !line.contains(0), "a response is one line")
            position = end + 1
            guard let length = literal(atEndOf: line) else { break }
            require(length <= bytes.count - position, "a literal has the octets that it announces")
            require(!bytes[position..<(position + length)].contains(0), "a literal has no NUL")
            position += length
            lineStart = position
        }
        return response(bytes[start..<position])
    }

    /// `{n}` at the end, not inside the text of a status.
    private func literal(atEndOf line: ArraySlice<UInt8>) -> Int? {
        guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        let words = line.split(separator: 0x20, maxSplits: 2)
        if words.count > 1, ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(text(words[1])) { return nil }
        return Int(text(line[(open + 1)..<(line.endIndex - 1)]))
    }

    private func response(_ whole: ArraySlice<UInt8>) -> Response {
        let words = whole.prefix { $0 != 0x0D }.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        switch text(words[0]) {
        case "+": return .continuation
        case "*":
            guard words.count > 1, !words[1].isEmpty else { broken("a response says something") }
            checkValues(whole)
            return .untagged(word: text(words[1]))
        default:
            require(words.count == 3, "tag, status, text")
            require(["OK", "NO", "BAD"].contains(text(words[1])), "a tagged response is OK, NO or BAD")
            return .tagged(text(words[0]), status: text(words[1]))
        }
    }

    /// The values of LIST, STATUS, ESEARCH, FETCH … have their form.
    private func checkValues(_ whole: ArraySlice<UInt8>) {
        let words = whole.split(separator: 0x20, maxSplits: 2)
        guard words.count == 3, ["LIST", "LSUB", "STATUS", "ID", "FLAGS", "NAMESPACE"].contains(text(words[1])) else {
            return
        }
        let isUTF8 = whole.contains { $0 >= 0x80 }
        let values = Array("(".utf8) + words[2].dropLast(2) + Array(")".utf8)
        require(isUTF8 || IMAPValue(values, allowsEmptyLists: true) != nil, "values have their form")
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
