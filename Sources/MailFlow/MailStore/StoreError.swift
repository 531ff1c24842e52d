/// Why the store did not do what it was asked. Shells map these to replies in one place each.
public enum StoreError: Error, Sendable, Hashable {
    /// The disk is full, read-only or failing: nothing was changed, try again later (452 4.3.1).
    case unavailable(reason: String)
    /// The account has no room (452 4.2.2, OVERQUOTA).
    case overQuota
    case noSuchAccount
    case noSuchMailbox
    case mailboxExists
    /// The name cannot be a mailbox: empty, a control character, too long, too deep.
    case invalidName(reason: String)
    /// INBOX cannot be deleted; a mailbox with that special use exists …
    case notAllowed(reason: String)
    case noSuchMessage
    /// A limit with a name: keywords in a mailbox, mailboxes in an account …
    case limit(name: String)
    /// Bytes whose checksum fails. Reported, never served.
    case corrupt(reason: String)
    /// The store is shutting down.
    case closed
}
