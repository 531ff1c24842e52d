import DNSProtocol
import MartletCore
import Testing

@Suite struct MailRouterTests {
    private static func route(
        _ domain: String, _ script: String, router: MailRouter = MailRouter(), seed: UInt64 = 1
    ) async throws -> MailRoute {
        var generator = SeededGenerator(seed: seed)
        return await router.route(
            to: try #require(Domain(domain)), via: try ScriptedResolver(script), using: &generator)
    }

    /// `mx1.test 192.0.2.1 2001:db8::1; mx2.test …`, or the failure's status and reason.
    private static func told(_ route: MailRoute) -> String {
        if let failure = route.failure { return "\(failure.status) \(failure.reason.rawValue)" }
        return route.hosts.map { host in
            "\(host.preference) \(host.name?.ascii ?? "-") " + host.addresses.map(\.description).joined(separator: " ")
        }.joined(separator: "; ")
    }

    @Test(
        "Where mail goes, and why not",
        arguments: [
            (
                "MX by preference, families in turn",
                """
                d.test MX -> 20 b.test. | 10 a.test.
                a.test A -> 192.0.2.1 | 192.0.2.2
                a.test AAAA -> 2001:db8::1
                b.test A -> 192.0.2.3
                """, "10 a.test 2001:db8::1 192.0.2.1 192.0.2.2; 20 b.test 192.0.2.3"
            ),
            ("implicit MX", "d.test MX -> NODATA\nd.test A -> 192.0.2.1", "0 d.test 192.0.2.1"),
            ("no such domain", "d.test MX -> NXDOMAIN", "5.1.2 noSuchDomain"),
            ("neither MX nor address", "d.test MX -> NODATA", "5.1.2 noAddress"),
            ("null MX", "d.test MX -> 0 .\nd.test A -> 192.0.2.1", "5.1.10 nullMX"),
            ("null MX, twice", "d.test MX -> 0 . | 10 .", "5.1.10 nullMX"),
            (
                "null MX beside others", "d.test MX -> 0 . | 10 a.test.\na.test A -> 192.0.2.1",
                "10 a.test 192.0.2.1"
            ),
            ("SERVFAIL", "d.test MX -> SERVFAIL\nd.test A -> 192.0.2.1", "4.4.3 lookupFailed"),
            ("timeout", "d.test MX -> TIMEOUT\nd.test A -> 192.0.2.1", "4.4.3 lookupFailed"),
            ("bogus", "d.test MX -> BOGUS\nd.test A -> 192.0.2.1", "4.4.3 bogus"),
            (
                "no address by an MX, then none by the domain's own", "d.test MX -> 10 a.test.\nd.test A -> 192.0.2.1",
                "5.4.4 noUsableExchange"
            ),
            (
                "one MX without address is passed over",
                "d.test MX -> 10 a.test. | 20 b.test.\nb.test A -> 192.0.2.1", "20 b.test 192.0.2.1"
            ),
            (
                "one MX that cannot be looked up is passed over",
                "d.test MX -> 10 a.test. | 20 b.test.\na.test A -> SERVFAIL\nb.test A -> 192.0.2.1",
                "20 b.test 192.0.2.1"
            ),
            (
                "no address now", "d.test MX -> 10 a.test. | 20 b.test.\na.test A -> TIMEOUT", "4.4.3 lookupFailed"
            ),
            ("bogus address", "d.test MX -> 10 a.test.\na.test A -> BOGUS\na.test AAAA -> NODATA", "4.4.3 bogus"),
            (
                "implicit MX, no answer for its address", "d.test MX -> NODATA\nd.test A -> TIMEOUT",
                "4.4.3 lookupFailed"
            ),
            (
                "one family is enough", "d.test MX -> 10 a.test.\na.test AAAA -> SERVFAIL\na.test A -> 192.0.2.1",
                "10 a.test 192.0.2.1"
            ),
            (
                "MX that is an address", "d.test MX -> 5 192.0.2.9. | 10 a.test.\na.test A -> 192.0.2.1",
                "10 a.test 192.0.2.1"
            ),
            ("nothing but addresses", "d.test MX -> 5 192.0.2.9. | 6 \\[192.0.2.9\\].", "5.4.4 noUsableExchange"),
            ("MX that is no host name", "d.test MX -> 5 a\\032b.test.", "5.4.4 noUsableExchange"),
            (
                "MX that is a CNAME", "d.test MX -> 10 a.test.\na.test A -> CNAME real.test. 192.0.2.1",
                "10 a.test 192.0.2.1"
            ),
            (
                "the same host twice counts once, at its best",
                "d.test MX -> 10 A.test. | 20 b.test. | 30 a.test.\na.test A -> 192.0.2.1 | 192.0.2.1\nb.test A -> 192.0.2.1",
                "10 a.test 192.0.2.1; 20 b.test 192.0.2.1"
            ),
            (
                "addresses that no host has",
                "d.test MX -> 10 a.test. | 20 b.test.\na.test A -> 0.0.0.0\na.test AAAA -> ::\nb.test A -> 224.0.0.1 | 192.0.2.1",
                "20 b.test 192.0.2.1"
            ),
        ])
    func routes(what: String, script: String, expected: String) async throws {
        let route = try await Self.route("d.test", script)
        #expect(Self.told(route) == expected, "\(what)")
        #expect(!route.steps.isEmpty && route.steps.allSatisfy { !$0.text.contains("\n") })
        #expect(route.failure.map(\.isPermanent) == expected.hasPrefix("5.") || route.failure == nil)
        #expect(route.ttl == (expected.hasPrefix("4.") ? 0 : expected.contains("noSuchDomain") ? 300 : route.ttl))
    }

    @Test(
        "This server drops out with all that is no better (RFC 5321 §5.1)",
        arguments: [
            ("20 us.test. | 10 a.test. | 30 b.test.", "10 a.test 192.0.2.1"),
            ("20 us.test. | 20 a.test. | 10 b.test.", "10 b.test 192.0.2.2"),
            ("10 us.test. | 20 a.test.", "5.4.6 loop"), ("10 us.test.", "5.4.6 loop"),
            ("10 a.test. | 20 other-name.test. | 30 b.test.", "10 a.test 192.0.2.1"),
            ("10 a.test. | 20 other-six.test. | 30 b.test.", "10 a.test 192.0.2.1"),
            ("10 a.test. | 20 here.test. | 30 b.test.", "10 a.test 192.0.2.1"),
            ("10 a.test. | 20 alias.test. | 30 b.test.", "10 a.test 192.0.2.1"),
            // Who is better cannot be looked up now: that is no circle.
            ("10 slow.test. | 20 us.test.", "4.4.3 lookupFailed"), ("10 us.test. | 20 slow.test.", "5.4.6 loop"),
            ("10 nobody.test. | 20 us.test.", "5.4.6 loop"),
        ])
    func loops(records: String, expected: String) async throws {
        let router = MailRouter(
            ourNames: [try #require(Domain("us.test"))],
            ourAddresses: [try #require(IPAddress("192.0.2.100")), try #require(IPAddress("2001:db8::100"))])
        let script = """
            d.test MX -> \(records)
            us.test A -> 192.0.2.50
            a.test A -> 192.0.2.1
            b.test A -> 192.0.2.2
            other-name.test A -> 192.0.2.100
            other-six.test AAAA -> 2001:db8::100
            here.test A -> 127.0.0.5
            alias.test A -> CNAME us.test. 192.0.2.50
            slow.test A -> TIMEOUT
            """
        #expect(Self.told(try await Self.route("d.test", script, router: router)) == expected)
    }

    @Test("A domain whose own address is ours is a circle too; in a lab a loopback address is anybody")
    func implicitLoop() async throws {
        let script = "d.test MX -> NODATA\nd.test A -> 127.0.0.1"
        #expect(Self.told(try await Self.route("d.test", script)) == "5.4.6 loop")
        let lab = MailRouter(loopbackIsOurs: false)
        #expect(Self.told(try await Self.route("d.test", script, router: lab)) == "0 d.test 127.0.0.1")
    }

    @Test(
        "Equals are in an order that the generator decides, each first as often as the others; better ones stay first")
    func random() async throws {
        let script = """
            d.test MX -> 5 first.test. | 10 a.test. | 10 b.test. | 10 c.test.
            first.test A -> 192.0.2.4
            a.test A -> 192.0.2.1
            b.test A -> 192.0.2.2
            c.test A -> 192.0.2.3
            """
        var counts: [String: Int] = [:]
        for seed in 0..<600 as Range<UInt64> {
            let route = try await Self.route("d.test", script, seed: seed)
            #expect(route.hosts.first?.name?.ascii == "first.test")
            counts[route.hosts[1].name?.ascii ?? "", default: 0] += 1
        }
        #expect(counts.count == 3 && counts.values.allSatisfy { (140...260).contains($0) }, "\(counts)")
        let once = try await Self.route("d.test", script, seed: 7)
        let again = try await Self.route("d.test", script, seed: 7)
        #expect(once == again)
    }

    @Test("Only the families that are in use are asked for, and tried")
    func families() async throws {
        let script = """
            d.test MX -> 10 a.test. | 20 b.test.
            a.test AAAA -> 2001:db8::1
            b.test A -> 192.0.2.1
            """
        let four = try await Self.route("d.test", script, router: MailRouter(families: .ipv4Only))
        #expect(Self.told(four) == "20 b.test 192.0.2.1")
        #expect(!four.steps.contains { $0.answer?.question.type == .aaaa })
        #expect(four.steps.contains { $0.text.contains("a.test has no IPv4 address") })
        let six = try await Self.route("d.test", script, router: MailRouter(families: .ipv6Only))
        #expect(Self.told(six) == "10 a.test 2001:db8::1")
    }

    @Test("DNSSEC status: of the MX records, and of each host's addresses, the weaker one")
    func security() async throws {
        let script = """
            secure d.test MX -> 10 a.test. | 20 b.test. | 30 c.test.
            secure a.test A -> 192.0.2.1
            secure a.test AAAA -> NODATA
            secure b.test A -> CNAME real.test. 192.0.2.2
            b.test AAAA -> NODATA
            secure c.test A -> 192.0.2.3
            secure c.test AAAA -> TIMEOUT
            secure own.test MX -> NODATA
            own.test A -> 192.0.2.4
            """
        let route = try await Self.route("d.test", script)
        #expect(route.security == .secure)
        #expect(route.hosts.map(\.addressSecurity) == [.secure, .insecure, .secure])
        #expect(route.hosts.map(\.canonicalName?.ascii) == ["a.test", "real.test", "c.test"])
        #expect(route.ttl == 60)
        #expect(route.steps.contains { $0.kind == .problem && $0.reference == "RFC 2181 §10.3" })
        #expect(try await Self.route("own.test", script).security == .insecure)
    }

    @Test(
        "Address literals",
        arguments: [
            ("192.0.2.1", "0 - 192.0.2.1"), ("ipv6:2001:db8::1", "0 - 2001:db8::1"), ("127.0.0.1", "5.4.6 loop"),
            ("192.0.2.100", "5.4.6 loop"), ("ipv6:::ffff:192.0.2.100", "5.4.6 loop"), ("300.1.1.1", "5.1.3 badLiteral"),
            ("0.0.0.0", "5.1.3 badLiteral"), ("x-tag:1", "5.1.3 badLiteral"), ("2001:db8::1", "5.1.3 badLiteral"),
        ])
    func literals(literal: String, expected: String) async throws {
        let router = MailRouter(ourAddresses: [try #require(IPAddress("192.0.2.100"))])
        var generator = SeededGenerator(seed: 1)
        let resolver = try ScriptedResolver("")
        let route = await router.route(to: .literal(literal), via: resolver, using: &generator)
        #expect(Self.told(route) == expected)
        #expect(resolver.questions.isEmpty)
        var four = router
        four.families = .ipv4Only
        let other = four.route(toLiteral: literal)
        #expect(Self.told(other) == (literal == "ipv6:2001:db8::1" ? "5.4.4 familyIsOff" : expected))
    }

    @Test("A relay of the configuration: no MX, no circle, and nothing is final")
    func relay() async throws {
        let router = MailRouter(ourNames: [try #require(Domain("us.test"))])
        let script = try ScriptedResolver(
            "secure relay.test A -> 127.0.0.1\nsecure relay.test AAAA -> NODATA\nrelay.test MX -> 5 x.test.\nus.test A -> 192.0.2.9"
        )
        let relay = await router.route(toServer: .domain(try #require(Domain("relay.test"))), via: script)
        #expect(Self.told(relay) == "0 relay.test 127.0.0.1")
        #expect(relay.hosts.first?.origin == .given && relay.security == .secure)
        #expect(!script.questions.contains { $0.type == .mx })
        let own = await router.route(toServer: .domain(try #require(Domain("us.test"))), via: script)
        #expect(Self.told(own) == "0 us.test 192.0.2.9")
        let gone = await router.route(toServer: .domain(try #require(Domain("gone.test"))), via: script)
        #expect(Self.told(gone) == "4.4.4 noAddress" && gone.failure?.isPermanent == false && gone.ttl == 0)
        #expect(Self.told(await router.route(toServer: .literal("127.0.0.1"), via: script)) == "0 - 127.0.0.1")
        #expect(Self.told(await router.route(toServer: .literal("nothing"), via: script)) == "4.4.4 badLiteral")
    }

    @Test("Records, hosts, addresses, look-ups and steps have limits")
    func limits() async throws {
        let addresses = (1...100).map { "192.0.2.\($0)" }.joined(separator: " | ")
        let six = (1...100).map { "2001:db8::\($0)" }.joined(separator: " | ")
        var script = "d.test MX -> " + (0..<500).map { "\($0) h\($0).test." }.joined(separator: " | ") + "\n"
        for host in 0..<500 { script += "h\(host).test A -> \(addresses)\nh\(host).test AAAA -> \(six)\n" }
        let resolver = try ScriptedResolver(script)
        var generator = SeededGenerator(seed: 1)
        let route = await MailRouter().route(to: try #require(Domain("d.test")), via: resolver, using: &generator)
        #expect(route.hosts.count == MailRouter.maximumExchanges)
        #expect(route.hosts.first?.name?.ascii == "h0.test")
        #expect(route.hosts.allSatisfy { $0.addresses.count == MailRouter.maximumAddresses })
        #expect(
            route.hosts.first?.addresses.prefix(4).map(\.description) == [
                "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2",
            ])
        #expect(resolver.questions.count == MailRouter.maximumLookups)
        #expect(route.steps.count <= MailRouter.maximumSteps)
        #expect(route.steps.last?.text.hasPrefix("Tried in this order: h0.test (") == true)
        #expect(route.steps.contains { $0.text.contains("more than 200 MX records") })
        #expect(route.steps.contains { $0.text.contains("the best 20 are looked up") })
        #expect(route.steps.contains { $0.text.contains("h0.test has more than 10 addresses") })
    }

    @Test("The steps tell the way in sentences")
    func steps() async throws {
        let route = try await Self.route(
            "d.test",
            """
            d.test MX -> CNAME e.test. 10 a.test. | 5 192.0.2.7.
            a.test A -> 192.0.2.1
            a.test AAAA -> NODATA
            """)
        #expect(
            route.steps.map(\.text) == [
                "d.test. MX: 10 a.test., 5 192.0.2.7. (by CNAME e.test., TTL 300, insecure)",
                "d.test is an alias of e.test., whose records count",
                "An MX record of d.test has the address 192.0.2.7 where a name belongs; it is passed over",
                "a.test. AAAA: no AAAA record (TTL 300, insecure)",
                "a.test. A: 192.0.2.1 (TTL 300, insecure)",
                "Tried in this order: a.test (192.0.2.1)",
            ])
    }
}
