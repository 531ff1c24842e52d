import NetworkTransport
import Testing

@Suite("Which certificate is for a name") struct CertificateTableTests {
    private let table = CertificateTable(names: [
        ["mail.example.org"], ["*.example.net", "example.net"], ["imap.example.net", "mail.example.org"],
        ["MAIL.Example.COM", "*.xn--bcher-kva.test"],
        ["f*.partial.test", "*.*.double.test", "*", "a.*.middle.test", "*."],
        [],
    ])

    @Test(
        "a name as it is, then a wildcard for the left-most label; the first of two",
        arguments: [
            ("mail.example.org", 0), ("MAIL.EXAMPLE.ORG", 0), ("mail.example.org.", 0), ("example.net", 1),
            ("smtp.example.net", 1), ("imap.example.net", 2), ("IMAP.example.NET", 2), ("mail.example.com", 3),
            ("www.xn--bcher-kva.test", 3),
        ])
    func found(name: String, index: Int) { #expect(table.index(for: name) == index) }

    @Test(
        "nothing for a name that is in none: a wildcard is one label, whole, and in front",
        arguments: [
            "", ".", "example.org", "a.mail.example.org", "a.b.example.net", ".example.net", "foo.partial.test",
            "f*.partial.test", "a.b.double.test", "*.double.test", "test", "a.b.middle.test", "*.example", "192.0.2.1",
            "xn--bcher-kva.test", "*",
        ])
    func absent(name: String) { #expect(table.index(for: name) == nil) }

    @Test("an asterisk that a client sends is a label like others, and in no certificate as it is")
    func asterisk() { #expect(table.index(for: "*.example.net") == 1) }
}
