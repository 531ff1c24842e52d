/// Why the bytes of a command are no command. The answer is `tag BAD text` (`* BAD` without a tag), for `badCharset` and
/// `mailboxName` `tag NO` (RFC 9051 §7.1).
public struct CommandParseError: Error, Sendable, Equatable {
    public enum Reason: Sendable, Equatable {
        case missingTag
        case unknownCommand
        /// What was expected where something else stands.
        case expected(Expected)
        /// A number that does not fit or is zero where it must not.
        case numberOutOfRange
        case invalidDate
        case invalidUTF8
        case invalidBase64
        case unknownFlag
        case unknownItem
        /// NUL, or 8-bit where it may not stand (RFC 9051 §9).
        case forbiddenOctet
        /// The name cannot be a mailbox: bad modified UTF-7 or UTF-8, a control character, empty. Answered with NO [CANNOT].
        case mailboxName
        /// RFC 9051 §6.4.4: NO [BADCHARSET (US-ASCII UTF-8)].
        case badCharset
        /// A limit of `IMAPLimits`, by name.
        case limit(LimitName)
        case trailingData
    }
    public enum Expected: String, Sendable, Equatable {
        case space, atom, string, number, list, listEnd, literal, mailbox, sequenceSet, date, section, searchKey,
            endOfCommand
    }
    public enum LimitName: String, Sendable, Equatable {
        case tagBytes, searchDepth, searchKeys, setElements, listElements, partDepth, mailboxNameBytes
    }
    /// Known when the tag itself was well formed.
    public var tag: String?
    /// Octets into the command.
    public var offset: Int
    public var reason: Reason
    public init(tag: String?, offset: Int, reason: Reason) {
        self.tag = tag
        self.offset = offset
        self.reason = reason
    }
}
