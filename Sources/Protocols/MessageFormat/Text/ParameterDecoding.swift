internal import MartletBytes

/// RFC 2231: parameter values in pieces (§3), with charset and language (§4), or both.
enum ParameterDecoding {
    /// Pieces of one value that are joined.
    static let maximumPieces = 64

    static func decode(_ name: String, in list: [ContentParameters.Parameter]) -> String? {
        if let extended = list.first(where: { $0.name == name + "*" }) {
            let (charset, text) = splitCharset(extended.value)
            let octets = text.withUnsafeBytes { percentDecoded($0) }
            return Charset.decode(octets, charset: charset) ?? Charset.decodeUnlabelled(octets)
        }
        if let joined = continuation(name, in: list) { return joined }
        return list.first { $0.name == name }.map { EncodedWord.decode($0.value) }
    }

    /// `name*0`, `name*1*` … joined; only the first piece carries the charset.
    private static func continuation(_ name: String, in list: [ContentParameters.Parameter]) -> String? {
        var bytes: [UInt8] = []
        var charset: String?
        var number = 0
        while number < maximumPieces, bytes.count < MessageLimits.default.maximumParameterBytes {
            if let piece = list.first(where: { $0.name == "\(name)*\(number)*" }) {
                var text = piece.value
                if number == 0 {
                    let split = splitCharset(text)
                    charset = split.charset
                    text = split.text
                }
                bytes += text.withUnsafeBytes { percentDecoded($0) }
            } else if let piece = list.first(where: { $0.name == "\(name)*\(number)" }) {
                bytes += piece.value
            } else {
                break
            }
            number += 1
        }
        guard number > 0 else { return nil }
        if bytes.count > MessageLimits.default.maximumParameterBytes {
            bytes.removeLast(bytes.count - MessageLimits.default.maximumParameterBytes)
        }
        if let charset { return Charset.decode(bytes, charset: charset) ?? Charset.decodeUnlabelled(bytes) }
        return EncodedWord.decode(bytes)
    }

    /// `charset'language'text`; text without two quotes is all text.
    private static func splitCharset(_ value: [UInt8]) -> (charset: String, text: [UInt8]) {
        let quote = UInt8(ascii: "'")
        guard let first = value.firstIndex(of: quote), let second = value[(first + 1)...].firstIndex(of: quote) else {
            return ("utf-8", value)
        }
        return (String(decoding: value[..<first], as: UTF8.self), Array(value[(second + 1)...]))
    }

    private static func percentDecoded(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var output: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%"), index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                let low = ASCII.hexValue(text[index + 2])
            {
                output.append(high << 4 | low)
                index += 3
            } else {
                output.append(text[index])
                index += 1
            }
        }
        return output
    }
}
