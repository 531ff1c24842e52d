internal import MailStore
internal import MartletCore

extension StoreConformance {
    private static func address(_ text: String) throws -> EmailAddress { try require(EmailAddress(text), "address") }
    private static func credential(_ number: Int64, _ label: String, at time: Instant) -> Credential {
        let keys = Credential.SCRAMKeys(salt: [1, 2], iterations: 4_096, storedKey: [3], serverKey: [4, 5, 6])
        return Credential(
            number: number, label: label, argon2id: "$argon2id$v=19$\(label)", scramSHA256: keys, scramSHA1: keys,
            createdAt: time)
    }

    static let directory: [ConformanceCase] = [
        ConformanceCase("an account is found by its address in any case, and no other") { test in
            let anna = try await test.makeAccount("Anna")
            let domain = try require(Domain("EXAMPLE.test"), "domain")
            for name in ["anna", "ANNA", "Anna"] {
                try expectEqual(
                    test.store.entry(localPart: name, domain: domain), .account(anna, try address("Anna@example.test")))
            }
            try expectEqual(test.store.entry(localPart: "ann", domain: domain), nil)
            try expectEqual(
                test.store.entry(localPart: "anna", domain: try require(Domain("example.org"), "domain")), nil)
            try expectEqual(test.store.account(anna)?.address, try address("Anna@example.test"))
            try expectEqual(test.store.accounts().map(\.id), [anna])
        },
        ConformanceCase("an address is given once, and accounts are made all or none") { test in
            _ = try await test.makeAccount("anna")
            let batch = [
                NewAccount(address: try address("bob@example.test"), credential: nil),
                NewAccount(address: try address("ANNA@example.test"), credential: nil),
            ]
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                _ = try await test.store.createAccounts(batch)
            }
            try expectEqual(test.store.accounts().count, 1)
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                try await test.store.putAlias(
                    try address("anna@example.test"), targets: [try address("x@example.test")])
            }
            try await test.store.putAlias(
                try address("sales@example.test"), targets: [try address("anna@example.test")])
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                _ = try await test.store.createAccounts([
                    NewAccount(address: try address("Sales@example.test"), credential: nil)
                ])
            }
        },
        ConformanceCase("aliases lead to addresses; an account may use those that reach it, through others as well") {
            test in
            let anna = try await test.makeAccount("anna")
            _ = try await test.makeAccount("bob")
            let domain = try require(Domain("example.test"), "domain")
            try await test.store.putAlias(
                try address("sales@example.test"),
                targets: [try address("anna@example.test"), try address("bob@example.test")])
            try await test.store.putAlias(
                try address("info@example.test"), targets: [try address("sales@example.test")])
            try await test.store.putAlias(try address("loop@example.test"), targets: [try address("loop@example.test")])
            try expectEqual(
                test.store.entry(localPart: "SALES", domain: domain),
                .alias([try address("anna@example.test"), try address("bob@example.test")]))
            try expectEqual(
                Set(test.store.addresses(of: anna)),
                [try address("anna@example.test"), try address("sales@example.test"), try address("info@example.test")])
            try expectEqual(test.store.addresses(of: anna).first, try address("anna@example.test"))
            try await test.store.putAlias(try address("sales@example.test"), targets: [try address("bob@example.test")])
            try expectEqual(test.store.addresses(of: anna), [try address("anna@example.test")])
            try await test.store.removeAlias(try address("Sales@example.test"))
            try expectEqual(test.store.entry(localPart: "sales", domain: domain), nil)
            try expectEqual(test.store.aliases().count, 2)
        },
        ConformanceCase("domains keep their catch-all and separator, and cannot go while they are used") { test in
            let domain = try require(Domain("bücher.example"), "domain")
            let catchAll = try address("anna@example.test")
            try await test.store.putDomain(LocalDomain(domain: domain, catchAll: catchAll, subaddressSeparator: "-"))
            try expectEqual(
                test.store.domain(domain), LocalDomain(domain: domain, catchAll: catchAll, subaddressSeparator: "-"))
            try await test.store.putDomain(LocalDomain(domain: domain, catchAll: nil, subaddressSeparator: nil))
            try expectEqual(
                test.store.domains(), [LocalDomain(domain: domain, catchAll: nil, subaddressSeparator: nil)])
            _ = try await test.store.createAccounts([
                NewAccount(
                    address: try require(EmailAddress(localPart: "karl", domain: domain), "address"), credential: nil)
            ])
            try await expectError("notAllowed", { if case .notAllowed = $0 { true } else { false } }) {
                try await test.store.removeDomain(domain)
            }
            let account = try require(test.store.accounts().first, "account")
            try await test.store.removeAccount(account.id)
            try await test.store.removeDomain(domain)
            try expectEqual(test.store.domain(domain), nil)
        },
        ConformanceCase("credentials are kept by number, and each change shows in the generation") { test in
            let anna = try await test.makeAccount()
            try expectEqual(try await test.store.credentials(of: anna), [])
            var generation = test.store.credentialGeneration(of: anna)
            func checkGrowth() throws {
                try expect(test.store.credentialGeneration(of: anna) > generation, "the generation did not grow")
                generation = test.store.credentialGeneration(of: anna)
            }
            let now = test.clock.now()
            try await test.store.putCredential(credential(7, "phone", at: now), of: anna)
            try checkGrowth()
            try await test.store.putCredential(credential(0, "", at: now), of: anna)
            try checkGrowth()
            try expectEqual(
                try await test.store.credentials(of: anna),
                [credential(0, "", at: now), credential(7, "phone", at: now)])
            try await test.store.putCredential(credential(7, "new phone", at: now), of: anna)
            try checkGrowth()
            try expectEqual(try await test.store.credentials(of: anna).last?.label, "new phone")
            try await test.store.removeCredential(number: 7, of: anna)
            try checkGrowth()
            try expectEqual(try await test.store.credentials(of: anna).map(\.number), [0])
            test.store.noteUse(ofCredential: 0, of: anna, at: now)
            try await test.append(["x"], to: try await test.inbox(of: anna))
            try expectEqual(try await test.store.credentials(of: anna).first?.lastUsedAt, now)
            try await expectError(.noSuchAccount) {
                try await test.store.putCredential(credential(1, "", at: now), of: AccountID(99))
            }
        },
        ConformanceCase("an account's properties change one by one") { test in
            let anna = try await test.makeAccount("anna", quota: 100)
            try await test.store.updateAccount(
                anna, displayName: "Anna A.", quota: nil, isAdministrator: nil, isSuspended: true)
            var account = try require(test.store.account(anna), "account")
            try expectEqual(account.displayName, "Anna A.")
            try expectEqual(account.quota, 100)
            try expect(account.isSuspended && !account.isAdministrator, "\(account)")
            try await test.store.updateAccount(
                anna, displayName: nil, quota: .some(nil), isAdministrator: true, isSuspended: false)
            account = try require(test.store.account(anna), "account")
            try expectEqual(account.quota, nil)
            try expectEqual(account.displayName, "Anna A.")
            try expect(account.isAdministrator && !account.isSuspended, "\(account)")
            try await expectError(.noSuchAccount) {
                try await test.store.updateAccount(
                    AccountID(99), displayName: "x", quota: nil, isAdministrator: nil, isSuspended: nil)
            }
        },
        ConformanceCase("a removed account is gone with all it had, and its number does not come back") { test in
            let anna = try await test.makeAccount("anna")
            let bob = try await test.makeAccount("bob")
            let inbox = try await test.inbox(of: anna)
            try await test.append(["shared text"], to: inbox)
            try await test.append(["shared text"], to: try await test.inbox(of: bob))
            try await test.store.removeAccount(anna)
            try expectEqual(test.store.account(anna), nil)
            try await expectError(.noSuchMailbox) { _ = try await test.store.index(of: inbox) }
            try await expectError(.noSuchAccount) { _ = try await test.store.mailboxes(of: anna) }
            try await expectError(.noSuchAccount) { try await test.store.removeAccount(anna) }
            try expectEqual(try await test.text(of: 1, in: try await test.inbox(of: bob)), "shared text")
            let again = try await test.makeAccount("anna")
            try expect(again != anna && again != bob, "an account's number was used again")
            try expectEqual(try await test.store.mailbox(named: "INBOX", of: again).messages, 0)
        },
    ]
}
