internal import MartletBytes
internal import MartletCore

/// Reads one whole response. What it does not understand is `other`: a server may send anything at any time (RFC 9051 §2.2.2).
struct ResponseReader {
    /// A value as FETCH and LIST have them.
    indirect enum Value: Hashable {
        case atom([UInt8])
        case string([UInt8])
        case streamed
        case list([Value])

        var isNIL: Bool { if case .atom(let word) = self { ASCII.equalsIgnoringCase(word, "NIL".utf8) } else { false } }
        /// The octets of an atom or a string.
        var octets: [UInt8]? {
            switch self {
            case .atom(let octets), .string(let octets): octets
            case .streamed, .list: nil
            }
        }
    }

    /// Lists inside each other; a BODYSTRUCTURE that nobody asked for may have some.
    static let maximumDepth = 64

    private var parts: ArraySlice<ResponsePart>
    private var text: ArraySlice<UInt8> = []

    static func read(_ parts: [ResponsePart]) -> ServerResponse {
        guard case .text(let line)? = parts.first else { return .other }
        var reader = ResponseReader(parts: parts.dropFirst(), text: line[...])
        return reader.response() ?? .other
    }

    private mutating func response() -> ServerResponse? {
        if text.first == UInt8(ascii: "+") { return .continuation(text: string(text.dropFirst().drop { $0 == 0x20 })) }
        let tag = word()
        let second = word()
        if let status = ServerResponse.Status(rawValue: string(second.map { ASCII.uppercased($0) })) {
            let code = code()
            let text = string(text)
            guard tag != [UInt8(ascii: "*")] else { return .status(status, code: code, text: text) }
            return .tagged(tag: string(tag), status, code: code, text: text)
        }
        guard tag == [UInt8(ascii: "*")] else { return nil }
        if let number = ASCII.number(second, limit: UInt64(UInt32.max)).map({ UInt32($0) }) {
            switch string(word().map { ASCII.uppercased($0) }) {
            case "EXISTS": return .exists(number)
            case "EXPUNGE": return .expunge(number)
            case "FETCH": return fetched(number).map { .fetch($0) }
            default: return nil
            }
        }
        switch string(second.map { ASCII.uppercased($0) }) {
        case "CAPABILITY": return .capability(words(text))
        case "LIST": return listed().map { .list($0) }
        default: return nil
        }
    }

    // MARK: Words

    /// Up to the next space, which is taken too.
    private mutating func word() -> [UInt8] {
        let word = text.prefix { $0 != ASCII.space }
        text = text.dropFirst(word.count).drop { $0 == ASCII.space }
        return Array(word)
    }

    /// `[CODE words]`, and the space behind it.
    private mutating func code() -> [String] {
        guard text.first == UInt8(ascii: "["), let end = text.firstIndex(of: UInt8(ascii: "]")) else { return [] }
        let inside = text[(text.startIndex + 1)..<end]
        text = text[(end + 1)...].drop { $0 == ASCII.space }
        let parts = inside.split(separator: ASCII.space, maxSplits: 200).map { string($0) }
        guard let name = parts.first?.uppercased() else { return [] }
        return [name] + (name == "CAPABILITY" ? parts.dropFirst().map { $0.uppercased() } : Array(parts.dropFirst()))
    }

    private func words(_ text: ArraySlice<UInt8>) -> [String] {
        text.split(separator: ASCII.space, maxSplits: 500).map { string($0).uppercased() }
    }

