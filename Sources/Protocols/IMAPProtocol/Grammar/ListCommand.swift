/// LIST in its plain and extended forms (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
public struct ListCommand: Sendable, Equatable {
    /// Options before the reference.
    public struct Selection: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let subscribed = Selection(rawValue: 1)
        public static let remote = Selection(rawValue: 2)
        /// Never alone: the parser refuses it without SUBSCRIBED (RFC 5258 §3.1).
        public static let recursiveMatch = Selection(rawValue: 4)
        public static let specialUse = Selection(rawValue: 8)
    }
    /// Options after RETURN.
    public struct Return: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let subscribed = Return(rawValue: 1)
        public static let children = Return(rawValue: 2)
        public static let specialUse = Return(rawValue: 4)
    }
    public var selection: Selection
    /// UTF-8. Levels are separated by `/`.
    public var reference: String
    /// UTF-8 with `*` and `%`. One empty pattern asks for the delimiter and root (RFC 9051 §6.3.9).
    public var patterns: [String]
    public var returns: Return
    /// RETURN (STATUS (…)), RFC 5819.
    public var status: StatusItems?
    /// Whether extended syntax was used: then CHILDINFO and OLDNAME may be sent, and more than one pattern may stand.
    public var isExtended: Bool
    public init(
        selection: Selection = [], reference: String, patterns: [String], returns: Return = [],
        status: StatusItems? = nil, isExtended: Bool = false
    ) {
        self.selection = selection
        self.reference = reference
        self.patterns = patterns
        self.returns = returns
        self.status = status
        self.isExtended = isExtended
    }
}

/// What STATUS asks for (RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 7889 §4, RFC 8438, RFC 9208).
public struct StatusItems: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let messages = StatusItems(rawValue: 1)
    /// RFC 3501.
    public static let recent = StatusItems(rawValue: 1 << 1)
    public static let uidNext = StatusItems(rawValue: 1 << 2)
    public static let uidValidity = StatusItems(rawValue: 1 << 3)
    public static let unseen = StatusItems(rawValue: 1 << 4)
    public static let deleted = StatusItems(rawValue: 1 << 5)
    public static let size = StatusItems(rawValue: 1 << 6)
    public static let highestModSeq = StatusItems(rawValue: 1 << 7)
    public static let appendLimit = StatusItems(rawValue: 1 << 8)
}
