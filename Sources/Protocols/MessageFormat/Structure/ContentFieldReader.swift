internal import MartletBytes

/// Reads tokens, quoted strings and parameters of RFC 2045 §5.1, through comments and folding, forgiving what is common.
struct ContentFieldReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private let limits: MessageLimits

    init(_ bytes: UnsafeRawBufferPointer, limits: MessageLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// A token in lower case; nil when none stands here.
    mutating func token() -> String? {
        skipSpace()
        let start = position
        while position < bytes.count, Self.isTokenByte(bytes[position]) { position += 1 }
        guard position > start else { return nil }
        return String(decoding: ASCII.lowercased(bytes[start..<position]), as: UTF8.self)
    }

    /// All parameters up to the end or the limit. A parameter that cannot be read is skipped to the next semicolon.
    mutating func parameters() -> [ContentParameters.Parameter] {
        var list: [ContentParameters.Parameter] = []
        while list.count < limits.maximumParameters {
            skipSpace()
            guard position < bytes.count else { break }
            if bytes[position] == UInt8(ascii: ";") {
                position += 1
                continue
            }
            if let name = token(), take(UInt8(ascii: "=")), let value = value() {
                list.append(.init(name: name, value: value))
            } else {
                guard let semicolon = bytes.firstIndex(ofByte: UInt8(ascii: ";"), from: position) else { break }
                position = semicolon + 1
            }
        }
        return list
    }

    /// A quoted string, or everything up to a semicolon, a comment or another parameter.
    private mutating func value() -> [UInt8]? {
        skipSpace()
        guard position < bytes.count else { return nil }
        var value: [UInt8] = []
        if bytes[position] == UInt8(ascii: "\"") {
            position += 1
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
                if bytes[position] != ASCII.carriageReturn, bytes[position] != ASCII.lineFeed,
                    value.count < limits.maximumParameterBytes
                {
                    value.append(bytes[position])
                }
                position += 1
            }
            position = min(position + 1, bytes.count)
            return value
        }
        while position < bytes.count, bytes[position] != UInt8(ascii: ";"), bytes[position] != UInt8(ascii: "(") {
            if bytes[position] <= 0x20 {
                guard valueGoesOn() else { break }
                if value.count < limits.maximumParameterBytes { value.append(ASCII.space) }
            } else {
                if value.count < limits.maximumParameterBytes { value.append(bytes[position]) }
                position += 1
            }
        }
        return value
    }

    /// Moves behind the spaces in a value without quotes. File names with spaces come so; a value ends there only when a comment, a
    /// semicolon or another parameter (`name=`, the semicolon forgotten) follows. `=?` begins an encoded word, not a value.
    private mutating func valueGoesOn() -> Bool {
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
        guard position < bytes.count, bytes[position] != UInt8(ascii: ";"), bytes[position] != UInt8(ascii: "(") else {
            return false
        }
        var place = position
        while place < bytes.count, Self.isTokenByte(bytes[place]) { place += 1 }
        guard place > position else { return true }
        while place < bytes.count, bytes[place] <= 0x20 { place += 1 }
        return place == bytes.count || bytes[place] != UInt8(ascii: "=")
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "(") {
                skipComment()
            } else if byte <= 0x20 {
                position += 1
            } else {
                return
            }
        }
    }

    private mutating func skipComment() {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "\\"): position += 1
            default: break
            }
            position = min(position + 1, bytes.count)
            if depth == 0 || depth > limits.maximumCommentDepth { return }
        }
    }

    /// RFC 2045 §5.1 token, with 8-bit let through.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F: false
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "@"),
            UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: ":"), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "?"),
            UInt8(ascii: "="):
            false
        default: true
        }
    }
}
