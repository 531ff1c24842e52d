import Authentication
import MailStore
import MartletCore
import Testing

@Suite struct LoginTests {
    @Test("the right password logs in, and gives the account whatever the case of the name")
    func success() async {
        let world = World()
        for name in ["anna@example.test", "ANNA@Example.TEST", "anna"] {
            let account = await world.login(name).account
            #expect(account?.id == world.anna)
            #expect(account?.login == name)
            #expect(account?.credentialNumber == 0)
        }
    }

    @Test("names that are not an account's, and bare ones where there are two domains, are refused")
    func names() async {
        let world = World()
        world.directory.state.withLock { $0.aliases["alias@example.test"] = world.anna }
        for name in [
            "nobody@example.test", "alias@example.test", "anna@elsewhere.test", "@", "", "anna@", "anna\u{7}",
            String(repeating: "a", count: 2_000),
        ] {
            #expect(await world.login(name).kind == .wrongCredentials, "\(name)")
        }
        let two = World(domains: ["example.test", "other.test"])
        #expect(await two.login("anna").kind == .wrongCredentials)
        #expect(await two.login("anna@example.test").account != nil)
    }

    @Test("a domain in U-labels is the same domain")
    func internationalDomain() async {
        let world = World(domains: ["bücher.test"])
        let id = world.directory.add("eva@xn--bcher-kva.test", [Passwords.secret])
        #expect(await world.login("eva@BÜCHER.test").account?.id == id)
    }

    @Test("wrong passwords are refused, also empty and unpreparable ones")
    func wrong() async {
        let world = World { $0.slowsDownFailures = false }
        for password in ["Secret", "secret ", "", "\u{7}", "s"] {
            #expect(await world.login("anna@example.test", password).kind == .wrongCredentials)
        }
        let outcome = await world.authenticator.login(user: "anna", password: Secret([0xFF, 0xFE]), peer: world.peer())
        #expect(outcome.kind == .wrongCredentials)
    }

    @Test("a suspended account is refused, and only the right password hears why")
    func suspended() async {
        let world = World()
        #expect(await world.login("bert@example.test").kind == .suspended)
        #expect(await world.login("bert@example.test", "wrong").kind == .wrongCredentials)
    }

    @Test("a password in the clear is refused before TLS, and taken from loopback where that is set")
    func plaintext() async {
        let world = World()
        let plain = await world.authenticator.login(
            user: "anna", password: Secret("secret"), peer: world.peer(isTLS: false))
        #expect(plain.kind == .encryptionRequired)
        let lab = World { $0.plaintextFromLoopback = true }
        #expect(
            await lab.authenticator.login(
                user: "anna", password: Secret("secret"), peer: lab.peer("127.0.0.1", isTLS: false)
            ).account != nil)
        #expect(
            await lab.authenticator.login(user: "anna", password: Secret("secret"), peer: lab.peer(isTLS: false)).kind
                == .encryptionRequired)
        #expect(world.authenticator.mechanisms(isTLS: false, isLoopback: true) == ["SCRAM-SHA-256", "SCRAM-SHA-1"])
        #expect(
            lab.authenticator.mechanisms(isTLS: false, isLoopback: true) == [
                "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN",
            ])
        #expect(
            world.authenticator.mechanisms(isTLS: true, isLoopback: false)
                == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN"])
    }

    @Test("the second login asks no directory and hashes nothing; a change of credentials makes the old password wrong")
    func cache() async {
        let world = World()
        _ = await world.login()
        let reads = world.directory.state.withLock { $0.credentialReads }
        for _ in 0..<1_000 { #expect(await world.login().account != nil) }
        // Nothing is hashed without the credentials that it is compared with.
        #expect(world.directory.state.withLock { $0.credentialReads } == reads)
        world.directory.setCredentials([Passwords.changed], of: world.anna)
        #expect(await world.login().kind == .wrongCredentials)
        #expect(await world.login("anna", "changed").account != nil)
    }

    @Test("a refused login costs the same whether there is no such account, one password, or several")
    func effort() {
        let wrong = Secret("guess")
        let expected = PasswordHasher.Effort(keyDerivations: 1, verifications: 1)
        for credentials in [[], [Passwords.secret], [Passwords.secret, Passwords.device]] {
            #expect(PasswordHasher.effort(wrong, against: credentials) == expected)
            #expect(PasswordHasher.effort(nil, against: credentials) == expected)
        }
        #expect(PasswordHasher.effort(Secret("abcd-efgh"), against: [Passwords.secret, Passwords.device]) == expected)
    }

    @Test("a device's password logs in as that credential, and not after it is revoked")
    func appPassword() async {
        let world = World()
        world.directory.setCredentials([Passwords.secret, Passwords.device], of: world.anna)
        #expect(await world.login("anna", "abcd-efgh").account?.credentialNumber == 4)
        #expect(await world.login("anna", "secret").account?.credentialNumber == 0)
        #expect(world.directory.state.withLock { $0.notes } == [4, 0])
        world.directory.setCredentials([Passwords.secret], of: world.anna)
        #expect(await world.login("anna", "abcd-efgh").kind == .wrongCredentials)
        #expect(await world.login("anna", "secret").account != nil)
    }

    @Test("the same password from many connections at once is hashed once")
    func coalesced() async {
        let world = World()
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { await world.login().account != nil } }
            for await isIn in group { #expect(isIn) }
        }
        #expect(world.directory.state.withLock { $0.credentialReads } <= 2)
    }

    @Test("a flood of passwords is told to try later instead of waiting without end")
    func flood() async {
        let world = World {
            $0.maximumQueuedVerifications = 2
            $0.slowsDownFailures = false
        }
        var busy = 0
        await withTaskGroup(of: LoginFailure.Kind?.self) { group in
            for number in 0..<40 { group.addTask { await world.login("anna", "guess \(number)").kind } }
            for await kind in group {
                if kind == .unavailable { busy += 1 } else { #expect(kind == .wrongCredentials) }
            }
        }
        #expect(busy > 0)
        #expect(await world.login().account != nil)
    }

    @Test("a directory that does not answer is a temporary failure")
    func directoryFails() async {
        let world = World()
        world.directory.state.withLock { $0.fails = true }
        guard case .failure(let failure) = await world.login() else {
            Issue.record("logged in")
            return
        }
        #expect(failure.isTemporary && failure.kind == .unavailable)
    }

    @Test("secrets never show: neither password nor keys in outcomes, failures and records")
    func secretsStaySecret() async {
        let world = World()
        let outcome = await world.login("anna", "hunter2-hunter2")
        #expect(!"\(outcome)".contains("hunter2"))
        #expect(!"\(await world.records.wait(for: 1))".contains("hunter2"))
    }
}

