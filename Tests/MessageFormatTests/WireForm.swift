/// A value of IMAP's data format (RFC 9051 §4): read strictly, so that what is sent can be trusted to be read.
indirect enum WireValue: Hashable {
    case none
    case number(Int)
    case string([UInt8])
    case list([WireValue])

    /// nil unless `bytes` is exactly one value.
    static func read(_ bytes: [UInt8]) -> WireValue? {
        var reader = WireReader(bytes: bytes)
        guard let value = reader.value(depth: 0), reader.position == bytes.count else { return nil }
        return value
    }

    var items: [WireValue]? {
        if case .list(let items) = self { items } else { nil }
    }
    var isString: Bool {
        if case .string = self { true } else { false }
    }
    var isNumber: Bool {
        if case .number = self { true } else { false }
    }
    var isOptionalString: Bool { self == .none || isString }
    /// The string in lower case; nil for other values.
    var word: String? {
        if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self).lowercased() } else { nil }
    }
}

private struct WireReader {
    let bytes: [UInt8]
    var position = 0

    mutating func value(depth: Int) -> WireValue? {
        guard depth < 200, position < bytes.count else { return nil }
        switch bytes[position] {
        case UInt8(ascii: "("):
            position += 1
            var items: [WireValue] = []
            while position < bytes.count, bytes[position] != UInt8(ascii: ")") {
                // Bodies of a multipart and addresses follow each other without a space.
                if !items.isEmpty, bytes[position] == 0x20 {
                    position += 1
                } else if !items.isEmpty {
                    guard items.last?.items != nil, bytes[position] == UInt8(ascii: "(") else { return nil }
                }
                guard let item = value(depth: depth + 1) else { return nil }
                items.append(item)
            }
            guard position < bytes.count, !items.isEmpty else { return nil }
            position += 1
            return .list(items)
        case UInt8(ascii: "\""):
            position += 1
            var text: [UInt8] = []
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                if bytes[position] == UInt8(ascii: "\\") {
                    position += 1
                    guard position < bytes.count, [UInt8(ascii: "\\"), UInt8(ascii: "\"")].contains(bytes[position])
                    else { return nil }
                }
                guard bytes[position] != 0, bytes[position] != 0x0D, bytes[position] != 0x0A, bytes[position] < 0x80
                else { return nil }
                text.append(bytes[position])
                position += 1
            }
            guard position < bytes.count else { return nil }
            position += 1
            return .string(text)
        case UInt8(ascii: "{"):
            guard let close = bytes[position...].firstIndex(of: UInt8(ascii: "}")),
                let count = Int(String(decoding: bytes[(position + 1)..<close], as: UTF8.self)),
                close + 3 + count <= bytes.count, bytes[close + 1] == 0x0D, bytes[close + 2] == 0x0A
            else { return nil }
            let text = Array(bytes[(close + 3)..<(close + 3 + count)])
            guard !text.contains(0) else { return nil }
            position = close + 3 + count
            return .string(text)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            let digits = bytes[position...].prefix { $0 >= 0x30 && $0 <= 0x39 }
            position += digits.count
            return Int(String(decoding: digits, as: UTF8.self)).map { .number($0) }
        default:
            guard bytes[position...].starts(with: Array("NIL".utf8)) else { return nil }
            position += 3
            return WireValue.none
        }
    }
}

/// Whether values have the form that RFC 9051 §9 gives them; the first rule that is broken otherwise.
enum WireGrammar {
    static func envelopeFault(_ value: WireValue?) -> String? {
        guard let items = value?.items, items.count == 10 else { return "envelope: not ten values" }
        for index in [0, 1, 8, 9] where !items[index].isOptionalString { return "envelope: value \(index)" }
        for index in 2...7 where items[index] != .none {
            guard let addresses = items[index].items, !addresses.isEmpty else {
                return "envelope: address list \(index)"
            }
            for address in addresses {
                guard let parts = address.items, parts.count == 4, parts.allSatisfy(\.isOptionalString) else {
                    return "envelope: address in list \(index)"
                }
            }
        }
        return nil
    }

    static func bodyFault(_ value: WireValue?, extended: Bool) -> String? {
        guard let items = value?.items else { return "body: no list" }
        var rest = items[...]
        func tailFault() -> String? {
            guard extended else { return rest.isEmpty ? nil : "body: extension data" }
            guard rest.count == 3 else { return "body: \(rest.count) values behind" }
            let disposition = rest.removeFirst()
            if disposition != .none {
                guard let parts = disposition.items, parts.count == 2, parts[0].isString, isParameters(parts[1]) else {
                    return "body: disposition"
                }
            }
            let language = rest.removeFirst()
            let isLanguage = language.isOptionalString || language.items?.allSatisfy(\.isString) == true
            guard isLanguage, rest.removeFirst().isOptionalString else { return "body: language or location" }
            return nil
        }
        if items.first?.items != nil {
            while let child = rest.first, child.items != nil {
                if let fault = bodyFault(child, extended: extended) { return fault }
                rest.removeFirst()
            }
            guard rest.first?.isString == true else { return "multipart: no subtype" }
            rest.removeFirst()
            if extended {
                guard let parameters = rest.first, isParameters(parameters) else { return "multipart: parameters" }
                rest.removeFirst()
            }
            return tailFault()
        }
        guard items.count >= 7, let type = items[0].word, let subtype = items[1].word, isParameters(items[2]),
            items[3].isOptionalString, items[4].isOptionalString, items[5].isString, items[6].isNumber
        else { return "leaf: its seven fields" }
        guard type != "multipart" else { return "leaf: a multipart" }
        rest = items[7...]
        if type == "message", subtype == "rfc822" || subtype == "global" {
            guard rest.count >= 3 else { return "message: no envelope" }
            if let fault = envelopeFault(rest.removeFirst()) { return fault }
            if let fault = bodyFault(rest.removeFirst(), extended: extended) { return fault }
        }
        if type == "text" || type == "message" && (subtype == "rfc822" || subtype == "global") {
            guard rest.first?.isNumber == true else { return "leaf: no lines" }
            rest.removeFirst()
        }
        if extended {
            guard rest.first?.isOptionalString == true else { return "leaf: MD5" }
            rest.removeFirst()
        }
        return tailFault()
    }

    private static func isParameters(_ value: WireValue) -> Bool {
        if value == .none { return true }
        guard let items = value.items else { return false }
        return items.count % 2 == 0 && items.allSatisfy(\.isString)
    }
}
