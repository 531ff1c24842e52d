import DNSProtocol
import Foundation
import MartletCore
import NameResolution
import Testing

/// libunbound with a real name server behind it, which signs its zones.
@Suite(.serialized) struct UnboundResolverTests {
    static let records = """
        @ MX 10 mx1
        @ MX 20 mx2
        @ TXT "v=spf1 mx -all" "a \\"quoted\\" \\255"
        mx1 A 192.0.2.1
        mx1 A 192.0.2.2
        mx1 AAAA 2001:db8::1
        mx2 A 192.0.2.3
        alias CNAME alias2
        alias2 CNAME mx1
        dangling CNAME nobody
        circle CNAME circle2
        circle2 CNAME circle
        *.wild TXT "any"
        b.empty A 192.0.2.9
        null MX 0 .
        1.2.0.192.in-addr.arpa PTR mx1
        _25._tcp.mx1 TLSA 3 1 1 aabbccdd
        _smtp._tcp SRV 1 2 25 mx1
        @ CAA 0 issue "ca.test"
        """

    private static func withServer(
        _ zones: [KnotServer.Zone], _ body: (KnotServer) async throws -> Void
    ) async throws {
        let server = try KnotServer(zones)
        do {
            try await body(server)
        } catch {
            server.stop()
            throw error
        }
        server.stop()
    }

