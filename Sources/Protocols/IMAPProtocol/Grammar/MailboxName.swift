/// A mailbox's name: UTF-8 in NFC, `INBOX` in capitals (RFC 9051 §5.1), no NUL or control characters, not empty.
///
/// On the wire it is modified UTF-7 (RFC 3501 §5.1.3) until the client enables IMAP4rev2 or UTF8=ACCEPT, then UTF-8. Two
/// names are equal when they are the same mailbox's, however they were written.
public struct MailboxName: Sendable, Hashable, CustomStringConvertible {
    /// With `/` between levels.
    public let name: String
    /// What the client wrote in UTF-8, when that is another text: not in NFC, or INBOX in small letters. Told as OLDNAME
    /// (RFC 9051 §6.3.9.7).
    public internal(set) var supplied: String?
    public var description: String { name }

    /// For names that are known to be good: from the store.
    public init(trusted name: String) { self.name = name }

    public static func == (left: MailboxName, right: MailboxName) -> Bool { left.name == right.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
