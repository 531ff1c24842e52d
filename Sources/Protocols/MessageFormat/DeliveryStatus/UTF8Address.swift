internal import MartletBytes

/// Addresses of type `utf-8` in ASCII: `\x{HEX}` for what is not printable ASCII, and for `\`, `+`, `=` and space
/// (RFC 6533 §3, `utf-8-addr-xtext`).
public enum UTF8Address {
    /// Digits of a code point, at most.
    static let maximumDigits = 6

    /// The address in printable ASCII.
    public static func encode(_ address: String) -> String {
        var output = ""
        for scalar in address.unicodeScalars {
            switch scalar {
            case "+", "=", "\\": output += escape(scalar)
            case "\u{21}"..."\u{7E}": output.unicodeScalars.append(scalar)
            default: output += escape(scalar)
            }
        }
        return output
    }

    /// Undoes `encode`, leaving in place what was not encoded; nil when an escape is broken: RFC 6533 §3 wants such
    /// an address copied as it is.
    public static func decode(_ address: String) -> String? {
        guard address.utf8.contains(UInt8(ascii: "\\")) else { return address }
        var output: [UInt8] = []
        var rest = Array(address.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                output.append(byte)
                continue
            }
            guard rest.starts(with: [UInt8(ascii: "x"), UInt8(ascii: "{")]) else { return nil }
            let digits = rest.dropFirst(2).prefix(maximumDigits + 1).prefix { ASCII.hexValue($0) != nil }
            guard (2...maximumDigits).contains(digits.count), digits.endIndex < rest.endIndex,
                rest[digits.endIndex] == UInt8(ascii: "}"),
                let scalar = Unicode.Scalar(digits.reduce(0 as UInt32) { $0 << 4 | UInt32(ASCII.hexValue($1) ?? 0) })
            else { return nil }
            output += Array(String(scalar).utf8)
            rest = rest[(digits.endIndex + 1)...]
        }
        return String(validating: output, as: UTF8.self)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "\\x{\(digits.utf8.count < 2 ? "0" : "")\(digits)}"
    }
}
