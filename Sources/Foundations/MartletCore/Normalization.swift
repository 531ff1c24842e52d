// The standard library normalises to compare strings and keeps the result to itself but for this interface, which
// Foundation is made with. MartletCore is pure and does without Foundation; whoever changes the toolchain sees it by the build.
@_spi(_Unicode) internal import Swift

/// Unicode normalization form C (UAX #15): one sequence of bytes for all spellings of a text that look alike.
///
/// Strings are compared in this form anyway; stores and other programs compare bytes. Local parts (RFC 6532 §3.1) and mailbox
/// names (RFC 9051 §5.1) are kept in it.
public enum Normalization {
    /// The text in NFC. ASCII, nearly everything, costs one look at its bytes.
    public static func nfc(_ text: String) -> String {
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return text }
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: text._nfc)
        return String(scalars)
    }
}
