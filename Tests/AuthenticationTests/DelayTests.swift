import Authentication
import MailStore
import MartletCore
import Records
import Testing

@Suite struct DelayTests {
    @Test("the first failures cost nothing, then each doubles the wait up to the cap, and quiet forgives")
    func grows() async {
        let world = World()
        var waits: [Duration] = []
        for number in 0..<12 {
            #expect(await world.login("anna", "guess \(number)").kind == .wrongCredentials)
            waits.append(world.clock.takeSlept())
        }
        #expect(waits[0] == .zero && waits[1] == .zero && waits[2] == .zero && waits[3] == .zero)
        #expect(waits[4] >= .milliseconds(500))
        for (earlier, later) in zip(waits, waits.dropFirst()) { #expect(earlier <= later) }
        #expect(waits.allSatisfy { $0 <= .seconds(15) })
        #expect(waits[11] == .seconds(15))
        world.clock.advance(.seconds(30 * 60))
        _ = await world.login("anna", "guess")
        #expect(world.clock.takeSlept() == .zero)
    }

    @Test("an address that logged in before is not slowed by what others do to the account")
    func ownerStaysIn() async {
        let world = World()
        #expect(await world.login(from: "198.51.100.7").account != nil)
        for number in 0..<30 { _ = await world.login("anna", "guess \(number)", from: "192.0.2.\(number)") }
        _ = world.clock.takeSlept()
        #expect(await world.login(from: "198.51.100.7").account != nil)
        #expect(world.clock.takeSlept() == .zero)
        // A stranger to the account waits, and gets in all the same.
        #expect(await world.login(from: "203.0.113.9").account != nil)
        #expect(world.clock.takeSlept() > .seconds(1))
    }

    @Test("a known address that mistypes waits five seconds at most")
    func knownAddress() async {
        let world = World()
        _ = await world.login()
        for number in 0..<20 { _ = await world.login("anna", "typo \(number)") }
        _ = world.clock.takeSlept()
        #expect(await world.login().account != nil)
        #expect(world.clock.takeSlept() == .seconds(5))
        #expect(await world.login().account != nil)
        #expect(world.clock.takeSlept() == .zero)
    }

    @Test("a right guess is no faster than a wrong one, even when the password is in the cache")
    func noOracle() async {
        let world = World()
        _ = await world.login(from: "198.51.100.7")
        for number in 0..<10 { _ = await world.login("anna", "guess \(number)") }
        _ = world.clock.takeSlept()
        #expect(await world.login("anna", "secret").account != nil)
        #expect(world.clock.takeSlept() > .seconds(1))
    }

    @Test("an IPv6 /64 counts as one address, and an account of its own does not wash an attacker's guesses")
    func network() async {
        let world = World()
        world.directory.add("mallory@example.test", [Passwords.secret])
        for number in 0..<10 {
            _ = await world.login("victim\(number)@example.test", "guess", from: "2001:db8:1:2::\(number)")
            _ = await world.login("mallory@example.test", "secret", from: "2001:db8:1:2:\(number)::1")
        }
        _ = world.clock.takeSlept()
        _ = await world.login("anna", "guess", from: "2001:db8:1:2:ffff::9")
        #expect(world.clock.takeSlept() > .seconds(1))
        _ = await world.login("anna", "guess", from: "2001:db8:1:3::9")
        #expect(world.clock.takeSlept() == .zero)
    }

    @Test("names that are nobody's are slowed like accounts")
    func nobody() async {
        let world = World()
        for number in 0..<10 { _ = await world.login("nobody@example.test", "guess", from: "192.0.2.\(number)") }
        _ = world.clock.takeSlept()
        _ = await world.login("nobody@example.test", "guess", from: "203.0.113.1")
        #expect(world.clock.takeSlept() > .seconds(1))
    }

    @Test("a failure is recorded once an address and minute, the next record tells how many there were")
    func records() async throws {
        let world = World { $0.slowsDownFailures = false }
        let failure = try #require(await world.login("anna", "guess").failure)
        var records = await world.records.wait(for: 1)
        try #require(records.count == 1)
        #expect(records[0].kind == .login && records[0].code == failure.code)
        #expect(records[0].decisions.first?.evidence.contains(.init("login", "anna")) == true)
        for number in 0..<5 { _ = await world.login("anna", "guess \(number)") }
        _ = await world.login("anna", "guess", from: "192.0.2.99")
        records = await world.records.wait(for: 2)
        try #require(records.count == 2)
        #expect(records[1].peer.address == "192.0.2.99")
        world.clock.advance(.seconds(61))
        _ = await world.login("anna", "guess")
        records = await world.records.wait(for: 3)
        try #require(records.count == 3)
        #expect(records[2].decisions.first?.evidence.contains(.init("earlier failures without a record", "5")) == true)
    }

    @Test("guesses that are made at once wait as those one after the other do")
    func parallel() async {
        let world = World()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<12 { group.addTask { _ = await world.login("anna", "guess \(number)") } }
        }
        // One after the other they wait 31.5 seconds and more; how many end while others wait is not to be foreseen.
        #expect(world.clock.takeSlept() >= .seconds(15))
    }

