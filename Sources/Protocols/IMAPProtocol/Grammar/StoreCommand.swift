/// STORE and UID STORE (RFC 9051 §6.4.6) with UNCHANGEDSINCE (RFC 7162 §3.1.3).
public struct StoreCommand: Sendable, Equatable {
    public enum Operation: Sendable, Equatable {
        /// `FLAGS`
        case replace
        /// `+FLAGS`
        case add
        /// `-FLAGS`
        case remove
    }
    public var set: SequenceSet
    public var uid: Bool
    public var operation: Operation
    public var flags: FlagList
    /// `.SILENT`: no FETCH in answer, but for changes the client cannot know.
    public var silent: Bool
    public var unchangedSince: UInt64?
    public init(
        set: SequenceSet, uid: Bool, operation: Operation, flags: FlagList, silent: Bool = false,
        unchangedSince: UInt64? = nil
    ) {
        self.set = set
        self.uid = uid
        self.operation = operation
        self.flags = flags
        self.silent = silent
        self.unchangedSince = unchangedSince
    }
}

/// The system flags (RFC 9051 §2.3.2). The bits are those of the store's `Flags`: 0 to 4.
public struct SystemFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let seen = SystemFlags(rawValue: 1 << 0)
    public static let answered = SystemFlags(rawValue: 1 << 1)
    public static let flagged = SystemFlags(rawValue: 1 << 2)
    public static let deleted = SystemFlags(rawValue: 1 << 3)
    public static let draft = SystemFlags(rawValue: 1 << 4)
    public static let all: SystemFlags = [.seen, .answered, .flagged, .deleted, .draft]
}

/// Flags as a client writes them. \Recent and unknown `\…` are syntax errors (RFC 9051 §9 `flag`).
public struct FlagList: Sendable, Equatable {
    public var system: SystemFlags
    /// As written, each once (compared without regard to ASCII case).
    public var keywords: [String]
    public init(system: SystemFlags = [], keywords: [String] = []) {
        self.system = system
        self.keywords = keywords
    }
}
