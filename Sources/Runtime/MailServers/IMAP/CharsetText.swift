internal import MessageFormat

/// Texts of SEARCH in charsets other than US-ASCII and UTF-8 (RFC 9051 §6.4.4).
enum CharsetText {
    /// nil: the charset is not known, and the answer is BADCHARSET.
    @Sendable static func decode(_ charset: String, _ bytes: [UInt8]) -> String? {
        Charset.isKnown(charset) ? Charset.decode(bytes, charset: charset) : nil
    }
}
