public import MartletCore

/// One message of APPEND as it is announced, before a byte of it (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.4, RFC 6855 §4).
public struct AppendMessage: Sendable, Equatable {
    public var flags: FlagList
    /// INTERNALDATE to give; nil means the moment of arrival.
    public var date: Instant?
    /// Octets of the literal. 0 cancels a MULTIAPPEND (RFC 3502 §3).
    public var length: UInt64
    /// A literal8 (`~{…}`): may hold NUL.
    public var isBinary: Bool
    /// Wrapped in `UTF8 (…)`: may have UTF-8 headers.
    public var isUTF8: Bool
    /// The client waits for `+` (RFC 9051 §4.3).
    public var isSynchronizing: Bool
    public init(
        flags: FlagList = FlagList(), date: Instant? = nil, length: UInt64, isBinary: Bool = false,
        isUTF8: Bool = false, isSynchronizing: Bool = true
    ) {
        self.flags = flags
        self.date = date
        self.length = length
        self.isBinary = isBinary
        self.isUTF8 = isUTF8
        self.isSynchronizing = isSynchronizing
    }
}
