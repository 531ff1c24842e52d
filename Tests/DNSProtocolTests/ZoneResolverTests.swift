import DNSProtocol
import Testing

@Suite struct ZoneResolverTests {
    /// The zone of RFC 4592 §2.2.1, and others around it.
    static let zones = [
        """
        $ORIGIN example.
        $TTL 3600
        @ SOA ns.example.com. root.example.com. 1 2 3 4 300
        @ NS ns.example.com.
        @ 600 MX 10 host1
        * TXT "this is a wildcard"
        * MX 10 host1
        sub.* TXT "this is not a wildcard"
        host1 A 192.0.2.1
        host1 60 A 192.0.2.2
        host1 A 192.0.2.1
        _ssh._tcp.host1 SRV 1 2 22 host1
        _ssh._tcp.host2 SRV 1 2 22 host1
        subdel NS ns.example.com.
        away NS ns.example.com.
        alias 30 CNAME HOST1
        far CNAME www.other.test.
        dangling CNAME nobody.other.test.
        outside CNAME somewhere.else.invalid.
        circle CNAME circle2
        circle2 CNAME circle
        *.cw CNAME host1
        """,
        """
        $ORIGIN other.test.
        @ SOA ns root 1 2 3 4 20
        www 5 A 192.0.2.9
        """,
        """
        $ORIGIN subdel.example.
        @ SOA ns root 1 2 3 4 20
        @ A 192.0.2.7
        """,
        """
        mx.lone.test. A 192.0.2.8
        lone.test. MX 10 mx.lone.test.
        deep.in.place.invalid. A 192.0.2.6
        """,
    ]

    private static func resolver(otherwise rest: (any Resolving)? = nil) throws -> ZoneResolver {
        ZoneResolver(zones: try zones.map { try ZoneFile.parse(Array($0.utf8)) }, otherwise: rest)
    }

    @Test(
        "Questions and answers",
        arguments: [
            // RFC 4592 §2.2.1, each of its examples.
            ("host3.example. MX", "10 host1.example. (TTL 3600, insecure)"),
            ("host3.example. A", "no A record (TTL 300, insecure)"),
            ("foo.bar.example. TXT", "\"this is a wildcard\" (TTL 3600, insecure)"),
            ("host1.example. MX", "no MX record (TTL 300, insecure)"),
            ("sub.*.example. MX", "no MX record (TTL 300, insecure)"),
            ("_telnet._tcp.host1.example. SRV", "NXDOMAIN (TTL 300, insecure)"),
            ("host.subdel.example. A", "NXDOMAIN (TTL 20, insecure)"),
            ("ghost.*.example. MX", "NXDOMAIN (TTL 300, insecure)"),
            // Empty non-terminals, and the wildcard's own name.
            ("host2.example. A", "no A record (TTL 300, insecure)"),
            ("_tcp.host1.example. A", "no A record (TTL 300, insecure)"),
            ("*.example. TXT", "\"this is a wildcard\" (TTL 3600, insecure)"),
            // Sets of records have one TTL, and none twice.
            ("host1.example. A", "192.0.2.1, 192.0.2.2 (TTL 60, insecure)"),
            ("HOST1.Example. A", "192.0.2.1, 192.0.2.2 (TTL 60, insecure)"),
            ("example. MX", "10 host1.example. (TTL 600, insecure)"),
            ("example. A", "no A record (TTL 300, insecure)"),
            // CNAMEs.
            ("alias.example. A", "192.0.2.1, 192.0.2.2 (by CNAME HOST1.example., TTL 30, insecure)"),
            ("alias.example. CNAME", "HOST1.example. (TTL 30, insecure)"),
            ("alias.example. MX", "no MX record (by CNAME HOST1.example., TTL 30, insecure)"),
            ("far.example. A", "192.0.2.9 (by CNAME www.other.test., TTL 5, insecure)"),
            ("dangling.example. A", "NXDOMAIN (by CNAME nobody.other.test., TTL 20, insecure)"),
            ("outside.example. A", "NXDOMAIN (by CNAME somewhere.else.invalid., TTL 60, insecure)"),
            ("x.cw.example. A", "192.0.2.1, 192.0.2.2 (by CNAME host1.example., TTL 60, insecure)"),
            ("circle.example. A", "the look-up came to too many CNAMEs, one behind the other"),
            // Zones: the nearest one, delegations, none.
            ("subdel.example. A", "192.0.2.7 (TTL 20, insecure)"),
            ("away.example. A", "NXDOMAIN (TTL 3600, insecure)"),
            ("host.away.example. A", "NXDOMAIN (TTL 3600, insecure)"),
            ("com. A", "NXDOMAIN (TTL 60, insecure)"), (". NS", "NXDOMAIN (TTL 60, insecure)"),
            // A file without SOA.
            ("lone.test. MX", "10 mx.lone.test. (TTL 3600, insecure)"),
            ("nobody.lone.test. A", "NXDOMAIN (TTL 60, insecure)"),
            ("deep.in.place.invalid. A", "192.0.2.6 (TTL 3600, insecure)"),
        ])
    func answers(question: String, expected: String) async throws {
        let words = question.split(separator: " ").map(String.init)
        let name = try #require(DNSName(words[0]))
        let type = try #require(DNSRecordType(name: words[1]))
        let answer = await (try Self.resolver()).resolve(name, type)
        #expect(answer.description == expected)
        #expect(answer.question == DNSQuestion(name, type))
    }

