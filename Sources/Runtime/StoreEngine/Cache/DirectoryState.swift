internal import MailStore
internal import MartletCore
internal import Synchronization

/// Domains, accounts and aliases in memory: what every RCPT and login asks. Changed after commits only.
final class DirectoryState: Sendable {
    struct AddressKey: Hashable, Sendable {
        var localPart: String
        var domain: String
        init(_ localPart: String, _ domain: Domain) {
            self.localPart = localPart.lowercased()
            self.domain = domain.ascii
        }
        /// Nil for address literals, which no account or alias has.
        init?(_ address: EmailAddress) {
            guard let domain = address.domain else { return nil }
            self.init(address.localPart, domain)
        }
    }

    struct State: Sendable {
        var domains: [Domain: LocalDomain] = [:]
        var accounts: [AccountID: Account] = [:]
        var accountsByAddress: [AddressKey: AccountID] = [:]
        var aliases: [AddressKey: (address: EmailAddress, targets: [EmailAddress])] = [:]
        /// Aliases that name an address as target.
        var aliasesByTarget: [AddressKey: Set<AddressKey>] = [:]
        var generations: [AccountID: Int64] = [:]
        /// Uses that are not written yet, and when each credential's use was noted last.
        var uses: [CredentialUse: Int64] = [:]
        var lastUses: [CredentialUse: Int64] = [:]
    }

    struct CredentialUse: Hashable, Sendable {
        var account: AccountID
        var number: Int64
    }

    private let state = Mutex(State())

    func read<Value: Sendable>(_ body: (borrowing State) -> Value) -> Value { state.withLock { body($0) } }
    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    func account(_ id: AccountID) -> Account? { state.withLock { $0.accounts[id] } }

    /// Adds what a commit stored and removed.
    func count(_ usage: [AccountID: (messages: Int64, bytes: Int64)]) {
        guard !usage.isEmpty else { return }
        state.withLock { state in
            for (id, change) in usage {
                state.accounts[id]?.usedMessages += change.messages
                state.accounts[id]?.usedBytes += change.bytes
            }
        }
    }

    func noteUse(of use: CredentialUse, at instant: Int64, atMostEvery interval: Int64) {
        state.withLock { state in
            guard state.accounts[use.account] != nil, instant >= (state.lastUses[use] ?? .min / 2) + interval else {
                return
            }
            state.uses[use] = instant
            state.lastUses[use] = instant
        }
    }

    /// Credential uses that are not written yet; they are the taker's from now on.
    func takeUses() -> [CredentialUse: Int64] {
        state.withLock { state in
            guard !state.uses.isEmpty else { return [:] }
            let uses = state.uses
            state.uses = [:]
            return uses
        }
    }

    func load(from connection: SQLiteConnection) throws {
        var state = State()
        let domains = try connection(.allDomains)
        while try domains.step() {
            guard let domain = Domain(domains.text(0)) else { continue }
            state.domains[domain] = LocalDomain(
                domain: domain, catchAll: domains.optionalText(1).flatMap { EmailAddress($0) },
                subaddressSeparator: domains.optionalText(2)?.first)
        }
        let aliases = try connection(.allAliases)
        while try aliases.step() {
            guard let address = EmailAddress(aliases.text(0)) else { continue }
            let targets = aliases.text(1).split(separator: "\n").compactMap { EmailAddress(String($0)) }
            state.put(alias: address, targets: targets)
        }
        let accounts = try connection(.allAccounts)
        while try accounts.step() {
            guard let address = EmailAddress(accounts.text(1)) else { continue }
            let account = Account(
                id: AccountID(accounts.int(0)), address: address, displayName: accounts.text(2),
                quota: accounts.optionalInt(3), usedBytes: 0,
                usedMessages: 0, isAdministrator: accounts.int(4) != 0, isSuspended: accounts.int(5) != 0)
            state.generations[account.id] = accounts.int(6)
            state.put(account)
        }
        let usage = try connection(.usageOfAccounts)
        while try usage.step() {
            state.accounts[AccountID(usage.int(0))]?.usedMessages = usage.int(1)
            state.accounts[AccountID(usage.int(0))]?.usedBytes = usage.int(2)
        }
        let loaded = state
        self.state.withLock { $0 = loaded }
    }
}

extension Account {
    /// Whether the account has room for so many octets more.
    func hasRoom(for bytes: Int64) -> Bool { quota.map { usedBytes + bytes <= $0 } ?? true }
}

extension DirectoryState.State {
    mutating func put(_ account: Account) {
        accounts[account.id] = account
        if let key = DirectoryState.AddressKey(account.address) { accountsByAddress[key] = account.id }
    }

    mutating func remove(_ id: AccountID) {
        guard let account = accounts.removeValue(forKey: id) else { return }
        if let key = DirectoryState.AddressKey(account.address) { accountsByAddress[key] = nil }
        generations[id] = nil
        uses = uses.filter { $0.key.account != id }
        lastUses = lastUses.filter { $0.key.account != id }
    }

    mutating func put(alias address: EmailAddress, targets: [EmailAddress]) {
        guard let key = DirectoryState.AddressKey(address) else { return }
        remove(alias: address)
        aliases[key] = (address, targets)
        for target in targets.compactMap({ DirectoryState.AddressKey($0) }) {
            aliasesByTarget[target, default: []].insert(key)
        }
    }

    mutating func remove(alias address: EmailAddress) {
        guard let key = DirectoryState.AddressKey(address), let old = aliases.removeValue(forKey: key) else { return }
        for target in old.targets.compactMap({ DirectoryState.AddressKey($0) }) {
            aliasesByTarget[target]?.remove(key)
            if aliasesByTarget[target]?.isEmpty == true { aliasesByTarget[target] = nil }
        }
    }

    /// The account's own address and all aliases that lead to it, directly or through others.
    borrowing func addresses(of id: AccountID) -> [EmailAddress] {
        guard let own = accounts[id]?.address else { return [] }
        var result = [own]
        var seen: Set<DirectoryState.AddressKey> = []
        var open = [DirectoryState.AddressKey(own)].compactMap { $0 }
        // Each alias is followed once: as many rounds as there are aliases at most.
        while let key = open.popLast() {
            for alias in aliasesByTarget[key] ?? [] where seen.insert(alias).inserted {
                if let address = aliases[alias]?.address { result.append(address) }
                open.append(alias)
            }
        }
        return result
    }
}
