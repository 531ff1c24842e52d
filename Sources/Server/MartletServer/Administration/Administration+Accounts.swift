internal import Authentication
internal import DeliveryPolicy
internal import MailStore
internal import MartletCore

extension Administration {
    func account(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .accountAdd(
            let address, let displayName, let quota, let usesDefaultQuota, let isAdministrator, let password):
            return try await add(
                address, displayName: displayName, quota: usesDefaultQuota ? defaults.quota : quota,
                isAdministrator: isAdministrator,
                password: password.secret)
        case .accountList:
            return .accounts(directory.accounts().map(view).sorted { $0.address < $1.address })
        case .accountShow(let address):
            return .account(view(try existingAccount(address)), note: nil)
        case .accountRemove(let address):
            let account = try existingAccount(address)
            // With the last account goes everybody who could read postmaster's mail: then nobody needs to.
            if account.isAdministrator, directory.accounts().count > 1 { try refuseLastAdministrator(account) }
            try await stored { () throws(StoreError) in try await directory.removeAccount(account.id) }
            let left = references(to: account.address).map { "; \($0)" } ?? ""
            return .done("\(account.address) and its mail are removed\(left)")
        case .accountSet(let address, let displayName, let quota, let isAdministrator, let isSuspended):
            let account = try existingAccount(address)
            if account.isAdministrator, isAdministrator == false { try refuseLastAdministrator(account) }
            let change: Int64?? = quota.map { $0 < 0 ? nil : $0 }
            try await stored { () throws(StoreError) in
                try await directory.updateAccount(
                    account.id, displayName: displayName, quota: change, isAdministrator: isAdministrator,
                    isSuspended: isSuspended)
            }
            return .account(view(try existingAccount(address)), note: nil)
        case .accountPassword(let address, let password):
            let account = try existingAccount(address)
            let existing = try await stored { () throws(StoreError) in try await directory.credentials(of: account.id) }
            let made = try credential(
                password.secret, number: 0, label: "", besides: existing.filter { $0.number != 0 })
            try await stored { () throws(StoreError) in try await directory.putCredential(made, of: account.id) }
            return .done("the password of \(account.address) is changed; app passwords go on")
        default:
            preconditionFailure("requests about accounts come here")
        }
    }

    private func add(
        _ text: String, displayName: String, quota: Int64?, isAdministrator: Bool, password: Secret
    ) async throws(AdministrationFailure) -> AdministrationResponse {
        let (address, domain) = try localAddress(text)
        try refuseTaken(address)
        // postmaster and abuse reach the first administrator: there is always one (RFC 5321 §4.5.1).
        let isFirst = !directory.accounts().contains(where: \.isAdministrator)
        let made = try credential(password, number: 0, label: "", besides: [])
        let account = NewAccount(
            address: address, displayName: displayName, quota: quota, isAdministrator: isAdministrator || isFirst,
            credential: made)
        _ = try await stored { () throws(StoreError) in try await directory.createAccounts([account]) }
        var notes: [String] = []
        if isFirst, !isAdministrator {
            notes.append("it is the first account, so it is the administrator: postmaster and abuse reach it")
        }
        if let separator = domain.subaddressSeparator, address.localPart.contains(separator) {
            notes.append("its name contains “\(separator)”, which also separates tags in \(domain.domain)")
        }
        return .account(view(try existingAccount(text)), note: notes.isEmpty ? nil : notes.joined(separator: "; "))
    }

    /// An address is an account or an alias, not both.
    func refuseTaken(_ address: EmailAddress) throws(AdministrationFailure) {
        guard let domain = address.domain,
            let entry = directory.entry(localPart: address.foldedLocalPart, domain: domain)
        else { return }
        switch entry {
        case .account: throw AdministrationFailure(.refused, "\(address) is an account already")
        case .alias:
            throw AdministrationFailure(
                .refused, "\(address) is an alias already", remedy: "remove it first: martlet alias remove \(address)")
        }
    }

    private func refuseLastAdministrator(_ account: Account) throws(AdministrationFailure) {
        guard !directory.accounts().contains(where: { $0.isAdministrator && $0.id != account.id }) else { return }
        throw AdministrationFailure(
            .refused, "\(account.address) is the only administrator, whom postmaster and abuse reach",
            remedy: "make another one first: martlet account set ADDRESS --administrator")
    }

    func view(_ account: Account) -> AccountView {
        AccountView(
            address: account.address.description, displayName: account.displayName, quota: account.quota,
            usedBytes: account.usedBytes,
            usedMessages: account.usedMessages, isAdministrator: account.isAdministrator,
            isSuspended: account.isSuspended,
            addresses: directory.addresses(of: account.id).filter {
                SubmissionPolicy.isOwn($0, of: account.id, in: DirectoryLookup(directory))
            }.map(\.description))
    }

    // MARK: App passwords

    /// App passwords of one account.
    static let maximumAppPasswords = 50

    func appPassword(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .appPasswordAdd(let address, let label):
            let account = try existingAccount(address)
            guard !label.isEmpty, label.utf8.count <= 100, label.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw AdministrationFailure(
                    .invalid, "a device's name has 1 to 100 characters", remedy: "write a name such as --label phone")
            }
            let existing = try await stored { () throws(StoreError) in try await directory.credentials(of: account.id) }
            guard existing.count <= Administration.maximumAppPasswords else {
                throw AdministrationFailure(
                    .refused, "\(account.address) has \(Administration.maximumAppPasswords) app passwords",
                    remedy: "revoke one that is not used")
            }
            let password = CredentialMaker.generateAppPassword()
            // A number is never given twice, also when its password was revoked: the generation has grown with each change.
            let number =
                max(
                    existing.map(\.number).max() ?? 0, directory.credentialGeneration(of: account.id)) + 1
            let made = try credential(password, number: number, label: label, besides: existing)
            try await stored { () throws(StoreError) in try await directory.putCredential(made, of: account.id) }
            return .appPassword(AppPasswordView(made), password: PasswordText(password))
        case .appPasswordList(let address):
            let account = try existingAccount(address)
            let existing = try await stored { () throws(StoreError) in try await directory.credentials(of: account.id) }
            return .appPasswords(
                existing.filter { $0.number != 0 }.sorted { $0.number < $1.number }.map(AppPasswordView.init))
        case .appPasswordRevoke(let address, let number):
            let account = try existingAccount(address)
            let existing = try await stored { () throws(StoreError) in try await directory.credentials(of: account.id) }
            guard let credential = existing.first(where: { $0.number == number && number != 0 }) else {
                throw AdministrationFailure(
                    .notFound, "\(account.address) has no app password \(number)",
                    remedy: "“martlet account app-password list” lists them")
            }
            try await stored { () throws(StoreError) in
                try await directory.removeCredential(number: number, of: account.id)
            }
            return .done(
                "app password \(number) (\(escapedForTerminal(credential.label))) of \(account.address) is revoked")
        default:
            preconditionFailure("requests about app passwords come here")
        }
    }
}