@Suite struct CredentialTests {
    @Test("argon2id and both SCRAM keys are kept, differently salted each time, with the parameters promised")
    func make() throws {
        let other = Passwords.make("secret")
        #expect(other.argon2id.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        #expect(other.argon2id != Passwords.secret.argon2id)
        #expect(other.scramSHA256.salt != Passwords.secret.scramSHA256.salt)
        #expect(other.scramSHA256.iterations == 10_000 && other.scramSHA1.iterations == 10_000)
        #expect(other.scramSHA256.storedKey.count == 32 && other.scramSHA1.storedKey.count == 20)
        #expect(Passwords.device.scramSHA1.salt == Passwords.secret.scramSHA1.salt)
        #expect(
            Passwords.device.argon2id.split(separator: "$")[3] != Passwords.secret.argon2id.split(separator: "$")[3])
    }

    @Test("passwords that no client could send are refused")
    func unusable() {
        for password in ["", "a\u{0}b", "\u{7F}"] {
            #expect(throws: CredentialMaker.Failure.unusablePassword) {
                try CredentialMaker.make(password: Secret(password), now: Passwords.now)
            }
        }
        #expect(throws: CredentialMaker.Failure.tooLong(limit: 1_024)) {
            try CredentialMaker.make(password: Secret([UInt8](repeating: 0x61, count: 1_025)), now: Passwords.now)
        }
    }

    @Test("generated app passwords are five groups of four and never twice the same")
    func generated() {
        var seen: Set<Secret> = []
        for _ in 0..<200 {
            let password = CredentialMaker.generateAppPassword()
            let groups = String(decoding: password.exposed, as: UTF8.self).split(separator: "-")
            #expect(groups.count == 5 && groups.allSatisfy { $0.count == 4 })
            #expect(!password.exposed.contains { "01loi".utf8.contains($0) })
            seen.insert(password)
        }
        #expect(seen.count == 200)
    }

    @Test("lookup codes of one millisecond differ")
    func codes() {
        let codes = LookupCodes()
        #expect(Set((0..<10_000).map { _ in codes.next(at: Passwords.now) }).count == 10_000)
    }

    @Test("a login holds until the account is suspended or removed, or its own password changed or revoked")
    func stillHolds() async throws {
        let world = World()
        world.directory.setCredentials([Passwords.secret, Passwords.device], of: world.anna)
        var main = try #require(await world.login().account)
        var device = try #require(await world.login("anna", "abcd-efgh").account)
        #expect(world.authenticator.isUnchanged(main) && device.credentialNumber == 4)

        // Another device is added: both sessions go on, after one look, and without one from then on.
        let another = Passwords.make("another", 5, [Passwords.secret])
        world.directory.setCredentials([Passwords.secret, Passwords.device, another], of: world.anna)
        #expect(!world.authenticator.isUnchanged(main))
        #expect(await world.authenticator.stillHolds(&main))
        #expect(world.authenticator.isUnchanged(main))
        let reads = world.directory.state.withLock { $0.credentialReads }
        #expect(await world.authenticator.stillHolds(&main))
        #expect(world.directory.state.withLock { $0.credentialReads } == reads)

        // The password is changed: the device goes on. The device is revoked: it ends.
        world.directory.setCredentials([Passwords.changed, Passwords.device], of: world.anna)
        #expect(await !world.authenticator.stillHolds(&main))
        #expect(await world.authenticator.stillHolds(&device))
        world.directory.setCredentials([Passwords.changed], of: world.anna)
        #expect(await !world.authenticator.stillHolds(&device))

        // A new password with the number of an old one is not the old one.
        var changed = try #require(await world.login("anna", "changed").account)
        world.directory.state.withLock { $0.accounts[world.anna]?.isSuspended = true }
        #expect(await !world.authenticator.stillHolds(&changed))
        world.directory.state.withLock { $0.accounts[world.anna]?.isSuspended = false }
        #expect(await world.authenticator.stillHolds(&changed))
        world.directory.state.withLock { $0.accounts[world.anna] = nil }
        #expect(await !world.authenticator.stillHolds(&changed))
    }

    @Test("a directory that does not answer vouches for nobody")
    func unavailable() async throws {
        let world = World()
        var account = try #require(await world.login().account)
        world.directory.setCredentials([Passwords.secret, Passwords.device], of: world.anna)
        world.directory.state.withLock { $0.fails = true }
        #expect(await !world.authenticator.stillHolds(&account))
    }
}
