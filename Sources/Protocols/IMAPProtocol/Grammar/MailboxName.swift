/// A mailbox's name: UTF-8 in NFC, `INBOX` in capitals (RFC 9051 §5.1), no NUL or control characters, not empty.
///
/// On the wire it is modified UTF-7 (RFC 3501 §5.1.3) until the client enables IMAP4rev2 or UTF8=ACCEPT, then UTF-8.
public struct MailboxName: Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public var isInbox: Bool { name == "INBOX" }
    public var description: String { name }

    /// For names that are known to be good: from the store.
    public init(trusted name: String) { self.name = name }
}
