public import MartletCore

/// An account: somebody who has mailboxes.
public struct Account: Sendable, Hashable {
    public var id: AccountID
    /// The address that it logs in with; also its primary address.
    public var address: EmailAddress
    public var displayName: String
    /// Octets that it may hold; nil for no limit.
    public var quota: Int64?
    public var usedBytes: Int64
    public var usedMessages: Int64
    public var isAdministrator: Bool
    /// Mail is taken, logins are refused.
    public var isSuspended: Bool
    public init(
        id: AccountID, address: EmailAddress, displayName: String, quota: Int64?, usedBytes: Int64, usedMessages: Int64,
        isAdministrator: Bool,
        isSuspended: Bool
    ) {
        self.id = id
        self.address = address
        self.displayName = displayName
        self.quota = quota
        self.usedBytes = usedBytes
        self.usedMessages = usedMessages
        self.isAdministrator = isAdministrator
        self.isSuspended = isSuspended
    }
}

/// A password as it is kept: argon2id, and SCRAM's keys beside it (RFC 5802 §3, RFC 7677). Nothing here gives the password.
public struct Credential: Sendable, Hashable {
    public struct SCRAMKeys: Sendable, Hashable {
        public var salt: [UInt8]
        public var iterations: Int
        public var storedKey: [UInt8]
        public var serverKey: [UInt8]
        public init(salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
            self.salt = salt
            self.iterations = iterations
            self.storedKey = storedKey
            self.serverKey = serverKey
        }
    }
    /// 0 for the account's own password, others for app passwords.
    public var number: Int64
    /// What the owner called it: the device. Empty for the main password.
    public var label: String
    /// The encoded form, `$argon2id$v=19$m=…`.
    public var argon2id: String
    public var scramSHA256: SCRAMKeys
    public var scramSHA1: SCRAMKeys
    public var createdAt: Instant
    public var lastUsedAt: Instant?
    public init(
        number: Int64, label: String, argon2id: String, scramSHA256: SCRAMKeys, scramSHA1: SCRAMKeys,
        createdAt: Instant, lastUsedAt: Instant? = nil
    ) {
        self.number = number
        self.label = label
        self.argon2id = argon2id
        self.scramSHA256 = scramSHA256
        self.scramSHA1 = scramSHA1
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }
}

/// What an address stands for.
public enum AddressEntry: Sendable, Hashable {
    /// An account, with its own address.
    case account(AccountID, EmailAddress)
    /// One or many other addresses: an alias or a group.
    case alias([EmailAddress])
}

/// A domain that mail is taken for.
public struct LocalDomain: Sendable, Hashable {
    public var domain: Domain
    /// Where mail for unknown local parts goes; nil: they are refused.
    public var catchAll: EmailAddress?
    /// The character before the tag in `user+tag`; nil: no subaddressing.
    public var subaddressSeparator: Character?
    public init(domain: Domain, catchAll: EmailAddress? = nil, subaddressSeparator: Character? = "+") {
        self.domain = domain
        self.catchAll = catchAll
        self.subaddressSeparator = subaddressSeparator
    }
}

/// Domains, accounts, aliases and credentials. Reads are answered from memory and do not wait for a disk.
public protocol DirectoryStore: Sendable {
    // Reading, cheap: used for every RCPT and login.
    func domain(_ domain: Domain) -> LocalDomain?
    /// The entry for exactly this local part (compared folded) at this domain.
    func entry(localPart: String, domain: Domain) -> AddressEntry?
    func account(_ id: AccountID) -> Account?
    /// All addresses that lead to the account: its own, first, and aliases that reach it, alone or among others.
    func addresses(of account: AccountID) -> [EmailAddress]
    /// Grows whenever credentials of the account change: what caches of verified logins compare with.
    func credentialGeneration(of account: AccountID) -> Int64
    func credentials(of account: AccountID) async throws(StoreError) -> [Credential]

    func domains() -> [LocalDomain]
    func accounts() -> [Account]
    func aliases() -> [(address: EmailAddress, targets: [EmailAddress])]

    // Writing.
    func putDomain(_ domain: LocalDomain) async throws(StoreError)
    /// Refused while accounts or aliases use it.
    func removeDomain(_ domain: Domain) async throws(StoreError)
    /// Makes accounts with their standard mailboxes, all in one commit.
    func createAccounts(_ accounts: [NewAccount]) async throws(StoreError) -> [AccountID]
    func updateAccount(
        _ id: AccountID, displayName: String?, quota: Int64??, isAdministrator: Bool?, isSuspended: Bool?)
        async throws(StoreError)
    func removeAccount(_ id: AccountID) async throws(StoreError)
    func putAlias(_ address: EmailAddress, targets: [EmailAddress]) async throws(StoreError)
    func removeAlias(_ address: EmailAddress) async throws(StoreError)
    /// Adds or replaces the credential with this number.
    func putCredential(_ credential: Credential, of account: AccountID) async throws(StoreError)
    func removeCredential(number: Int64, of account: AccountID) async throws(StoreError)
    /// Notes that a credential was used; written with a later commit, not waited for.
    func noteUse(ofCredential number: Int64, of account: AccountID, at instant: Instant)
}

/// An account to make.
public struct NewAccount: Sendable {
    public var address: EmailAddress
    public var displayName: String
    public var quota: Int64?
    public var isAdministrator: Bool
    public var credential: Credential?
    public init(
        address: EmailAddress, displayName: String = "", quota: Int64? = nil, isAdministrator: Bool = false,
        credential: Credential?
    ) {
        self.address = address
        self.displayName = displayName
        self.quota = quota
        self.isAdministrator = isAdministrator
        self.credential = credential
    }
}