    private func options(_ server: KnotServer) throws -> ResolverOptions {
        ResolverOptions(
            upstream: .forwarders([try #require(ResolverOptions.NameServer("127.0.0.1@\(server.port)"))]),
            timeout: .seconds(10))
    }

    private func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }

    @Test(
        "Each type is read, CNAMEs are followed, NXDOMAIN, NODATA and failures are told apart, as the server has them")
    func answers() async throws {
        let zones = [
            KnotServer.Zone(name: "plain.test", records: Self.records),
            KnotServer.Zone(name: "broken.test", records: nil),
        ]
        try await Self.withServer(zones) { server in
            let resolver = try UnboundResolver(options(server))
            func ask(_ text: String, _ type: DNSRecordType) async throws -> DNSAnswer {
                await resolver.resolve(try name(text), type)
            }
            let mx = try await ask("plain.test", .mx)
            #expect(
                Set(mx.records) == [
                    .mx(preference: 10, exchange: try name("mx1.plain.test")),
                    .mx(preference: 20, exchange: try name("mx2.plain.test")),
                ])
            #expect(mx.security == .indeterminate)
            #expect((1...300).contains(mx.ttl))
            #expect(mx.finalName == (try name("plain.test")))
            #expect(
                try await ask("plain.test", .txt).records == [
                    .txt([Array("v=spf1 mx -all".utf8), Array("a \"quoted\" ".utf8) + [255]])
                ])
            #expect(Set(try await ask("mx1.plain.test", .a).records) == [.a([192, 0, 2, 1]), .a([192, 0, 2, 2])])
            #expect(
                try await ask("mx1.plain.test", .aaaa).records.map(\.description) == ["2001:db8::1"])
            #expect(
                try await ask("_25._tcp.mx1.plain.test", .tlsa).records == [
                    .tlsa(usage: 3, selector: 1, matchingType: 1, data: [0xAA, 0xBB, 0xCC, 0xDD])
                ])
            #expect(
                try await ask("_smtp._tcp.plain.test", .srv).records.map(\.description) == ["1 2 25 mx1.plain.test."])
            #expect(try await ask("plain.test", .caa).records.map(\.description) == ["0 issue \"ca.test\""])
            #expect(
                try await ask("1.2.0.192.in-addr.arpa.plain.test", .ptr).records.map(\.description) == [
                    "mx1.plain.test."
                ])
            #expect(try await ask("plain.test", .ns).records.map(\.description) == ["ns.plain.test."])
            #expect(
                try await ask("plain.test", .soa).records.map(\.description) == [
                    "ns.plain.test. hostmaster.plain.test. 1 3600 600 86400 60"
                ])
            #expect(
                try await ask("alias.plain.test", .cname).records == [.cname(try name("alias2.plain.test"))])

            let alias = try await ask("alias.plain.test", .a)
            #expect(alias.records.count == 2)
            #expect(alias.finalName == (try name("mx1.plain.test")))

            #expect(try await ask("nobody.plain.test", .a).outcome == .noSuchName)
            #expect((1...60).contains(try await ask("nobody.plain.test", .a).ttl))
            #expect(try await ask("dangling.plain.test", .a).outcome == .noSuchName)
            #expect(try await ask("mx2.plain.test", .aaaa).outcome == .noSuchRecords)
            #expect(try await ask("empty.plain.test", .a).outcome == .noSuchRecords)
            #expect(try await ask("x.wild.plain.test", .txt).records == [.txt([Array("any".utf8)])])
            #expect(try await ask("null.plain.test", .mx).records == [.mx(preference: 0, exchange: .root)])
            #expect(try await ask("circle.plain.test", .a).failure != nil)
            #expect(try await ask("broken.test", .mx).outcome == .failure(.serverFailure))
            #expect(try await ask("elsewhere.test", .mx).failure != nil)
            await resolver.close()
            #expect(try await ask("plain.test", .mx).outcome == .failure(.cancelled))
            await resolver.close()
        }
    }

    @Test(
        "With a trust anchor: signed answers are secure, also that there is none; unsigned ones insecure; wrong ones bogus"
    )
    func validation() async throws {
        let zones = [
            KnotServer.Zone(name: "secure.test", records: Self.records, isSigned: true),
            KnotServer.Zone(name: "bogus.test", records: Self.records, isSigned: true),
            KnotServer.Zone(name: "plain.test", records: Self.records),
            // Not delegated by its parent, which proves that it does not exist.
            KnotServer.Zone(name: "inner.secure.test", records: Self.records),
        ]
        try await Self.withServer(zones) { server in
            let right = try server.trustAnchor(of: "secure.test")
            var wrong = try server.trustAnchor(of: "bogus.test")
            wrong.removeLast(4)
            wrong += wrong.hasSuffix("0") ? "1111" : "0000"
            var options = try options(server)
            options.trustAnchorFile = try server.file("anchors", [right, wrong])
            let resolver = try UnboundResolver(options)
            let cases: [(String, DNSRecordType, DNSAnswer.Outcome?)] = [
                ("secure.test", .mx, nil), ("mx1.secure.test", .a, nil), ("_25._tcp.mx1.secure.test", .tlsa, nil),
                ("alias.secure.test", .a, nil), ("nobody.secure.test", .a, .noSuchName),
                ("mx2.secure.test", .aaaa, .noSuchRecords), ("x.wild.secure.test", .txt, nil),
                ("plain.test", .mx, nil), ("nobody.plain.test", .a, .noSuchName),
            ]
            for (text, type, outcome) in cases {
                let answer = await resolver.resolve(try name(text), type)
                #expect(answer.security == (text.hasSuffix("secure.test") ? .secure : .insecure), "\(text): \(answer)")
                if let outcome {
                    #expect(answer.outcome == outcome, "\(text)")
                } else {
                    #expect(!answer.records.isEmpty, "\(text): \(answer)")
                }
            }
            let bogus = await resolver.resolve(try name("bogus.test"), .mx)
            guard case .failure(.bogus(let reason)) = bogus.outcome else {
                Issue.record("\(bogus)")
                return
            }
            #expect(bogus.security == .bogus)
            #expect(reason.contains("bogus.test"))
            #expect(await resolver.resolve(try name("inner.secure.test"), .mx).security == .bogus)
            await resolver.close()

            options.insecureZones = [try name("inner.secure.test")]
            let lenient = try UnboundResolver(options)
            let inner = await lenient.resolve(try name("inner.secure.test"), .mx)
            #expect(inner.records.count == 2 && inner.security == .insecure)
            await lenient.close()
        }
    }

    @Test("A route is found through it, with the DNSSEC status that DANE wants")
    func route() async throws {
        let zones = [KnotServer.Zone(name: "secure.test", records: Self.records, isSigned: true)]
        try await Self.withServer(zones) { server in
            var options = try options(server)
            options.trustAnchorFile = try server.file("anchors", [try server.trustAnchor(of: "secure.test")])
            let resolver = try UnboundResolver(options)
            var generator = SystemRandomNumberGenerator()
            let route = await MailRouter().route(
                to: try #require(Domain("secure.test")), via: resolver, using: &generator)
            #expect(route.hosts.map(\.name?.ascii) == ["mx1.secure.test", "mx2.secure.test"])
            #expect(route.hosts.map(\.addressSecurity) == [.secure, .secure])
            #expect(route.security == .secure)
            await resolver.close()
        }
    }

    @Test("A zone override asks its own servers, whatever the forwarders say")
    func zoneOverride() async throws {
        try await Self.withServer([KnotServer.Zone(name: "plain.test", records: Self.records)]) { server in
            let silent = try SilentServer()
            defer { silent.close() }
            let resolver = try UnboundResolver(
                ResolverOptions(
                    upstream: .forwarders([try #require(ResolverOptions.NameServer("127.0.0.1@\(silent.port)"))]),
                    zones: [
                        ResolverOptions.ZoneOverride(
                            zone: try name("plain.test"),
                            servers: [try #require(ResolverOptions.NameServer("127.0.0.1@\(server.port)"))])
                    ], timeout: .seconds(10)))
            #expect(await resolver.resolve(try name("plain.test"), .mx).records.count == 2)
            await resolver.close()
        }
    }

    @Test("Many questions at the same time are each answered once, in their order")
    func many() async throws {
        try await Self.withServer([KnotServer.Zone(name: "plain.test", records: Self.records)]) { server in
            let resolver = try UnboundResolver(options(server))
            let questions = try (0..<5_000).map { DNSQuestion(try name("n\($0).wild.plain.test"), .txt) }
            let answers = await resolver.resolve(questions)
            #expect(answers.map(\.question) == questions)
            #expect(answers.allSatisfy { $0.records == [.txt([Array("any".utf8)])] })
            await resolver.close()
        }
    }

    @Test("Without an answer it is a timeout, on time; a cancelled task and a closed resolver end at once")
    func silence() async throws {
        let silent = try SilentServer()
        defer { silent.close() }
        let forwarder = try #require(ResolverOptions.NameServer("127.0.0.1@\(silent.port)"))
        let quick = try UnboundResolver(
            ResolverOptions(upstream: .forwarders([forwarder]), timeout: .milliseconds(200)))
        let start = ContinuousClock.now
        let questions = try (0..<3_000).map { DNSQuestion(try name("n\($0).test"), .a) }
        let answers = await quick.resolve(questions)
        #expect(answers.allSatisfy { $0.outcome == .failure(.timeout) })
        #expect(ContinuousClock.now - start >= .milliseconds(200))
        #expect(ContinuousClock.now - start < .seconds(8))

        let slow = try UnboundResolver(ResolverOptions(upstream: .forwarders([forwarder]), timeout: .seconds(600)))
        let asking = Task { await slow.resolve(DNSName.root, .ns) }
        asking.cancel()
        #expect(await asking.value.outcome == .failure(.cancelled))
        let cancelledBefore = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await slow.resolve(DNSName.root, .ns)
        }
        #expect(await cancelledBefore.value.outcome == .failure(.cancelled))
        async let closed = slow.resolve([DNSQuestion(.root, .ns), DNSQuestion(.root, .soa)])
        await slow.close()
        #expect(await closed.allSatisfy { $0.outcome == .failure(.cancelled) })
        #expect(ContinuousClock.now - start < .seconds(60))
        // `quick` is let go with questions open in the library.
    }

    @Test("What cannot be set up is told with its cause")
    func setUp() throws {
        func problem(_ options: ResolverOptions) -> String? {
            do throws(ResolverSetupError) {
                _ = try UnboundResolver(options)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(problem(ResolverOptions(upstream: .forwarders([])))?.contains("no forwarder") == true)
        #expect(problem(ResolverOptions(trustAnchorFile: "/nowhere/root.key"))?.contains("/nowhere/root.key") == true)
        let file = FileManager.default.temporaryDirectory.appending(path: "anchor-\(UUID().uuidString)")
        try Data("this is no anchor\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(problem(ResolverOptions(trustAnchorFile: file.path))?.contains(file.path) == true)
    }

    @Test(
        "A name server is an address, with a port or without",
        arguments: [
            ("192.0.2.53", "192.0.2.53@53"), ("192.0.2.53@5353", "192.0.2.53@5353"),
            ("2001:DB8::53", "2001:db8::53@53"),
            ("2001:db8::53@1", "2001:db8::53@1"), ("192.0.2.53@0", nil), ("192.0.2.53@", nil), ("ns.test", nil),
            ("192.0.2.53@53@53", nil), ("", nil), ("192.0.2.53:53", nil), ("192.0.2.53@65536", nil),
        ] as [(String, String?)])
    func nameServer(text: String, expected: String?) {
        #expect(ResolverOptions.NameServer(text)?.description == expected)
    }
}
