public import MailStore
public import MartletCore

/// What the resolver asks. Answers come from memory: `DirectoryStore` keeps them there.
public protocol AddressLookup {
    /// nil when mail for it is not taken here.
    func domain(_ domain: Domain) -> LocalDomain?
    /// The entry for exactly this local part; nil when there is none.
    ///
    /// - Parameter localPart: folded, as in `EmailAddress.foldedLocalPart`.
    func entry(localPart: String, domain: Domain) -> AddressEntry?
    /// Who reads what comes to postmaster and abuse where nobody else was named: the first administrator.
    func roleFallback() -> (AccountID, EmailAddress)?
}

/// The directory of a store as the resolver sees it.
public struct DirectoryLookup: AddressLookup {
    private let directory: any DirectoryStore

    public init(_ directory: any DirectoryStore) { self.directory = directory }

    public func domain(_ domain: Domain) -> LocalDomain? { directory.domain(domain) }
    public func entry(localPart: String, domain: Domain) -> AddressEntry? {
        directory.entry(localPart: localPart, domain: domain)
    }
    public func roleFallback() -> (AccountID, EmailAddress)? {
        directory.accounts().filter(\.isAdministrator).min { $0.id < $1.id }.map { ($0.id, $0.address) }
    }
}

/// A directory as it would be with one more alias or a changed domain: what a change is judged by before it is made.
public struct ChangedLookup<Base: AddressLookup>: AddressLookup {
    private let base: Base
    private let alias: (localPart: String, domain: Domain, targets: [EmailAddress])?
    private let changedDomain: LocalDomain?

    public init(_ base: Base, alias address: EmailAddress, targets: [EmailAddress]) {
        self.base = base
        alias = address.domain.map { (address.foldedLocalPart, $0, targets) }
        changedDomain = nil
    }

    public init(_ base: Base, domain: LocalDomain) {
        self.base = base
        alias = nil
        changedDomain = domain
    }

    public func domain(_ domain: Domain) -> LocalDomain? {
        if let changedDomain, changedDomain.domain == domain { return changedDomain }
        return base.domain(domain)
    }

    public func entry(localPart: String, domain: Domain) -> AddressEntry? {
        if let alias, alias.domain == domain, alias.localPart == localPart { return .alias(alias.targets) }
        return base.entry(localPart: localPart, domain: domain)
    }

    public func roleFallback() -> (AccountID, EmailAddress)? { base.roleFallback() }
}
