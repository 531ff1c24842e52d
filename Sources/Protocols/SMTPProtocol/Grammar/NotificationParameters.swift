internal import MartletBytes
internal import MartletCore

/// The parameters of RFC 3461 as they stand in MAIL and RCPT.
enum NotificationParameters {
    /// Octets of ENVID as written (RFC 3461 §4.4).
    static let maximumEnvelopeID = 100
    /// Octets of ORCPT as written (RFC 3461 §4.2).
    static let maximumOriginalRecipient = 500

    static func returnContent(_ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> ReturnContent {
        let text = value.map { String(decoding: $0.map { ASCII.uppercased($0) }, as: UTF8.self) }
        guard let text, let content = ReturnContent(rawValue: text) else { throw .arguments("RET is FULL or HDRS") }
        return content
    }

    static func envelopeID(_ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> String {
        guard let value, !value.isEmpty, value.count <= maximumEnvelopeID, let text = xtext(value) else {
            throw .arguments("ENVID wants at most \(maximumEnvelopeID) characters of xtext")
        }
        return text
    }

    static func notify(_ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> NotifyConditions {
        let error = SMTPSyntaxError.arguments("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")
        guard let value, !value.isEmpty, value.count <= 64 else { throw error }
        let text = String(decoding: value.map { ASCII.uppercased($0) }, as: UTF8.self)
        if text == "NEVER" { return [] }
        var conditions: NotifyConditions = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch word {
            case "SUCCESS": conditions.insert(.success)
            case "FAILURE": conditions.insert(.failure)
            case "DELAY": conditions.insert(.delay)
            default: throw error
            }
        }
        return conditions
    }

    /// `rfc822;` with xtext, or `utf-8;` in one of its forms (RFC 6533 §3), which is kept with `\x{…}` decoded.
    static func originalRecipient(_ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> String {
        let error = SMTPSyntaxError.arguments("ORCPT wants type;address with the address in xtext")
        guard let value, value.count <= maximumOriginalRecipient,
            let semicolon = value.firstIndex(of: UInt8(ascii: ";"))
        else { throw error }
        let type = value[..<semicolon]
        let address = value[(semicolon + 1)...]
        guard !type.isEmpty, !address.isEmpty,
            type.allSatisfy({ ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-") })
        else { throw error }
        let isUTF8 = ASCII.equalsIgnoringCase(type, Array("utf-8".utf8))
        guard let text = isUTF8 ? unicodeText(address) : xtext(address) else { throw error }
        return String(decoding: type, as: UTF8.self) + ";" + text
    }

    /// RFC 3461 §4: `+HH` is an octet. nil when it is none, or decodes to what no line may hold.
    private static func xtext(_ bytes: ArraySlice<UInt8>) -> String? {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "+") else {
                guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "=") else { return nil }
                decoded.append(byte)
                continue
            }
            guard rest.count >= 2, let octet = Hex.decode(Array(rest.prefix(2)))?.first else { return nil }
            decoded.append(octet)
            rest = rest.dropFirst(2)
        }
        return printable(decoded)
    }

    private static func unicodeText(_ bytes: ArraySlice<UInt8>) -> String? {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                decoded.append(byte)
                continue
            }
            // `\x{1F4E7}`: one to six digits.
            guard rest.starts(with: Array("x{".utf8)), let end = rest.prefix(9).firstIndex(of: UInt8(ascii: "}")),
                let value = UInt32(String(decoding: rest[(rest.startIndex + 2)..<end], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(value)
            else { return nil }
            decoded += Array(String(Character(scalar)).utf8)
            rest = rest[(end + 1)...]
        }
        return printable(decoded)
    }

    private static func printable(_ bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return nil }
        return text
    }
}
