/// Names and other texts in the messages of mechanisms.
enum SASLText {
    /// UTF-8 without control characters, or nil.
    static func string(_ bytes: some Collection<UInt8>) -> String? {
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
