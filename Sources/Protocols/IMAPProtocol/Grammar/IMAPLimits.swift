/// The bounds of what one connection can make the server hold or do. What goes over one is answered with NO [LIMIT] where nothing
/// else is said.
public struct IMAPLimits: Sendable, Equatable {
    /// Octets of a command without its literals: BYE. RFC 7162 §4 asks for 8192 or more; long UID sets ask for more.
    public var lineBytes = 65_536
    /// Octets of a command's literals together, APPEND's messages aside: NO [TOOBIG].
    public var literalBytes = 65_536
    /// Literals of a command: NO [TOOBIG].
    public var literals = 256
    /// Octets of a line in AUTHENTICATE or IDLE: BYE.
    public var continuationBytes = 16_384
    /// Octets of a non-synchronising literal that is refused and read past (RFC 7888 §4); beyond it BYE.
    public var skippedBytes: UInt64 = 268_435_456
    /// Octets of a tag: BAD.
    public var tagBytes = 256
    /// Depth of parentheses, NOT and OR in SEARCH.
    public var searchDepth = 64
    /// Keys in one SEARCH.
    public var searchKeys = 1_024
    /// Elements of a sequence set.
    public var setElements = 16_384
    /// Elements of any other list: flags, items, patterns, header names.
    public var listElements = 1_024
    /// Items of one FETCH. Clients ask for a few; what they ask for is written for each message.
    public var fetchItems = 128
    /// Levels of a part number in BODY[…].
    public var partDepth = 64
    /// Octets of a mailbox name in UTF-8.
    public var mailboxNameBytes = 1_024
    public init() {}
}
