/// A value as IMAP's responses hold it (RFC 9051 §9), read strictly: what a server writes must be readable by the pickiest
/// client. Written here anew, so that a mistake of the server's own readers does not hide one of its writers.
public indirect enum IMAPValue: Equatable {
    case list([IMAPValue])
    case string([UInt8])
    /// NIL, a number, a flag …
    case atom([UInt8])

    /// nil when `bytes` are not exactly one value.
    ///
    /// - Parameter allowsEmptyLists: LIST's attributes and STATUS' values may be none; elsewhere NIL stands for that.
    public init?(_ bytes: [UInt8], allowsEmptyLists: Bool = false) {
        var reader = Reader(bytes: bytes, allowsEmptyLists: allowsEmptyLists)
        guard let value = reader.value(depth: 0), reader.position == bytes.count else { return nil }
        self = value
    }

    public var isNIL: Bool { self == .atom(Array("NIL".utf8)) }
    public var isString: Bool { if case .string = self { true } else { false } }
    public var isNString: Bool { isNIL || isString }
    public var elements: [IMAPValue]? { if case .list(let elements) = self { elements } else { nil } }
    public var number: Int? {
        guard case .atom(let digits) = self, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    struct Reader {
        let bytes: [UInt8]
        let allowsEmptyLists: Bool
        var position = 0

        init(bytes: [UInt8], allowsEmptyLists: Bool) {
            self.bytes = bytes
            self.allowsEmptyLists = allowsEmptyLists
        }

        mutating func value(depth: Int) -> IMAPValue? {
            guard position < bytes.count, depth < 512 else { return nil }
            switch bytes[position] {
            case UInt8(ascii: "("): return list(depth)
            case UInt8(ascii: "\""): return quoted()
            case UInt8(ascii: "{"): return literal()
            default: return atom()
            }
        }

        private mutating func list(_ depth: Int) -> IMAPValue? {
            position += 1
            var elements: [IMAPValue] = []
            var wasList = false
            while position < bytes.count {
                if bytes[position] == UInt8(ascii: ")") {
                    position += 1
                    return elements.isEmpty && !allowsEmptyLists ? nil : .list(elements)
                }
                if !elements.isEmpty {
                    let hasSpace = bytes[position] == 0x20
                    if hasSpace { position += 1 }
                    // Bodies and addresses follow each other without a space; all else has one.
                    let isList = position < bytes.count && bytes[position] == UInt8(ascii: "(")
                    guard hasSpace || (wasList && isList) else { return nil }
                }
                guard let element = value(depth: depth + 1) else { return nil }
                wasList = element.elements != nil
                elements.append(element)
            }
            return nil
        }

        private mutating func quoted() -> IMAPValue? {
            position += 1
            var text: [UInt8] = []
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return .string(text)
                case UInt8(ascii: "\\"):
                    guard position < bytes.count, bytes[position] == 0x22 || bytes[position] == 0x5C else { return nil }
                    text.append(bytes[position])
                    position += 1
                // RFC 3501 §9 QUOTED-CHAR: 7-bit, without CR, LF, NUL.
                case 0, 0x0A, 0x0D, 0x80...0xFF: return nil
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func literal() -> IMAPValue? {
            guard let close = bytes[position...].firstIndex(of: UInt8(ascii: "}")), close + 2 < bytes.count,
                bytes[close + 1] == 0x0D, bytes[close + 2] == 0x0A,
                let count = Int(String(decoding: bytes[(position + 1)..<close], as: UTF8.self)), count >= 0,
                count <= bytes.count - close - 3
            else { return nil }
            let text = Array(bytes[(close + 3)..<(close + 3 + count)])
            guard !text.contains(0) else { return nil }
            position = close + 3 + count
            return .string(text)
        }

        private mutating func atom() -> IMAPValue? {
            let start = position
            while position < bytes.count, bytes[position] > 0x20, bytes[position] < 0x7F,
                !"(){\"".utf8.contains(bytes[position])
            { position += 1 }
            return position > start ? .atom(Array(bytes[start..<position])) : nil
        }
    }
}

extension IMAPValue {
    /// RFC 9051 §9 `envelope`.
    public var isEnvelope: Bool {
        guard let fields = elements, fields.count == 10 else { return false }
        let lists = fields[2...7]
        return [fields[0], fields[1], fields[8], fields[9]].allSatisfy(\.isNString)
            && lists.allSatisfy { list in
                list.isNIL
                    || list.elements?.allSatisfy { $0.elements?.count == 4 && $0.elements!.allSatisfy(\.isNString) }
                        == true
            }
    }

    /// RFC 9051 §9 `body`, with extension data or without. Gives the number of parts; nil when it is none.
    public func bodyParts(isExtended: Bool) -> Int? {
        guard let fields = elements, let first = fields.first else { return nil }
        if first.elements != nil {
            let parts = fields.prefix { $0.elements != nil }
            let rest = Array(fields.dropFirst(parts.count))
            guard rest.count == (isExtended ? 5 : 1), rest[0].isString, !isExtended || rest[1].isParameters,
                !isExtended || IMAPValue.isTail(rest[2...])
            else { return nil }
            var count = 1
            for part in parts {
                guard let inner = part.bodyParts(isExtended: isExtended) else { return nil }
                count += inner
            }
            return count
        }
        guard fields.count >= 7, fields[0].isString, fields[1].isString, fields[2].isParameters,
            fields[3].isNString, fields[4].isNString, fields[5].isString, fields[6].number != nil
        else { return nil }
        var rest = fields[7...]
        var count = 1
        if fields[0].isWord("message"), fields[1].isWord("rfc822") || fields[1].isWord("global") {
            guard rest.count >= 3, rest.removeFirst().isEnvelope,
                let inner = rest.removeFirst().bodyParts(isExtended: isExtended), rest.removeFirst().number != nil
            else { return nil }
            count += inner
        } else if fields[0].isWord("text") {
            guard !rest.isEmpty, rest.removeFirst().number != nil else { return nil }
        }
        guard isExtended else { return rest.isEmpty ? count : nil }
        guard rest.count == 4, rest.removeFirst().isNString, IMAPValue.isTail(rest) else { return nil }
        return count
    }

    func isWord(_ word: String) -> Bool { self == .string(Array(word.utf8)) }

    /// `body-fld-param`: pairs or NIL.
    var isParameters: Bool {
        isNIL || elements.map { $0.count.isMultiple(of: 2) && $0.allSatisfy(\.isString) } == true
    }

    /// Disposition, language, location.
    static func isTail(_ values: ArraySlice<IMAPValue>) -> Bool {
        guard values.count == 3 else { return false }
        let values = Array(values)
        let isDisposition =
            values[0].isNIL
            || values[0].elements.map { $0.count == 2 && $0[0].isString && $0[1].isParameters } == true
        let isLanguage = values[1].isNString || values[1].elements.map { $0.allSatisfy(\.isString) } == true
        return isDisposition && isLanguage && values[2].isNString
    }
}
