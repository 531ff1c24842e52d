/// Crockford's base 32: digits and letters without `I L O U`, which people mix up with others. For identifiers that are typed.
public enum CrockfordBase32 {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

    /// The character of a value; only the lower 5 bits count.
    public static func character(of value: UInt64) -> UInt8 { alphabet[Int(value & 31)] }

    /// The value of a character, 0 to 31: case is ignored, `I L O` read as `1 1 0`. nil for others.
    public static func value(of character: UInt8) -> UInt64? {
        switch ASCII.uppercased(character) {
        case UInt8(ascii: "I"), UInt8(ascii: "L"): 1
        case UInt8(ascii: "O"): 0
        case let upper: alphabet.firstIndex(of: upper).map { UInt64($0) }
        }
    }
}
