import DeliveryPolicy
import MailStore
import MartletCore
import Testing

/// A directory with accounts, an alias, groups, a circle and a catch-all.
private struct Town: AddressLookup {
    var hasAdministrator = true
    let accounts: [String: Int64] = [
        "anna@one.test": 1, "bert@one.test": 2, "admin@one.test": 3, "rest@two.test": 4, "müller@one.test": 5,
    ]
    let aliases: [String: [String]] = [
        "sales@one.test": ["anna@one.test", "bert@one.test"],
        "all@one.test": ["sales@one.test", "anna@one.test", "out@far.test"],
        "circle@one.test": ["round@one.test"], "round@one.test": ["circle@one.test"],
        "dead@one.test": ["nobody@one.test"],
        // postmaster and abuse of two.test lead to an account that is gone, and in a circle.
        "postmaster@two.test": ["gone@one.test"], "abuse@two.test": ["ring@one.test"],
        "ring@one.test": ["abuse@two.test"], "help@one.test": ["postmaster@two.test"],
        "abuse@one.test": ["dead@one.test"], "postmaster@three.test": ["deep0@one.test"],
        "abuse@three.test": ["anna@one.test"],
    ]

    func domain(_ domain: Domain) -> LocalDomain? {
        switch domain.ascii {
        case "one.test": LocalDomain(domain: domain)
        case "two.test": LocalDomain(domain: domain, catchAll: EmailAddress("rest@two.test"))
        case "three.test": LocalDomain(domain: domain, subaddressSeparator: "-")
        case "xn--mller-kva.test": LocalDomain(domain: domain, catchAll: EmailAddress("anna@one.test"))
        default: nil
        }
    }

    func entry(localPart: String, domain: Domain) -> AddressEntry? {
        let key = "\(localPart)@\(domain.ascii)"
        if localPart.hasPrefix("deep"), let number = Int(localPart.dropFirst(4)) {
            return EmailAddress("deep\(number + 1)@\(domain.ascii)").map { .alias([$0]) }
        }
        if let number = accounts[key], let address = EmailAddress(key) { return .account(AccountID(number), address) }
        return aliases[key].map { .alias($0.compactMap { EmailAddress($0) }) }
    }

    func roleFallback() -> (AccountID, EmailAddress)? {
        hasAdministrator ? EmailAddress("admin@one.test").map { (AccountID(3), $0) } : nil
    }
}

@Suite struct RecipientResolverTests {
    private func resolve(_ text: String, in town: Town = Town()) throws -> Resolution {
        RecipientResolver().resolve(try #require(EmailAddress(text)), in: town)
    }

    @Test(
        "An address reaches these accounts",
        arguments: [
            ("anna@one.test", [1]), ("ANNA@One.Test", [1]), ("anna+shop@one.test", [1]), ("sales@one.test", [1, 2]),
            ("sales+x@one.test", [1, 2]),
            ("all@one.test", [1, 2]), ("postmaster@one.test", [3]), ("Abuse@one.test", [3]),
            ("postmaster@two.test", [3]),
            ("anything@two.test", [4]), ("abuse@three.test", [1]), ("x@müller.test", [1]), ("MÜLLER@one.test", [5]),
        ] as [(String, [Int64])])
    func reaches(address: String, accounts: [Int64]) throws {
        let resolution = try resolve(address)
        #expect(resolution.outcome == .found)
        #expect(resolution.targets.map(\.account.value) == accounts)
    }

    @Test("The tag keeps the case in which it was written")
    func detail() throws { #expect(try resolve("Anna+Shop.X@one.test").targets.first?.detail == "Shop.X") }

    @Test("An outside member of a group is told apart")
    func outside() throws { #expect(try resolve("all@one.test").outside.map(\.description) == ["out@far.test"]) }

    @Test(
        "Unknown local parts are unknown",
        arguments: ["nobody@one.test", "+anna@one.test", "anna-x@three.test", "dead@one.test"])
    func unknown(address: String) throws { #expect(try resolve(address).outcome == .unknownUser) }

    @Test(
        "A domain that is not ours is not local", arguments: ["anna@far.test", "anna@[127.0.0.1]", "anna@sub.one.test"])
    func notLocal(address: String) throws { #expect(try resolve(address).outcome == .notLocal) }

    @Test("Without an administrator postmaster is unknown like any other")
    func noAdministrator() throws {
        #expect(try resolve("postmaster@one.test", in: Town(hasAdministrator: false)).outcome == .unknownUser)
    }

    @Test("Aliases in a circle reach nobody, which is said, and end")
    func circle() throws {
        let resolution = try resolve("circle@one.test")
        #expect(resolution.targets.isEmpty)
        #expect(resolution.outcome == .unknownUser)
        #expect(resolution.decision.summary.contains("points back at it"))
    }

    @Test(
        "A role address whose alias leads to nobody, in a circle or too deep reaches the administrator",
        arguments: [
            "postmaster@two.test", "abuse@two.test", "abuse@one.test", "help@one.test", "postmaster@three.test",
        ])
    func roleFallback(address: String) throws {
        let resolution = try resolve(address)
        #expect(resolution.outcome == .found && resolution.usedRoleFallback)
        #expect(resolution.targets.map(\.account.value) == [3])
        #expect(try resolve(address, in: Town(hasAdministrator: false)).outcome != .found)
    }

    @Test("A lookup with a change over it answers as the directory will")
    func changed() throws {
        let anna = try #require(EmailAddress("anna@one.test"))
        let circle = try #require(EmailAddress("circle@one.test"))
        let mended = ChangedLookup(Town(), alias: circle, targets: [anna])
        #expect(RecipientResolver().resolve(circle, in: mended).targets.map(\.account.value) == [1])
        let two = try #require(Domain("two.test"))
        let away = ChangedLookup(Town(), domain: LocalDomain(domain: two, catchAll: EmailAddress("nosuch@two.test")))
        let anything = try #require(EmailAddress("anything@two.test"))
        #expect(RecipientResolver().resolve(anything, in: away).outcome == .unknownUser)
    }

    @Test("A chain that is longer than the limit is told as broken")
    func chain() throws {
        struct Chain: AddressLookup {
            func domain(_ domain: Domain) -> LocalDomain? { LocalDomain(domain: domain) }
            func entry(localPart: String, domain: Domain) -> AddressEntry? {
                Int(localPart).flatMap { EmailAddress("\($0 + 1)@\(domain.ascii)") }.map { .alias([$0]) }
            }
            func roleFallback() -> (AccountID, EmailAddress)? { nil }
        }
        let resolution = RecipientResolver().resolve(try #require(EmailAddress("1@one.test")), in: Chain())
        guard case .brokenAlias = resolution.outcome else {
            Issue.record("expected a broken alias, got \(resolution.outcome)")
            return
        }
    }
}
