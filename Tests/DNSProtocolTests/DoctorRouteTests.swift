import DNSProtocol
import Foundation
import MartletCore
import Testing

@Suite struct DoctorRouteTests {
    private static func route(_ script: String) async throws -> MailRoute {
        var generator = SeededGenerator(seed: 1)
        return await MailRouter().route(
            to: try #require(Domain("d.test")), via: try ScriptedResolver(script), using: &generator)
    }

    private static let two = """
        secure d.test MX -> 10 a.test. | 20 b.test.
        secure a.test A -> 192.0.2.1
        secure a.test AAAA -> NODATA
        b.test A -> 192.0.2.2
        b.test AAAA -> NODATA
        """

    /// - Parameter host: when nil, the one that has the address in `two`.
    private static func probe(
        _ address: String, of host: String? = nil, _ change: (inout RouteProbe) -> Void
    ) throws -> RouteProbe {
        let name = try #require(Domain(host ?? (address == "192.0.2.2" ? "b.test" : "a.test")))
        var probe = RouteProbe(host: name, address: try #require(IPAddress(address)))
        change(&probe)
        return probe
    }

    @Test("The whole report, with one server that is down and one that takes the recipient")
    func report() async throws {
        let probes = [
            try Self.probe("192.0.2.2") {
                $0.greeting = "220 b.test ESMTP \u{1B}[2J"
                $0.timeToGreeting = .milliseconds(12)
                $0.tls = .established(
                    TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"), .invalid("has expired"))
                $0.extensions = ["PIPELINING", "SIZE 10240000"]
                $0.recipientReply = SMTPReply(250, EnhancedStatus(2, 1, 5), "Ok")
            },
            try Self.probe("192.0.2.1") { $0.problem = "connection refused" },
        ]
        let report = DoctorRoute(subject: "anna@d.test", route: try await Self.route(Self.two), probes: probes)
        #expect(
            report.text == """
                Route of mail for anna@d.test

                How it is found:
                  1. d.test. MX: 10 a.test., 20 b.test. (TTL 300, secure)
                  2. a.test. AAAA: no AAAA record (TTL 300, secure)
                  3. a.test. A: 192.0.2.1 (TTL 300, secure)
                  4. b.test. AAAA: no AAAA record (TTL 300, insecure)
                  5. b.test. A: 192.0.2.2 (TTL 300, insecure)
                  6. Tried in this order: a.test (192.0.2.1), then b.test (192.0.2.2) [RFC 5321 §5.1]

                Servers, in the order in which they are tried:
                  1. a.test, preference 10, addresses secure
                     192.0.2.1
                       problem: connection refused
                  2. b.test, preference 20, addresses insecure
                     192.0.2.2
                       port 25 answered after 12 ms: 220 b.test ESMTP ?[2J
                       TLS: TLSv1.3, TLS_AES_128_GCM_SHA256; the certificate has expired; mail is encrypted all the same, \
                without proof of who reads
                       offers: PIPELINING, SIZE 10240000
                       takes the recipient: 250 2.1.5 Ok

                Mail for anna@d.test can be delivered.
                Next step: Nothing is needed. The servers that did not answer are passed over until they do.

                """)
    }

    @Test("The verdict is that of the first server that says one")
    func verdicts() async throws {
        let route = try await Self.route(Self.two)
        func verdict(_ replies: [(String, UInt16?)]) throws -> DoctorRoute.Verdict {
            let probes = try replies.map { address, code in
                try Self.probe(address) {
                    if let code {
                        $0.greeting = "220 x"
                        $0.recipientReply = SMTPReply(code, nil, "text")
                    } else {
                        $0.problem = "timeout"
                    }
                }
            }
            return DoctorRoute(subject: "x@d.test", route: route, probes: probes).verdict
        }
        #expect(try verdict([]) == .notAsked)
        #expect(try verdict([("192.0.2.1", nil), ("192.0.2.2", nil)]) == .unreachable)
        #expect(try verdict([("192.0.2.1", 250)]) == .accepted)
        #expect(try verdict([("192.0.2.2", 250), ("192.0.2.1", 550)]) == .refused)
        #expect(try verdict([("192.0.2.1", 451), ("192.0.2.2", 250)]) == .accepted)
        #expect(try verdict([("192.0.2.1", 451), ("192.0.2.2", nil)]) == .deferred)
        #expect(try verdict([("192.0.2.99", 250)]) == .notAsked)
    }

    @Test("Two hosts with one address are told apart, whoever of them answered first")
    func sharedAddress() async throws {
        let route = try await Self.route(
            """
            d.test MX -> 10 a.test. | 20 b.test.
            a.test A -> 192.0.2.1
            a.test AAAA -> NODATA
            b.test A -> 192.0.2.1
            b.test AAAA -> NODATA
            """)
        let parameters = TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256")
        let probes = [
            try Self.probe("192.0.2.1", of: "b.test") {
                $0.greeting = "220 x"
                $0.tls = .established(parameters, .valid)
                $0.recipientReply = SMTPReply(250, nil, "ok")
            },
            try Self.probe("192.0.2.1", of: "a.test") {
                $0.greeting = "220 x"
                $0.tls = .established(parameters, .invalid("is for b.test"))
                $0.recipientReply = SMTPReply(451, nil, "later")
            },
        ]
        let report = DoctorRoute(subject: "x@d.test", route: route, probes: probes)
        #expect(report.probes == [probes[1], probes[0]])
        #expect(report.verdict == .accepted)
        let text = report.text
        let places = ["1. a.test", "the certificate is for b.test", "451 later", "2. b.test", "is valid", "250 ok"]
            .compactMap { text.range(of: $0)?.lowerBound }
        #expect(places.count == 6 && places == places.sorted(), "\(text)")
        let data = try JSONEncoder().encode(report)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let told = try #require(object["hosts"] as? [[String: Any]]).map { host in
            let probe = (host["addresses"] as? [[String: Any]])?.first?["probe"] as? [String: Any]
            return probe?["recipientCode"] as? Int
        }
        #expect(told == [451, 250])
        // One that refuses for good comes first.
        var refused = probes
        refused[1].recipientReply = SMTPReply(550, nil, "no")
        #expect(DoctorRoute(subject: "x@d.test", route: route, probes: refused).verdict == .refused)
    }

    @Test(
        "Without a route the report says so, with the status and a remedy",
        arguments: [
            ("d.test MX -> NXDOMAIN", "no-route", "bounces (5.1.2)", "how the domain is spelt"),
            ("d.test MX -> 0 .", "no-route", "bounces (5.1.10)", "takes no mail"),
            ("d.test MX -> TIMEOUT", "no-route-now", "now (4.4.3)", "resolver works"),
            ("d.test MX -> BOGUS", "no-route-now", "now (4.4.3)", "DNSSEC"),
            ("d.test MX -> NODATA\nd.test A -> 127.0.0.1", "no-route", "bounces (5.4.6)", "Add the domain"),
            ("d.test MX -> 10 a.test.", "no-route", "bounces (5.4.4)", "publish an MX record"),
        ])
    func failures(script: String, verdict: String, summary: String, remedy: String) async throws {
        let report = DoctorRoute(subject: "x@d.test", route: try await Self.route(script))
        #expect(report.verdict.rawValue == verdict)
        #expect(report.summary.contains(summary), "\(report.summary)")
        #expect(report.nextStep?.contains(remedy) == true)
        #expect(report.text.contains(report.summary))
    }

    @Test("As JSON it has the same for programs")
    func json() async throws {
        let probe = try Self.probe("192.0.2.1") {
            $0.greeting = "220 a.test"
            $0.tls = .notOffered
            $0.recipientReply = SMTPReply(550, EnhancedStatus(5, 1, 1), "no")
        }
        let report = DoctorRoute(subject: "x@d.test", route: try await Self.route(Self.two), probes: [probe])
        let data = try JSONEncoder().encode(report)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["verdict"] as? String == "refused")
        #expect(object["security"] as? String == "secure")
        let hosts = try #require(object["hosts"] as? [[String: Any]])
        #expect(hosts.map { $0["name"] as? String } == ["a.test", "b.test"])
        let addresses = try #require(hosts[0]["addresses"] as? [[String: Any]])
        let told = try #require(addresses[0]["probe"] as? [String: Any])
        #expect(told["recipientCode"] as? Int == 550)
        #expect(told["recipientReply"] as? String == "550 5.1.1 no")
        #expect((told["tls"] as? [String: Any])?["state"] as? String == "not-offered")
        #expect((object["steps"] as? [[String: Any]])?.count == 6)
    }

    @Test("Text of the network does nothing to a terminal, and lines have a limit")
    func escaping() async throws {
        let probe = try Self.probe("192.0.2.1") {
            $0.greeting = "220 \u{202E}evil\u{9B}31m\r\n" + String(repeating: "x", count: 5_000)
            $0.problem = "\u{7}"
        }
        let report = DoctorRoute(subject: "\u{1B}]0;x@d.test", route: try await Self.route(Self.two), probes: [probe])
        #expect(
            report.text.unicodeScalars.allSatisfy {
                $0 == "\n" || $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)
            })
        #expect(!report.text.unicodeScalars.contains("\u{202E}"))
        #expect(report.text.split(separator: "\n").allSatisfy { $0.count <= 1_000 })
    }
}
