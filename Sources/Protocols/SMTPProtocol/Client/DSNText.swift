internal import MartletBytes

/// Values of DSN parameters in their wire form (RFC 3461 §4, RFC 6533 §3).
enum DSNText {
    /// Characters of ENVID as it is sent (RFC 3461 §5.4 (a)).
    static let maximumEnvelopeID = 100
    /// Characters of ORCPT as it is sent (RFC 3461 §5.4 (c)).
    static let maximumOriginalRecipient = 500

    /// RFC 3461 §4: `+`, `=` and all that is not printable ASCII as `+HH`.
    static func xtext(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "+"), byte != UInt8(ascii: "=") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "+" + Hex.encode([byte]).uppercased()
            }
        }
        return text
    }

    /// ORCPT's value; nil when `original` is no `type;address`, or too long.
    static func originalRecipient(_ original: String, allowsUTF8: Bool) -> String? {
        let parts = original.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty, isAtom(parts[0].utf8) else { return nil }
        let isUTF8 = parts[0].lowercased() == "utf-8"
        let address = isUTF8 ? unicodeText(parts[1], allowsUTF8: allowsUTF8) : xtext(parts[1].utf8)
        let text = "\(parts[0]);\(address)"
        return text.utf8.count <= maximumOriginalRecipient ? text : nil
    }

    /// RFC 6533 §3: `\x{NN}` for what cannot stand as it is.
    private static func unicodeText(_ address: Substring, allowsUTF8: Bool) -> String {
        var text = ""
        for scalar in address.unicodeScalars {
            let isPlain =
                scalar.isASCII
                ? scalar.value > 0x20 && scalar.value < 0x7F && !"\\+=".unicodeScalars.contains(scalar)
                : allowsUTF8 && scalar.properties.generalCategory != .control
            if isPlain {
                text.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                text += "\\x{" + (digits.count < 2 ? "0" : "") + digits + "}"
            }
        }
        return text
    }

    private static func isAtom(_ bytes: Substring.UTF8View) -> Bool {
        !bytes.isEmpty && bytes.count <= 32
            && bytes.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-") }
    }
}
