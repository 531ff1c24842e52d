import MartletCore
import Testing

@Suite struct AddressTests {
    @Test(
        "A domain is kept as lower-case A-labels",
        arguments: [
            ("Example.COM", "example.com"), ("example.com.", "example.com"), ("müller.de", "xn--mller-kva.de"),
            ("faß.de", "xn--fa-hia.de"),
            ("EXAMPLE.xn--p1ai", "example.xn--p1ai"), ("_dmarc.example.com", "_dmarc.example.com"),
            ("例え.jp", "xn--r8jz45g.jp"),
        ])
    func domains(text: String, ascii: String) { #expect(Domain(text)?.ascii == ascii) }

    @Test(
        "What is no domain is refused",
        arguments: [
            "", ".", "a..b", "-a.test", "a-.test", "a b.test", "a\0b.test", String(repeating: "a", count: 64) + ".test",
            String(repeating: "a.", count: 127) + "test", "\u{202E}.test", "exa\u{0}mple", "[127.0.0.1]", "a@b",
        ])
    func noDomains(text: String) { #expect(Domain(text) == nil) }

    @Test("A-labels are shown as U-labels to people")
    func unicode() { #expect(Domain("xn--mller-kva.de")?.unicode == "müller.de") }

    @Test(
        "An address reads and writes back",
        arguments: [
            ("anna@example.test", "anna@example.test"), ("\"a b\"@example.test", "\"a b\"@example.test"),
            ("\"anna\"@example.test", "anna@example.test"),
            ("\"a\\\"b\"@x.test", "\"a\\\"b\"@x.test"), ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]"),
            ("jürgen@example.test", "jürgen@example.test"), ("\"a@b\"@c.test", "\"a@b\"@c.test"),
            ("a+b@c.test", "a+b@c.test"),
        ])
    func addresses(text: String, written: String) throws {
        let address = try #require(EmailAddress(text))
        #expect(address.description == written)
        #expect(EmailAddress(address.description) == address)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "@", "a@", "@b.test", "a b@c.test", ".a@c.test", "a.@c.test", "a..b@c.test", "\"a@c.test",
            "\"\\\"@c.test", "a@[", "a@[]", "a@[x y]",
            "a\r\nb@c.test", "\"a\u{7}b\"@c.test", String(repeating: "a", count: 65) + "@c.test",
        ])
    func noAddresses(text: String) { #expect(EmailAddress(text) == nil) }

    @Test("Only a local part beyond ASCII needs SMTPUTF8")
    func smtputf8() {
        #expect(EmailAddress("jürgen@example.test")?.needsSMTPUTF8 == true)
        #expect(EmailAddress("a@müller.test")?.needsSMTPUTF8 == false)
    }
}

@Suite struct InstantTests {
    @Test(
        "A moment and its date in UTC are one",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_520_481, "2026-11-24T11:41:21Z"),
            (-1, "1969-12-31T23:59:59Z"), (4_102_444_799, "2099-12-31T23:59:59Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
        ])
    func dates(seconds: Int64, text: String) {
        let instant = Instant(seconds: seconds)
        #expect(instant.description == text)
        let (year, month, day, hour, minute, second) = instant.utc
        #expect(Instant(year: year, month: month, day: day, hour: hour, minute: minute, second: second) == instant)
    }
}

/// The same numbers each time.
private struct Numbers: RandomNumberGenerator {
    private var state: UInt64 = 1
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}

@Suite struct IdentifierTests {
    @Test("A unique identifier reads back from text and bytes, and sorts by time")
    func uniqueID() {
        var generator = Numbers()
        let early = UniqueID(at: Instant(seconds: 1_000), using: &generator)
        let late = UniqueID(at: Instant(seconds: 1_001), using: &generator)
        #expect(early < late)
        #expect(early.description < late.description)
        #expect(UniqueID(early.description.lowercased()) == early)
        #expect(UniqueID(bytes: early.bytes) == early)
        #expect(early.time == Instant(seconds: 1_000))
        #expect(UniqueID("x") == nil)
        let last = UniqueID(high: .max, low: .max)
        #expect(last.description.hasPrefix("7") && UniqueID(last.description) == last)
        // 26 characters have two bits more than an identifier.
        #expect(UniqueID("8" + last.description.dropFirst()) == nil)
    }

    @Test("A secret does not show itself")
    func secret() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped] {
            #expect(!text.contains("hunter2") && !text.contains("104"))
        }
        #expect(secret.exposed == Array("hunter2".utf8))
    }

    @Test("A reply's text cannot break the line")
    func reply() {
        let reply = SMTPReply(550, EnhancedStatus(5, 1, 1), lines: ["no\r\n250 yes", "ü"])
        #expect(String(decoding: reply.bytes, as: UTF8.self) == "550-5.1.1 no??250 yes\r\n550 5.1.1 ü\r\n")
    }

    @Test("Local parts that look alike are equal bytes, in whatever form they were written")
    func normalization() throws {
        let composed = try #require(EmailAddress("\u{F6}@a.test"))
        let decomposed = try #require(EmailAddress("o\u{308}@a.test"))
        #expect(Array(composed.localPart.utf8) == Array(decomposed.localPart.utf8))
        #expect(Array(composed.description.utf8) == Array(decomposed.description.utf8))
        #expect(Array(try #require(EmailAddress("O\u{308}@a.test")).foldedLocalPart.utf8) == Array("\u{F6}".utf8))
        // 32 letters of three octets each become 32 of two.
        #expect(EmailAddress(String(repeating: "o\u{308}", count: 32) + "@a.test") != nil)
        #expect(EmailAddress(String(repeating: "o\u{308}", count: 33) + "@a.test") == nil)
    }
}
