import DNSProtocol
import MartletCore
import Testing

@Suite struct IPAddressTests {
    @Test(
        "An address is written in one form (RFC 5952), and reads as it was written",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::", "::"), ("::1", "::1"),
            ("1::", "1::"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("fe80::0:0:1", "fe80::1"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("0:0:1::", "0:0:1::"), ("1:0:0:0:0:0:0:0", "1::"),
        ])
    func text(input: String, expected: String) throws {
        let address = try #require(IPAddress(input))
        #expect(address.description == expected)
        #expect(IPAddress(expected) == address)
    }

    @Test(
        "What is no address is none",
        arguments: [
            "", "192.0.2", "192.0.2.256", "1.2.3.4.5", "::1::", "12345::", "[::1]", "fe80::1%eth0", "mx.test",
            "1:2:3:4:5:6:7",
        ])
    func noAddress(text: String) { #expect(IPAddress(text) == nil) }

    @Test("A literal has the tag of IPv6 and none of IPv4 (RFC 5321 §4.1.3)")
    func literal() {
        #expect(IPAddress(literal: "192.0.2.1")?.description == "192.0.2.1")
        #expect(IPAddress(literal: "IPv6:2001:db8::1")?.description == "2001:db8::1")
        #expect(IPAddress(literal: "ipv6:::1")?.description == "::1")
        #expect(IPAddress(literal: "2001:db8::1") == nil)
        #expect(IPAddress(literal: "ipv6:192.0.2.1") == nil)
        #expect(IPAddress(literal: "x400:whatever") == nil)
    }

    @Test(
        "Loopback, and what no host can have",
        arguments: [
            ("127.0.0.1", true, true), ("127.255.0.9", true, true), ("::1", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("192.0.2.1", false, true), ("2001:db8::1", false, true), ("0.0.0.0", false, false),
            ("224.0.0.1", false, false), ("255.255.255.255", false, false), ("::", false, false),
            ("ff02::1", false, false), ("::ffff:0.0.0.0", false, false), ("::2", false, true),
        ])
    func kinds(text: String, isLoopback: Bool, isUnicast: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isLoopback == isLoopback)
        #expect(address.isUnicast == isUnicast)
    }

    @Test("Octets are 4 or 16; a mapped address stands for another one")
    func octets() throws {
        #expect(IPAddress(octets: [1, 2, 3]) == nil)
        #expect(try #require(IPAddress("::ffff:192.0.2.1")).unmapped == IPAddress("192.0.2.1"))
        #expect(try #require(IPAddress("2001:db8::1")).unmapped == IPAddress("2001:db8::1"))
        #expect(IPAddress("192.0.2.1")?.family == .ipv4 && IPAddress("::1")?.family == .ipv6)
    }

    @Test("Every domain is a name, and a name is a domain where its labels are those of hosts")
    func domains() throws {
        let domain = try #require(Domain("Mail.Example.test"))
        #expect(DNSName(domain).description == "mail.example.test.")
        #expect(DNSName(domain).domain == domain)
        let long = try #require(Domain((0..<63).map { _ in "abc" }.joined(separator: ".") + "x"))
        #expect(DNSName(labels: DNSName(long).labels) == DNSName(long))
        for text in [".", "a\\.b.test.", "\\200.test.", "a\\032b.test.", "-x.test."] {
            #expect(try #require(DNSName(text)).domain == nil, "\(text)")
        }
    }
}
