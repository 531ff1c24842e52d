public import MailStore
public import MartletCore
public import Records

/// What an address stands for after aliases, subaddresses and catch-alls.
public struct Resolution: Sendable, Hashable {
    /// One mailbox owner that the address reaches.
    public struct Target: Sendable, Hashable {
        public var account: AccountID
        /// The account's own address.
        public var address: EmailAddress
        /// What stood behind the separator in `user+tag`; nil without one (RFC 5233 calls it detail).
        public var detail: String?
        public init(account: AccountID, address: EmailAddress, detail: String? = nil) {
            self.account = account
            self.address = address
            self.detail = detail
        }
    }

    public enum Outcome: Sendable, Hashable {
        /// Local: at least one target or one outside address.
        case found
        /// The domain is ours, the local part is not known, or its aliases lead to nobody: to unknown addresses or in a circle.
        case unknownUser
        /// The domain is not ours.
        case notLocal
        /// More aliases behind each other than the limit, or a group that is larger than it.
        case brokenAlias(reason: String)
    }

    public var outcome: Outcome
    /// Each account once, in the order of the aliases.
    public var targets: [Target]
    /// Addresses of other servers that an alias names.
    public var outside: [EmailAddress]
    /// Only the administrator reads it, since nobody else was left for a role address.
    public var usedRoleFallback: Bool
    /// How it was found, in plain words, with evidence.
    public var decision: Decision

    public init(
        outcome: Outcome, targets: [Target] = [], outside: [EmailAddress] = [], usedRoleFallback: Bool = false,
        decision: Decision
    ) {
        self.outcome = outcome
        self.targets = targets
        self.outside = outside
        self.usedRoleFallback = usedRoleFallback
        self.decision = decision
    }
}
