import DNSProtocol
import Testing

@Suite struct ZoneFileTests {
    private func records(_ text: String) throws -> [DNSRecord] { try ZoneFile.parse(Array(text.utf8)).records }

    private func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }

    private func mistakes(_ text: String) -> [ZoneFileError] {
        do throws(ZoneFileErrors) {
            _ = try ZoneFile.parse(Array(text.utf8))
            return []
        } catch {
            return error.errors
        }
    }

    @Test("A zone with every known type is read")
    func everyType() throws {
        let found = try records(
            """
            ; a zone
            $ORIGIN other.test.
            $TTL 5m
            @   IN SOA mail hostmaster.other.test. ( 2026112501 ; serial
                    1h 15m 2w
                    300 )
                IN NS  ns1
                3600 MX 10 mail
            @   IN 60 MX 20 mail2.far.test.
            mail A 192.0.2.1
                 AAAA 2001:db8::1
            www  CNAME mail
            1.2.0.192.in-addr.arpa. PTR mail
            @    TXT "v=spf1 mx -all" "a;b\\"c\\065"
            sel._domainkey IN TXT plain
            _smtp._tcp SRV 0 5 25 mail
            _25._tcp.mail TLSA 3 1 1 ( AABB
                 ccdd )
            @    caa 0 issue "ca.test"
            """)
        let origin = try name("other.test")
        #expect(
            found.map(\.data.type) == [
                .soa, .ns, .mx, .mx, .a, .aaaa, .cname, .ptr, .txt, .txt, .srv, .tlsa, .caa,
            ])
        #expect(found.prefix(4).allSatisfy { $0.name == origin })
        #expect(found.map(\.ttl).prefix(5) == [300, 300, 3_600, 60, 300])
        #expect(found[2].data == .mx(preference: 10, exchange: try name("MAIL.other.test.")))
        #expect(found[4].data == .a([192, 0, 2, 1]))
        #expect(found[5].data == .aaaa([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))
        #expect(found[7].name == (try name("1.2.0.192.in-addr.arpa")))
        #expect(found[8].data == .txt([Array("v=spf1 mx -all".utf8), Array("a;b\"cA".utf8)]))
        #expect(found[11].data == .tlsa(usage: 3, selector: 1, matchingType: 1, data: [0xAA, 0xBB, 0xCC, 0xDD]))
        #expect(found[12].data == .caa(flags: 0, tag: "issue", value: Array("ca.test".utf8)))
        guard case .soa(let authority) = found[0].data else {
            Issue.record("no SOA")
            return
        }
        #expect(authority.serial == 2_026_112_501 && authority.expire == 1_209_600 && authority.minimum == 300)
    }

    @Test("Without $ORIGIN names are below the root; CRLF ends a line too; a TTL is that of $TTL, of SOA, or an hour")
    func defaults() throws {
        let found = try records("other.test A 192.0.2.1\r\nother.test. 5 IN A 192.0.2.2\r\n")
        #expect(try found.map(\.name) == [name("other.test"), name("other.test")])
        #expect(found.map(\.ttl) == [ZoneFile.defaultTTL, 5])
    }

    @Test(
        "A mistake is told with its line",
        arguments: [
            ("this is no zone\n", 1, "is no type"), ("a.test. A 192.0.2\n", 1, "is not an IPv4 address"),
            ("\n\na.test. AAAA 2001:db8::1::2\n", 3, "is not an IPv6 address"),
            ("a.test. AAAA 1:2:3:4:5:6:7:8:9\n", 1, "is not an IPv6 address"),
            ("a.test. MX mail\n", 1, "is no preference"), ("a.test. MX 10\n", 1, "MX lacks the exchange"),
            ("a.test. MX 70000 m\n", 1, "is no preference"), ("a.test. A 192.0.2.1 x\n", 1, "too many fields"),
            ("a.test.\n", 1, "no type"), (" A 192.0.2.1\n", 1, "no owner"),
            ("a..test. A 192.0.2.1\n", 1, "empty label"),
            ("a.test. TXT \"open\n", 1, "not closed"), ("a.test. SOA a b ( 1 2 3\n", 1, "“(” is not closed"),
            ("a.test. TXT )\n", 1, "closes nothing"), ("a.test. CH TXT x\n", 1, "is no type"),
            ("$INCLUDE /etc/passwd\n", 1, "not followed"), ("$ORIGIN\n", 1, "takes one name"),
            ("$TTL never\n", 1, "takes one number"), ("$GENERATE 1-2 a A 1\n", 1, "is not known"),
            ("a.test. TLSA 3 1 1 xyz\n", 1, "hexadecimal"), ("a.test. TLSA 3 1 256 aa\n", 1, "is no matching type"),
            ("a\\2.test. A 192.0.2.1\n", 1, "backslash"), ("\u{1}\u{2}\n", 1, "control character"),
            ("bücher.test. A 192.0.2.1\n", 1, "A-labels"), ("a.test. A 300.0.2.1\n", 1, "is not an IPv4 address"),
            ("a.test. SRV 1 2 3\n", 1, "SRV lacks the target"), ("a.test. NS\n", 1, "NS lacks the server"),
        ])
    func mistake(text: String, line: Int, problem: String) {
        let found = mistakes(text)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.line == line && found.first?.problem.contains(problem) == true, "\(found)")
    }

    @Test("All mistakes are told at once, up to a limit, and the lines between them are read")
    func all() {
        let found = mistakes("a.test. A x\nb.test. A 192.0.2.1\nc.test. MX 1\n\"\n d\n")
        #expect(found.map(\.line) == [1, 3, 4, 5])
        #expect(mistakes(String(repeating: "x\n", count: 1_000)).count == ZoneFile.maximumErrors)
    }

    @Test("A name is written as it is read, and compares without case")
    func names() throws {
        for text in ["a.b.test.", "a\\.b.test.", "\\000\\255.test.", ".", "_25._tcp.mail.test.", "*.test."] {
            #expect(DNSName(text)?.description == text)
        }
        #expect(DNSName("MAIL.Test") == DNSName("mail.test."))
        #expect(DNSName("MAIL.Test")?.hashValue == DNSName("mail.test.")?.hashValue)
        #expect(DNSName(String(repeating: "a", count: 64)) == nil)
        #expect(DNSName(String(repeating: "a.", count: 128)) == nil)
        #expect(DNSName(String(repeating: "a.", count: 127)) != nil)
        #expect(try name("a.b.test").isEqualToOrBelow(name("B.test")))
        #expect(try !name("ab.test").isEqualToOrBelow(name("b.test")))
        #expect(DNSName("") == nil)
    }

    @Test("Whatever the bytes, the end is reached: random text from a seed")
    func random() {
        var generator = SeededGenerator(seed: 0x5EED)
        let pieces = [
            "a.test. ", "IN ", "A ", "TXT ", "\"", "(", ")", ";", "\n", "\\", "$TTL ", "1h ", "@ ", "\u{0}", "ü",
        ]
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }.joined()
            _ = try? ZoneFile.parse(Array(text.utf8))
        }
    }
}
