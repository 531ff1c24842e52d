internal import MartletBytes

/// Reads the fields of a record behind its type, one by one (RFC 1035 §5.1).
struct RecordDataReader {
    private let type: DNSRecordType
    private let origin: DNSName
    private let line: Int
    private var words: ArraySlice<ZoneFileScanner.Word>

    static func read(
        _ type: DNSRecordType, _ words: ArraySlice<ZoneFileScanner.Word>, origin: DNSName, line: Int
    ) throws(ZoneFileError) -> DNSRecordData {
        var reader = RecordDataReader(type: type, origin: origin, line: line, words: words)
        let data = try reader.data()
        if let extra = reader.words.first {
            throw ZoneFileError(line: extra.line, problem: "\(type.name) has too many fields: “\(told(extra))”")
        }
        return data
    }

    private mutating func data() throws(ZoneFileError) -> DNSRecordData {
        switch type {
        case .a: return .a(try address("an IPv4 address", AddressText.ipv4))
        case .aaaa: return .aaaa(try address("an IPv6 address", AddressText.ipv6))
        case .ns: return .ns(try name("the server"))
        case .cname: return .cname(try name("the other name"))
        case .ptr: return .ptr(try name("the name"))
        case .mx:
            return .mx(
                preference: UInt16(try number("preference", .init(UInt16.max))), exchange: try name("the exchange"))
        case .txt: return .txt(try strings())
        case .soa:
            return .soa(
                DNSRecordData.StartOfAuthority(
                    primary: try name("the primary server"), responsible: try name("the mailbox"),
                    serial: UInt32(try number("serial", .init(UInt32.max))), refresh: try time("refresh"),
                    retry: try time("retry"), expire: try time("expire"), minimum: try time("minimum")))
        case .srv:
            return .srv(
                priority: UInt16(try number("priority", .init(UInt16.max))),
                weight: UInt16(try number("weight", .init(UInt16.max))),
                port: UInt16(try number("port", .init(UInt16.max))), target: try name("the target"))
        case .tlsa:
            return .tlsa(
                usage: UInt8(try number("usage", .init(UInt8.max))),
                selector: UInt8(try number("selector", .init(UInt8.max))),
                matchingType: UInt8(try number("matching type", .init(UInt8.max))), data: try hex("certificate data"))
        case .caa:
            return .caa(flags: UInt8(try number("flags", .init(UInt8.max))), tag: try tag(), value: try string("value"))
        }
    }

    private mutating func next(_ what: String) throws(ZoneFileError) -> ZoneFileScanner.Word {
        guard let word = words.popFirst() else {
            throw ZoneFileError(line: line, problem: "\(type.name) lacks \(what)")
        }
        return word
    }

    private func fail(_ word: ZoneFileScanner.Word, _ problem: String) -> ZoneFileError {
        ZoneFileError(line: word.line, problem: "\(type.name): “\(RecordDataReader.told(word))” \(problem)")
    }

    /// Words of the file that are quoted in a message are cut there.
    static func told(_ word: ZoneFileScanner.Word) -> String { String(decoding: word.text.prefix(64), as: UTF8.self) }

    private mutating func address(_ what: String, _ parse: (ArraySlice<UInt8>) -> [UInt8]?) throws(ZoneFileError)
        -> [UInt8]
    {
        let word = try next(what)
        guard let octets = parse(word.text) else { throw fail(word, "is not \(what)") }
        return octets
    }

    private mutating func name(_ what: String) throws(ZoneFileError) -> DNSName {
        try RecordDataReader.name(try next(what), origin: origin)
    }

    /// A name as written: `@` is the origin, what does not end with a dot is below it.
    static func name(_ word: ZoneFileScanner.Word, origin: DNSName) throws(ZoneFileError) -> DNSName {
        if word.text.elementsEqual([UInt8(ascii: "@")]), !word.isQuoted { return origin }
        switch DNSName.parse(word.text) {
        case .failure(let error):
            throw ZoneFileError(line: word.line, problem: "the name “\(told(word))” \(error.summary)")
        case .success(let parsed):
            guard let name = DNSName(labels: parsed.isAbsolute ? parsed.labels : parsed.labels + origin.labels) else {
                throw ZoneFileError(
                    line: word.line, problem: "the name “\(told(word))” \(DNSName.ParseError.tooLong.summary)")
            }
            return name
        }
    }

    private mutating func number(_ what: String, _ limit: UInt64) throws(ZoneFileError) -> UInt64 {
        let word = try next(what)
        guard let number = ASCII.number(word.text, limit: limit) else {
            throw fail(word, "is no \(what), a number from 0 to \(limit)")
        }
        return number
    }

    private mutating func time(_ what: String) throws(ZoneFileError) -> UInt32 {
        let word = try next(what)
        guard let seconds = RecordDataReader.seconds(word.text) else {
            throw fail(word, "is no \(what), seconds or a time such as 1h30m")
        }
        return seconds
    }

    /// `3600`, or with the units that name servers take: `1h30m`, `2w`. nil when it is no time, or beyond 2³¹ - 1 seconds.
    static func seconds(_ text: ArraySlice<UInt8>) -> UInt32? {
        let limit: UInt64 = 0x7FFF_FFFF
        if let plain = ASCII.number(text, limit: limit) { return UInt32(plain) }
        let units: [UInt8: UInt64] = [
            UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3_600, UInt8(ascii: "d"): 86_400,
            UInt8(ascii: "w"): 604_800,
        ]
        var rest = text
        var total: UInt64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { ASCII.isDigit($0) }
            rest = rest.dropFirst(digits.count)
            guard let number = ASCII.number(digits, limit: limit), let unit = rest.popFirst(),
                let factor = units[ASCII.lowercased(unit)]
            else { return nil }
            // Both are below 2³¹ and 2²⁰.
            total += number * factor
            guard total <= limit else { return nil }
        }
        return text.isEmpty ? nil : UInt32(total)
    }

    private mutating func string(_ what: String) throws(ZoneFileError) -> [UInt8] {
        let word = try next(what)
        var bytes: [UInt8] = []
        var rest = word.text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = DNSName.unescape(&rest) else { throw fail(word, DNSName.ParseError.badEscape.summary) }
            bytes.append(escaped)
        }
        return bytes
    }

    /// RFC 1035 §3.3: a character-string has at most 255 octets.
    private mutating func strings() throws(ZoneFileError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        repeat {
            let word = words.first
            let bytes = try string("a string")
            if bytes.count > 255, let word { throw fail(word, "is longer than 255 octets; write several strings") }
            strings.append(bytes)
        } while !words.isEmpty
        return strings
    }

    private mutating func hex(_ what: String) throws(ZoneFileError) -> [UInt8] {
        var digits: [UInt8] = []
        let first = try next(what)
        digits += first.text
        while let word = words.popFirst() { digits += word.text }
        guard let octets = Hex.decode(digits), !octets.isEmpty else { throw fail(first, "is no hexadecimal \(what)") }
        return octets
    }

    /// RFC 8659 §4.1.
    private mutating func tag() throws(ZoneFileError) -> String {
        let word = try next("tag")
        guard !word.text.isEmpty, word.text.count <= 255,
            word.text.allSatisfy({ ASCII.isLetter($0) || ASCII.isDigit($0) })
        else { throw fail(word, "is no tag of letters and digits") }
        return String(decoding: ASCII.lowercased(word.text), as: UTF8.self)
    }
}
