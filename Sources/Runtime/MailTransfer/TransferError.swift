public import MailStore

/// Why an import or export cannot go on, for people.
public struct TransferError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// What is read is not there, cannot be read or is of the wrong shape.
        case source
        /// The account, its mailboxes or the files that are written refuse.
        case target
        /// The other server or the own one does not answer.
        case unreachable
    }
    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// What the store says.
    public init(_ error: StoreError) {
        switch error {
        case .unavailable(let reason): self.init(.target, "the store cannot write: \(reason); look at the disk")
        case .overQuota:
            self.init(.target, "the account has no room; raise its quota with “martlet account set --quota”")
        case .noSuchAccount: self.init(.target, "there is no such account")
        case .noSuchMailbox: self.init(.target, "the mailbox is gone")
        case .mailboxExists: self.init(.target, "the mailbox exists already")
        case .invalidName(let reason): self.init(.target, "a mailbox cannot have this name: \(reason)")
        case .notAllowed(let reason): self.init(.target, reason)
        case .noSuchMessage: self.init(.target, "the message is gone")
        case .limit(let name): self.init(.target, "a limit is reached: \(name)")
        case .corrupt(let reason): self.init(.target, "stored bytes are damaged: \(reason)")
        case .closed: self.init(.unreachable, "the server is shutting down")
        }
    }
}
