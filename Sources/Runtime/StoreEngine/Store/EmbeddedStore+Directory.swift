public import MailStore
public import MartletCore

extension EmbeddedStore: DirectoryStore {
    /// Alias targets of one address.
    static let maximumTargets = 10_000
    /// A credential's last use is written again only after this long.
    private static let useInterval: Int64 = 60_000_000

    public func domain(_ domain: Domain) -> LocalDomain? { directory.read { $0.domains[domain] } }

    public func entry(localPart: String, domain: Domain) -> AddressEntry? {
        let key = DirectoryState.AddressKey(localPart, domain)
        return directory.read { state in
            if let id = state.accountsByAddress[key], let account = state.accounts[id] {
                return .account(id, account.address)
            }
            return state.aliases[key].map { .alias($0.targets) }
        }
    }

    public func account(_ id: AccountID) -> Account? { directory.account(id) }
    public func addresses(of account: AccountID) -> [EmailAddress] { directory.read { $0.addresses(of: account) } }
    public func credentialGeneration(of account: AccountID) -> Int64 { directory.read { $0.generations[account] ?? 0 } }

    public func credentials(of account: AccountID) async throws(StoreError) -> [Credential] {
        try await readers.read { connection in
            let statement = try connection(.credentialsOfAccount).add(account.value)
            var credentials: [Credential] = []
            while try statement.step() { credentials.append(Credential(row: statement)) }
            return credentials
        }
    }

    public func domains() -> [LocalDomain] { directory.read { $0.domains.values.sorted { $0.domain < $1.domain } } }
    public func accounts() -> [Account] { directory.read { $0.accounts.values.sorted { $0.id < $1.id } } }

    public func aliases() -> [(address: EmailAddress, targets: [EmailAddress])] {
        directory.read { $0.aliases.values.sorted { $0.address.description < $1.address.description } }
    }

    // MARK: Writing

    public func putDomain(_ domain: LocalDomain) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { transaction in
            let statement = try transaction.writing(.putDomain).add(domain.domain.ascii)
            try statement.add(domain.catchAll?.description).add(domain.subaddressSeparator.map { String($0) }).run()
            transaction.changeDirectory { $0.domains[domain.domain] = domain }
        }
    }

    public func removeDomain(_ domain: Domain) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { transaction in
            let isUsed = transaction.directory.read { state in
                state.accounts.values.contains { $0.address.domain == domain }
                    || state.aliases.values.contains { $0.address.domain == domain }
            }
            guard !isUsed else { throw StoreError.notAllowed(reason: "accounts or aliases use the domain \(domain)") }
            try transaction.writing(.removeDomain).add(domain.ascii).run()
            transaction.changeDirectory { $0.domains[domain] = nil }
        }
    }

    public func createAccounts(_ accounts: [NewAccount]) async throws(StoreError) -> [AccountID] {
        try await committer.submit(isExclusive: true) { try $0.createAccounts(accounts) }
    }

    public func updateAccount(
        _ id: AccountID, displayName: String?, quota: Int64??, isAdministrator: Bool?, isSuspended: Bool?
    ) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { transaction in
            guard var account = transaction.directory.account(id) else { throw StoreError.noSuchAccount }
            if let displayName { account.displayName = displayName }
            if let quota { account.quota = quota }
            if let isAdministrator { account.isAdministrator = isAdministrator }
            if let isSuspended { account.isSuspended = isSuspended }
            let statement = try transaction.writing(.updateAccount).add(account.displayName).add(account.quota)
            try statement.add(account.isAdministrator).add(account.isSuspended).add(id.value).run()
            transaction.changeDirectory { [account] in $0.accounts[id] = account }
        }
    }

    public func removeAccount(_ id: AccountID) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { try $0.removeAccount(id) }
    }

    public func putAlias(_ address: EmailAddress, targets: [EmailAddress]) async throws(StoreError) {
        guard let key = DirectoryState.AddressKey(address), let domain = address.domain else {
            throw .notAllowed(reason: "an alias stands at a domain")
        }
        guard !targets.isEmpty, targets.count <= EmbeddedStore.maximumTargets else {
            throw .notAllowed(reason: "an alias has 1 to \(EmbeddedStore.maximumTargets) targets")
        }
        try await committer.submit(isExclusive: true) { transaction in
            guard transaction.directory.read({ $0.accountsByAddress[key] }) == nil else {
                throw StoreError.notAllowed(reason: "\(address) is an account")
            }
            guard transaction.directory.read({ $0.domains[domain] }) != nil else {
                throw StoreError.notAllowed(reason: "\(domain) is not a domain of this server; add it first")
            }
            let statement = try transaction.writing(.putAlias).add(key.domain).add(key.localPart)
            try statement.add(address.description).add(targets.map(\.description).joined(separator: "\n")).run()
            transaction.changeDirectory { $0.put(alias: address, targets: targets) }
        }
    }

    public func removeAlias(_ address: EmailAddress) async throws(StoreError) {
        guard let key = DirectoryState.AddressKey(address) else { return }
        try await committer.submit(isExclusive: true) { transaction in
            try transaction.writing(.removeAlias).add(key.domain).add(key.localPart).run()
            transaction.changeDirectory { $0.remove(alias: address) }
        }
    }

    public func putCredential(_ credential: Credential, of account: AccountID) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { transaction in
            guard transaction.directory.account(account) != nil else { throw StoreError.noSuchAccount }
            try transaction.put(credential, of: account)
            try transaction.bumpGeneration(of: account)
        }
    }

    public func removeCredential(number: Int64, of account: AccountID) async throws(StoreError) {
        try await committer.submit(isExclusive: true) { transaction in
            try transaction.writing(.removeCredential).add(account.value).add(number).run()
            guard transaction.directory.account(account) != nil else { return }
            try transaction.bumpGeneration(of: account)
        }
    }

    public func noteUse(ofCredential number: Int64, of account: AccountID, at instant: Instant) {
        directory.noteUse(
            of: DirectoryState.CredentialUse(account: account, number: number), at: instant.microseconds,
            atMostEvery: EmbeddedStore.useInterval)
    }
}

