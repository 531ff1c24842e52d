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
        /// The domain is ours, the local part is not known.
        case unknownUser
        /// The domain is not ours.
        case notLocal
        /// Aliases that go in circles, or a group that is larger than the limit.
        case brokenAlias(reason: String)
    }

    public var outcome: Outcome
    /// Each account once, in the order of the aliases.
    public var targets: [Target]
    /// Addresses of other servers that an alias names.
    public var outside: [EmailAddress]
    /// How it was found, in plain words, with evidence.
    public var decision: Decision

    public init(outcome: Outcome, targets: [Target] = [], outside: [EmailAddress] = [], decision: Decision) {
        self.outcome = outcome
        self.targets = targets
        self.outside = outside
        self.decision = decision
    }
}
