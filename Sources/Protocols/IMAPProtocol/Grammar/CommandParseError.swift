/// Why the bytes of a command are no command. The answer is `tag BAD text` (`* BAD` without a tag), or `tag NO` when
/// `isRefusal` (RFC 9051 §7.1).
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
        /// LIST with RECURSIVEMATCH and nothing that it could modify (RFC 9051 §6.3.9.1).
        case recursiveMatchAlone
        /// NUL, or 8-bit where it may not stand (RFC 9051 §9).
        case forbiddenOctet
        /// The name cannot be a mailbox: bad modified UTF-7 or UTF-8, a control character, empty. Answered with NO [CANNOT].
        case mailboxName
        /// RFC 9051 §6.4.4: NO [BADCHARSET (US-ASCII UTF-8)].
        case badCharset
        /// CHARSET where texts are UTF-8 anyway: after ENABLE UTF8=ACCEPT (RFC 6855 §3).
        case charsetForbidden
        /// CREATE asks for a use that nobody knows: NO [USEATTR] (RFC 6154 §3).
        case unknownUse
        /// A limit of `IMAPLimits`, by name.
        case limit(LimitName)
        case trailingData
    }
    public enum Expected: String, Sendable, Equatable {
        case space, atom, string, number, list, listEnd, literal, mailbox, sequenceSet, date, section, searchKey,
            endOfCommand
    }
    public enum LimitName: String, Sendable, Equatable {
        case tagBytes, searchDepth, searchKeys, setElements, listElements, fetchItems, partDepth, mailboxNameBytes
    }
    /// Known when the tag itself was well formed.
    public var tag: String?
    /// Octets into the command.
    public var offset: Int
    public var reason: Reason
    /// The command is a SEARCH with RETURN (SAVE): when it is refused, `$` is emptied (RFC 5182 §2.1).
    public var savesResult: Bool
    public init(tag: String?, offset: Int, reason: Reason, savesResult: Bool = false) {
        self.tag = tag
        self.offset = offset
        self.reason = reason
        self.savesResult = savesResult
    }

    /// Whether the command is well formed and cannot be done: NO, and no sign of a broken client.
    public var isRefusal: Bool {
        switch reason {
        case .badCharset, .mailboxName, .unknownUse, .limit: true
        default: false
        }
    }
}