    @Test("With a resolver behind it, what lies outside is asked there, CNAMEs that lead out too")
    func rest() async throws {
        let script = try ScriptedResolver(
            """
            secure somewhere.else.invalid. A -> CNAME final.invalid. 192.0.2.77
            secure host.away.example. A -> 192.0.2.78
            secure com. NS -> a.com.
            """)
        let resolver = try Self.resolver(otherwise: script)
        let out = await resolver.resolve(try #require(DNSName("outside.example.")), .a)
        #expect(out.description == "192.0.2.77 (by CNAME final.invalid., TTL 300, insecure)")
        #expect(await resolver.resolve(try #require(DNSName("com")), .ns).security == .secure)
        #expect(
            await resolver.resolve(try #require(DNSName("host.away.example.")), .a).records == [.a([192, 0, 2, 78])])
        let asked = script.questions.count
        #expect(await resolver.resolve(try #require(DNSName("nobody.other.test")), .a).outcome == .noSuchName)
        #expect(script.questions.count == asked)
    }

    @Test("A chain of as many CNAMEs as are followed ends well, and one more does not")
    func chain() async throws {
        let limit = ZoneResolver.maximumAliases
        let records =
            (0...limit).map { "n\($0).test. CNAME n\($0 + 1).test.\n" } + ["n\(limit + 1).test. A 192.0.2.1\n"]
        let resolver = ZoneResolver(zones: [try ZoneFile.parse(Array(records.joined().utf8))])
        #expect(await resolver.resolve(try #require(DNSName("n1.test")), .a).records == [.a([192, 0, 2, 1])])
        #expect(await resolver.resolve(try #require(DNSName("n0.test")), .a).outcome == .failure(.aliasChain))
    }

    @Test("An answer tells at most so much of what came, in printable characters")
    func described() throws {
        let question = DNSQuestion(try #require(DNSName("x.test")), .txt)
        let long = DNSRecordData.txt([[UInt8](repeating: 7, count: 255)])
        let answer = DNSAnswer(question: question, outcome: .records(Array(repeating: long, count: 1_000)), ttl: 1)
        #expect(answer.description.utf8.count < 10_000)
        #expect(answer.description.hasSuffix(" and 980 more (TTL 1, indeterminate)"))
        let bogus = DNSAnswer(question: question, outcome: .failure(.bogus("\u{1B}[2Jü\n")), security: .secure)
        #expect(bogus.description == "the look-up failed DNSSEC validation: ?[2J???")
        #expect(bogus.security == .bogus)
    }

    @Test("What rests on two answers is as good as the weaker one")
    func combined() {
        let order: [DNSAnswer.Security] = [.bogus, .indeterminate, .insecure, .secure]
        for (i, left) in order.enumerated() {
            for (j, right) in order.enumerated() { #expect(left.combined(with: right) == order[min(i, j)]) }
        }
    }
}