    @Test("a dozen connections with the right password, from where it was used before, wait for nothing")
    func owner() async {
        let world = World()
        _ = await world.login()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<12 { group.addTask { #expect(await world.login().account != nil) } }
        }
        #expect(world.clock.takeSlept() < .seconds(1))
    }

    @Test("the code of a failed login tells of this account, not of another that failed from the same address")
    func ownStory() async throws {
        let world = World { $0.slowsDownFailures = false }
        var codes: [LookupCode] = []
        for name in ["anna", "carl", "anna", "dora"] {
            codes.append(try #require(await world.login(name, "guess").failure?.code))
        }
        #expect(codes[0] == codes[2] && Set(codes).count == 3)
        let records = await world.records.wait(for: 3)
        #expect(records.map(\.peer.login) == ["anna", "carl", "dora"])
    }

    @Test("an address that tries many names fills no store: the others are counted")
    func manyNames() async {
        let world = World { $0.slowsDownFailures = false }
        for number in 0..<40 { _ = await world.login("name\(number)", "guess") }
        world.clock.advance(.seconds(61))
        _ = await world.login("name0", "guess")
        let records = await world.records.wait(for: 21)
        #expect(records.count == 21)
        // They are told as others': name0 itself failed once and has a record of that.
        let evidence = records.last?.decisions.first?.evidence ?? []
        #expect(evidence.contains(.init("failures of other logins or addresses without a record", "20")))
        #expect(!evidence.contains { $0.name == "earlier failures without a record" })
    }

    @Test("others' failures that have no record are told as others', not as this login's")
    func others() async throws {
        let world = World { $0.slowsDownFailures = false }
        for number in 0..<25 { _ = await world.login("name\(number)", "guess") }
        _ = await world.login("anna", "guess", from: "192.0.2.99")
        let record = try #require(await world.records.wait(for: 21).first { $0.peer.login == "anna" })
        let evidence = try #require(record.decisions.first).evidence
        #expect(!evidence.contains { $0.name == "earlier failures without a record" })
        #expect(evidence.contains(.init("failures of other logins or addresses without a record", "5")))
    }

    @Test("exchanges that end before they name anybody are recorded too", arguments: ["CRAM-MD5", "PLAIN", "LOGIN"])
    func unnamed(mechanism: String) async throws {
        let world = World()
        let exchange = world.authenticator.makeExchange(world.peer(isTLS: mechanism != "PLAIN"))
        var outcome = await exchange.start(mechanism: mechanism, initialResponse: nil)
        if case .challenge = outcome { outcome = exchange.cancel() }
        guard case .failure(let failure) = outcome else {
            Issue.record("no failure")
            return
        }
        let records = await world.records.wait(for: 1)
        try #require(records.count == 1)
        #expect(records[0].code == failure.code && records[0].peer.login == nil)
    }
}