extension WriteTransaction {
    /// Changes the directory in memory, after the commit.
    func changeDirectory(_ change: @escaping (inout DirectoryState.State) -> Void) {
        let directory = directory
        pending.afterCommit.append { directory.change(change) }
    }

    func createAccounts(_ new: [NewAccount]) throws -> [AccountID] {
        var keys: Set<DirectoryState.AddressKey> = []
        for account in new {
            guard let key = DirectoryState.AddressKey(account.address), let domain = account.address.domain else {
                throw StoreError.notAllowed(reason: "\(account.address): an account stands at a domain")
            }
            let isTaken = directory.read { $0.accountsByAddress[key] != nil || $0.aliases[key] != nil }
            guard !isTaken, keys.insert(key).inserted else {
                throw StoreError.notAllowed(reason: "the address \(account.address) is taken")
            }
            guard directory.read({ $0.domains[domain] }) != nil else {
                throw StoreError.notAllowed(reason: "\(domain) is not a domain of this server; add it first")
            }
        }
        let setting = try connection(.getSetting).add(Schema.shard).add("next_account")
        var next = try setting.step() ? setting.int(0) : 1
        setting.finish()
        var ids: [AccountID] = []
        var made: [Account] = []
        for account in new {
            let id = AccountID(next)
            next += 1
            var mailboxes = AccountMailboxes(rows: [], subscriptions: [], nextMailbox: 1, lastUIDValidity: 0)
            let statement = try writing(.insertAccount).add(id.value).add(account.address.description).add(
                account.displayName)
            try statement.add(account.quota).add(account.isAdministrator).add(Int64(1)).add(Int64(0)).add(
                now.microseconds
            ).run()
            for (name, use) in standardMailboxes {
                try insertMailbox(name, use: use, id, &mailboxes)
                mailboxes.subscriptions.insert(name)
                try writing(.insertSubscription).add(id.value).add(name).run()
            }
            if let credential = account.credential { try put(credential, of: id) }
            put(mailboxes, id: id)
            ids.append(id)
            made.append(
                Account(
                    id: id, address: account.address, displayName: account.displayName, quota: account.quota,
                    usedBytes: 0, usedMessages: 0,
                    isAdministrator: account.isAdministrator, isSuspended: false))
        }
        try writing(.putSetting).add(Schema.shard).add("next_account").add(next).run()
        changeDirectory { [made] state in
            for account in made {
                state.put(account)
                state.generations[account.id] = 0
            }
        }
        return ids
    }

    func removeAccount(_ id: AccountID) throws {
        guard directory.account(id) != nil else { throw StoreError.noSuchAccount }
        let account = try account(id)
        let statement = try connection(.blobsOfAccount).add(id.value).add(id.value)
        var blobs: [BlobID: Int] = [:]
        while try statement.step() {
            if let blob = BlobID(statement.bytes(0)) { blobs[blob, default: 0] += 1 }
        }
        for (blob, count) in blobs { try reference(blob, length: 0, count: -count) }
        let tables: [SQL] = [
            .removeMessagesOfAccount, .removeSummariesOfAccount, .removeExpungedOfAccount, .removeMailboxesOfAccount,
            .removeSubscriptionsOfAccount, .removeCredentialsOfAccount, .removeAccount,
        ]
        for table in tables { try writing(table).add(id.value).run() }
        // Whoever has a mailbox of it open is told that it is gone.
        for var row in account.rows.values where row.deletedAt == 0 {
            row.deletedAt = now.microseconds
            row.highestModSeq += 1
            pending.rows[row.key] = row
        }
        pending.accounts[id] = .some(nil)
        changeDirectory { $0.remove(id) }
    }

    func put(_ credential: Credential, of account: AccountID) throws {
        let statement = try writing(.putCredential).add(account.value).add(credential.number).add(credential.label).add(
            credential.argon2id)
        for keys in [credential.scramSHA256, credential.scramSHA1] {
            statement.add(keys.salt).add(keys.iterations).add(keys.storedKey).add(keys.serverKey)
        }
        try statement.add(credential.createdAt.microseconds).add(credential.lastUsedAt?.microseconds).run()
    }

    func bumpGeneration(of account: AccountID) throws {
        let generation = directory.read { ($0.generations[account] ?? 0) + 1 }
        try writing(.bumpCredentialGeneration).add(generation).add(account.value).run()
        changeDirectory { $0.generations[account] = generation }
    }

    /// Writes what logins have noted since the last batch.
    func writeCredentialUses() throws {
        for (use, at) in directory.takeUses() {
            try writing(.touchCredential).add(at).add(use.account.value).add(use.number).run()
        }
    }
}

extension Credential {
    /// From the present row of `SQL.credentialsOfAccount`.
    init(row: Statement) {
        func keys(_ column: Int32) -> SCRAMKeys {
            SCRAMKeys(
                salt: row.bytes(column), iterations: Int(row.int(column + 1)), storedKey: row.bytes(column + 2),
                serverKey: row.bytes(column + 3))
        }
        self.init(
            number: row.int(0), label: row.text(1), argon2id: row.text(2), scramSHA256: keys(3), scramSHA1: keys(7),
            createdAt: Instant(microseconds: row.int(11)),
            lastUsedAt: row.optionalInt(12).map { Instant(microseconds: $0) })
    }
}
