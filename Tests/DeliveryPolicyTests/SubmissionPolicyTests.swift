import DeliveryPolicy
import MailStore
import MartletCore
import Records
import Testing

/// Two accounts, a third whose name looks like a tag of the first, aliases of one, of another alias, and of several.
private struct Office: AddressLookup {
    let accounts: [String: Int64] = [
        "anna@one.test": 1, "boss@one.test": 2, "anna+boss@one.test": 3, "anna@two.test": 4,
    ]
    let aliases: [String: [String]] = [
        "info@one.test": ["anna@one.test"], "office@one.test": ["info@one.test"],
        "team@one.test": ["anna@one.test", "boss@one.test"], "far@one.test": ["anna@one.test", "x@far.test"],
        "anna+list@one.test": ["team@one.test"], "dead@one.test": ["nobody@one.test"],
        "postmaster@one.test": ["nobody@two.test"],
    ]
    func domain(_ domain: Domain) -> LocalDomain? {
        switch domain.ascii {
        case "one.test": LocalDomain(domain: domain, catchAll: EmailAddress("anna@one.test"))
        case "two.test": LocalDomain(domain: domain, subaddressSeparator: nil)
        default: nil
        }
    }
    func entry(localPart: String, domain: Domain) -> AddressEntry? {
        let key = "\(localPart)@\(domain.ascii)"
        if let number = accounts[key], let address = EmailAddress(key) { return .account(AccountID(number), address) }
        return aliases[key].map { .alias($0.compactMap { EmailAddress($0) }) }
    }
    func roleFallback() -> (AccountID, EmailAddress)? { EmailAddress("anna@one.test").map { (AccountID(1), $0) } }
}

@Suite struct SubmissionPolicyTests {
    private var anna: SubmissionPolicy.Sender {
        get throws {
            SubmissionPolicy.Sender(
                account: AccountID(1), address: try #require(EmailAddress("anna@one.test")), login: "anna@one.test")
        }
    }

    @Test(
        "These addresses are anna's, those are not",
        arguments: [
            ("anna@one.test", true), ("ANNA@One.Test", true), ("anna+shop@one.test", true), ("info@one.test", true),
            ("info+x@one.test", true), ("office@one.test", true), ("abuse@one.test", true), ("Abuse@two.test", true),
            // Somebody else's, a group's, another server's, nobody's.
            ("anna+boss@one.test", false), ("boss@one.test", false), ("team@one.test", false),
            ("team+x@one.test", false), ("anna+list@one.test", false), ("far@one.test", false),
            ("anna@two.test", false), ("anna@far.test", false), ("anna@[127.0.0.1]", false),
            ("whoever@one.test", false), ("postmaster@one.test", false), ("+anna@one.test", false),
            ("anna+boss+x@one.test", true),
        ])
    func own(text: String, isOwn: Bool) throws {
        let address = try #require(EmailAddress(text))
        #expect(SubmissionPolicy.isOwn(address, of: AccountID(1), in: Office()) == isOwn)
        #expect((SubmissionPolicy.decideSender(address, of: try anna, in: Office()).outcome == .pass) == isOwn)
    }

    @Test("Without a separator a name with a plus is a name")
    func noSeparator() throws {
        let address = try #require(EmailAddress("anna+x@two.test"))
        #expect(!SubmissionPolicy.isOwn(address, of: AccountID(4), in: Office()))
    }

    @Test(
        "Every address in each of the four fields has to be an own one",
        arguments: Originators.FieldName.allCases)
    func originators(name: Originators.FieldName) throws {
        func decide(_ fields: [Originators.Field]) throws -> Decision {
            SubmissionPolicy.decideOriginators(Originators(fields), of: try anna, in: Office())
        }
        let from = Originators.Field(.from, ["anna@one.test"])
        #expect(try decide([from, .init(name, ["info@one.test"])]).outcome == .pass)
        let refusal = try decide([from, .init(name, ["anna@one.test", "boss@one.test"])])
        #expect(refusal.outcome == .refuse && refusal.summary.contains(name.rawValue))
        #expect(try decide([from, .init(name, ["anna"])]).outcome == .refuse)
        #expect(try decide([from, .init(name, ["anna@one.test"], isCutOff: true)]).outcome == .refuse)
    }

    @Test("A message without an address in From is refused; a MAIL without one is a receipt's")
    func nobody() throws {
        #expect(SubmissionPolicy.decideOriginators(Originators(), of: try anna, in: Office()).outcome == .refuse)
        let empty = Originators([.init(.from, []), .init(.sender, ["anna@one.test"])])
        #expect(SubmissionPolicy.decideOriginators(empty, of: try anna, in: Office()).outcome == .refuse)
        #expect(SubmissionPolicy.decideSender(nil, of: try anna, in: Office()).outcome == .pass)
    }
}
