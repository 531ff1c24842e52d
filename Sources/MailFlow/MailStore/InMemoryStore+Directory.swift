public import MartletCore

extension InMemoryStore {
    struct Directory: Sendable {
        var domains: [Domain: LocalDomain] = [:]
        var accounts: [AccountID: Account] = [:]
        var byAddress: [String: AccountID] = [:]
        var aliases: [String: (address: EmailAddress, targets: [EmailAddress])] = [:]
        var credentials: [AccountID: [Credential]] = [:]
        var generations: [AccountID: Int64] = [:]
        var nextAccount: Int64 = 1
    }

    /// As `EmailAddress.foldedLocalPart` folds.
    static func folded(_ localPart: String, _ domain: Domain) -> String {
        "\(Normalization.nfc(localPart.lowercased()))@\(domain)"
    }
    static func folded(_ address: EmailAddress) -> String {
        address.domain.map { folded(address.localPart, $0) } ?? address.description.lowercased()
    }
}

extension InMemoryStore: DirectoryStore {
    public func domain(_ domain: Domain) -> LocalDomain? { state.withLock { $0.directory.domains[domain] } }

    public func entry(localPart: String, domain: Domain) -> AddressEntry? {
        let name = InMemoryStore.folded(localPart, domain)
        return state.withLock { state in
            if let id = state.directory.byAddress[name], let account = state.directory.accounts[id] {
                return .account(id, account.address)
            }
            return state.directory.aliases[name].map { .alias($0.targets) }
        }
    }

    public func account(_ id: AccountID) -> Account? {
        state.withLock { state in
            guard var account = state.directory.accounts[id] else { return nil }
            account.usedBytes = state.accounts[id]?.usedBytes ?? 0
            account.usedMessages = state.accounts[id]?.usedMessages ?? 0
            return account
        }
    }

    public func addresses(of account: AccountID) -> [EmailAddress] {
        state.withLock { state in
            guard let own = state.directory.accounts[account]?.address else { return [] }
            var reached: [EmailAddress] = [own]
            // Aliases of aliases: at most as many rounds as there are aliases.
            for _ in 0...state.directory.aliases.count {
                let names = Set(reached.map(InMemoryStore.folded))
                let more = state.directory.aliases.values.filter { alias in
                    !names.contains(InMemoryStore.folded(alias.address))
                        && alias.targets.contains { names.contains(InMemoryStore.folded($0)) }
                }
                if more.isEmpty { break }
                reached += more.map(\.address)
            }
            return reached
        }
    }

    public func credentialGeneration(of account: AccountID) -> Int64 {
        state.withLock { $0.directory.generations[account] ?? 0 }
    }

    public func credentials(of account: AccountID) async throws(StoreError) -> [Credential] {
        state.withLock { $0.directory.credentials[account] ?? [] }
    }

    public func domains() -> [LocalDomain] { state.withLock { Array($0.directory.domains.values) } }
    public func accounts() -> [Account] {
        let ids = state.withLock { $0.directory.accounts.keys.sorted() }
        return ids.compactMap { account($0) }
    }
    public func aliases() -> [(address: EmailAddress, targets: [EmailAddress])] {
        state.withLock { Array($0.directory.aliases.values) }
    }

    public func putDomain(_ domain: LocalDomain) async throws(StoreError) {
        state.withLock { $0.directory.domains[domain.domain] = domain }
    }

    public func removeDomain(_ domain: Domain) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            let isUsed =
                state.directory.accounts.values.contains { $0.address.domain == domain }
                || state.directory.aliases.values.contains { $0.address.domain == domain }
            guard !isUsed else { throw .notAllowed(reason: "accounts or aliases use the domain") }
            state.directory.domains[domain] = nil
        }
    }

    public func createAccounts(_ accounts: [NewAccount]) async throws(StoreError) -> [AccountID] {
        try state.withLock { state throws(StoreError) in
            for new in accounts {
                let name = InMemoryStore.folded(new.address)
                guard state.directory.byAddress[name] == nil, state.directory.aliases[name] == nil else {
                    throw .notAllowed(reason: "the address \(new.address) is taken")
                }
            }
            var ids: [AccountID] = []
            for new in accounts {
                let id = AccountID(state.directory.nextAccount)
                state.directory.nextAccount += 1
                state.directory.accounts[id] = Account(
                    id: id, address: new.address, displayName: new.displayName, quota: new.quota, usedBytes: 0,
                    usedMessages: 0,
                    isAdministrator: new.isAdministrator, isSuspended: false)
                state.directory.byAddress[InMemoryStore.folded(new.address)] = id
                state.directory.credentials[id] = new.credential.map { [$0] } ?? []
                state.addAccount(id, quota: new.quota)
                ids.append(id)
            }
            return ids
        }
    }

    public func updateAccount(
        _ id: AccountID, displayName: String?, quota: Int64??, isAdministrator: Bool?, isSuspended: Bool?
    ) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            guard var account = state.directory.accounts[id] else { throw .noSuchAccount }
            if let displayName { account.displayName = displayName }
            if let quota {
                account.quota = quota
                state.accounts[id]?.quota = quota
            }
            if let isAdministrator { account.isAdministrator = isAdministrator }
            if let isSuspended { account.isSuspended = isSuspended }
            state.directory.accounts[id] = account
        }
    }

    public func removeAccount(_ id: AccountID) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            guard let account = state.directory.accounts.removeValue(forKey: id) else { throw .noSuchAccount }
            state.directory.byAddress[InMemoryStore.folded(account.address)] = nil
            state.directory.credentials[id] = nil
            state.accounts[id] = nil
        }
    }

    public func putAlias(_ address: EmailAddress, targets: [EmailAddress]) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            let name = InMemoryStore.folded(address)
            guard state.directory.byAddress[name] == nil else { throw .notAllowed(reason: "\(address) is an account") }
            state.directory.aliases[name] = (address, targets)
        }
    }

    public func removeAlias(_ address: EmailAddress) async throws(StoreError) {
        state.withLock { $0.directory.aliases[InMemoryStore.folded(address)] = nil }
    }

    public func putCredential(_ credential: Credential, of account: AccountID) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            guard state.directory.accounts[account] != nil else { throw .noSuchAccount }
            var all = state.directory.credentials[account] ?? []
            all.removeAll { $0.number == credential.number }
            all.append(credential)
            state.directory.credentials[account] = all.sorted { $0.number < $1.number }
            state.directory.generations[account, default: 0] += 1
        }
    }

    public func removeCredential(number: Int64, of account: AccountID) async throws(StoreError) {
        state.withLock { state in
            state.directory.credentials[account]?.removeAll { $0.number == number }
            state.directory.generations[account, default: 0] += 1
        }
    }

    public func noteUse(ofCredential number: Int64, of account: AccountID, at instant: Instant) {
        state.withLock { state in
            guard let place = state.directory.credentials[account]?.firstIndex(where: { $0.number == number }) else {
                return
            }
            state.directory.credentials[account]?[place].lastUsedAt = instant
        }
    }
}