    private func string(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

    // MARK: LIST and FETCH

    private mutating func listed() -> ServerResponse.Listed? {
        guard case .list(let attributes)? = value(0), let delimiter = value(0), let name = value(0)?.octets else {
            return nil
        }
        let separator = delimiter.isNIL ? nil : delimiter.octets
        guard separator == nil || separator?.count == 1 else { return nil }
        return ServerResponse.Listed(
            attributes: attributes.compactMap { $0.octets.map { string($0) } }, delimiter: separator?.first, name: name)
    }

    private mutating func fetched(_ number: UInt32) -> ServerResponse.Fetched? {
        guard case .list(let items)? = value(0) else { return nil }
        var result = ServerResponse.Fetched(sequenceNumber: number)
        var index = 0
        while index + 1 < items.count {
            defer { index += 2 }
            guard let name = items[index].octets else { return nil }
            let value = items[index + 1]
            switch string(name.map { ASCII.uppercased($0) }) {
            case "UID":
                result.uid = value.octets.flatMap { ASCII.number($0, limit: UInt64(UInt32.max)) }.map { UInt32($0) }
            case "FLAGS":
                guard case .list(let flags) = value else { return nil }
                result.flags = flags.compactMap { $0.octets.map { string($0) } }
            case "INTERNALDATE": result.internalDate = value.octets.flatMap { Self.dateTime($0) }
            case "BODY[]", "RFC822":
                switch value {
                case .streamed: result.body = .streamed
                case .string(let text): result.body = .text(text)
                case .atom, .list: result.body = .none
                }
            default: break
            }
        }
        return result
    }

    /// RFC 9051 §9 `date-time` without its quotes: ` 4-Nov-2026 11:41:21 +0000`.
    static func dateTime(_ octets: [UInt8]) -> Instant? {
        let words = octets.split(separator: ASCII.space)
        guard words.count == 3 else { return nil }
        let date = words[0].split(separator: UInt8(ascii: "-"))
        let time = words[1].split(separator: UInt8(ascii: ":"))
        guard date.count == 3, time.count == 3, let day = ASCII.number(date[0], limit: 31), day > 0,
            let month = months.firstIndex(where: { ASCII.equalsIgnoringCase($0.utf8, date[1]) }),
            let year = ASCII.number(date[2], limit: 9_999), let hour = ASCII.number(time[0], limit: 23),
            let minute = ASCII.number(time[1], limit: 59), let second = ASCII.number(time[2], limit: 60),
            words[2].count == 5, let zone = ASCII.number(words[2].dropFirst(), limit: 2_359)
        else { return nil }
        let offset = Int(zone) / 100 * 3_600 + Int(zone) % 100 * 60
        let local = Instant(
            year: Int(year), month: month + 1, day: Int(day), hour: Int(hour), minute: Int(minute),
            second: Int(second))
        return local + .seconds(words[2].first == UInt8(ascii: "-") ? offset : -offset)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    // MARK: Values

    /// The next value, with the space behind it; a literal begins where the text before it ends.
    private mutating func value(_ depth: Int) -> Value? {
        guard depth < Self.maximumDepth else { return nil }
        if text.isEmpty {
            guard let part = parts.first else { return nil }
            parts = parts.dropFirst()
            // What follows a literal is text.
            if case .text(let next)? = parts.first {
                text = next.drop { $0 == ASCII.space }
                parts = parts.dropFirst()
            }
            switch part {
            case .string(let octets): return .string(octets)
            case .streamed: return .streamed
            case .text: return nil
            }
        }
        switch text.first {
        case UInt8(ascii: "("): return list(depth)
        case UInt8(ascii: "\""): return quoted()
        default: return atom()
        }
    }

    private mutating func list(_ depth: Int) -> Value? {
        text = text.dropFirst().drop { $0 == ASCII.space }
        var values: [Value] = []
        while true {
            if text.first == UInt8(ascii: ")") {
                text = text.dropFirst().drop { $0 == ASCII.space }
                return .list(values)
            }
            guard let value = value(depth + 1) else { return nil }
            values.append(value)
        }
    }

    private mutating func quoted() -> Value? {
        var octets: [UInt8] = []
        var place = text.startIndex + 1
        while place < text.endIndex {
            var byte = text[place]
            if byte == UInt8(ascii: "\"") {
                text = text[(place + 1)...].drop { $0 == ASCII.space }
                return .string(octets)
            }
            if byte == UInt8(ascii: "\\"), place + 1 < text.endIndex {
                place += 1
                byte = text[place]
            }
            octets.append(byte)
            place += 1
        }
        return nil
    }

    /// A word; the section of `BODY[HEADER.FIELDS (A B)]` belongs to it.
    private mutating func atom() -> Value? {
        var place = text.startIndex
        var isInSection = false
        while place < text.endIndex {
            let byte = text[place]
            if byte == UInt8(ascii: "[") { isInSection = true }
            if byte == UInt8(ascii: "]") { isInSection = false }
            if !isInSection, byte == ASCII.space || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") { break }
            place += 1
        }
        guard place > text.startIndex else { return nil }
        let octets = Array(text[..<place])
        text = text[place...].drop { $0 == ASCII.space }
        return .atom(octets)
    }
}
