import MessageFormat
import Testing

/// Nothing that arrives takes more than a bounded multiple of its size: inputs of megabytes that hurt parsers with a second look at
/// what was looked at, each through everything that is done with a message. A pass takes tens of milliseconds; what is quadratic in
/// a megabyte takes minutes or never ends, so the bound is wide and still cannot be missed.
@Suite(.serialized) struct BoundedTimeTests {
    struct Input: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var make: @Sendable () -> String

        init(_ name: String, _ make: @escaping @Sendable () -> String) {
            testDescription = name
            self.make = make
        }
    }

    static let million = 1_000_000

    static func repeated(_ text: String, _ count: Int = million) -> String { String(repeating: text, count: count) }

    static let inputs: [Input] = [
        .init("a million ( in From") { "From: " + repeated("(") + "\r\n\r\n" },
        .init("a million () in To") { "To: " + repeated("() ") + "\r\n\r\n" },
        .init("a million < in From") { "From: " + repeated("<") + "\r\n\r\n" },
        .init("a million <a@b> in From") { "From: " + repeated("<a@b>", 200_000) + "\r\n\r\n" },
        .init("a million quotes in Cc") { "Cc: " + repeated("\"") + "\r\n\r\n" },
        .init("a million \\ in Cc") { "Cc: \"" + repeated("\\") + "\r\n\r\n" },
        .init("a million @ in Sender") { "Sender: " + repeated("@") + "\r\n\r\n" },
        .init("a million a . in Reply-To") { "Reply-To: a@" + repeated("a . ", 250_000) + "\r\n\r\n" },
        .init("a million : and ; in Bcc") { "Bcc: " + repeated(":;", 500_000) + "\r\n\r\n" },
        .init("a million ; in Content-Type") { "Content-Type: text/plain" + repeated(";") + "\r\n\r\n" },
        .init("a million ( in Content-Type") { "Content-Type: text/plain; " + repeated("(") + "\r\n\r\n" },
        .init("a million a; in Content-Type") { "Content-Type: text/plain; " + repeated("a;", 500_000) + "\r\n\r\n" },
        .init("a million words in a parameter") {
            "Content-Type: text/plain; a=" + repeated("b ", 500_000) + "\r\n\r\n"
        },
        .init("a million = in a parameter") { "Content-Type: text/plain; a=" + repeated("=") + "\r\n\r\n" },
        .init("a million , in Content-Language") { "Content-Language: " + repeated(",") + "\r\n\r\n" },
        .init("a million =? in Subject") { "Subject: " + repeated("=?") + "\r\n\r\n" },
        .init("words that do not end in Subject") { "Subject: " + repeated("=?a?q?x", 140_000) + "\r\n\r\n" },
        .init("a word in a charset that takes long to find") {
            "Subject: " + repeated("=?x-\u{1}?q?a?= =?y?b?YQ?= ", 40_000) + "\r\n\r\n"
        },
        .init("a million < in References") { "References: " + repeated("<") + "\r\n\r\n" },
        .init("a million <a> in References") { "References: " + repeated("<a>", 340_000) + "\r\n\r\n" },
        .init("a million fields") { repeated("a:\r\n") + "\r\n" },
        .init("a million Content-Types") { repeated("Content-Type: a/b\r\n") + "\r\n" },
        .init("two million lines without a colon") { repeated("a\r\n", 2 * million) },
        .init("a line of 10 MB without a colon") { repeated("a", 10 * million) },
        .init("a million folds") { "Subject: x" + repeated("\r\n x") + "\r\n\r\n" },
        .init("a million empty folds") { "Subject: x" + repeated("\r\n ") + "\r\n\r\n" },
        .init("a million CR") { "Subject: x" + repeated("\r") + "\r\n\r\n" },
        .init("a million boundaries") { "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--b\r\n") },
        .init("a million boundaries with empty headers") {
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--b\r\n\r\n")
        },
        .init("a million lines of --") { "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--\r\n") },
        .init("100,000 multiparts inside each other") {
            repeated("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 100_000)
        },
        .init("100,000 messages inside each other") { repeated("Content-Type: message/rfc822\r\n\r\n", 100_000) },
        .init("32 open boundaries and 10 MB of lines that begin like them") {
            let base = repeated("x", 247)
            let open = (0..<32).map {
                "Content-Type: multipart/mixed; boundary=\(base)\($0 + 10)\r\n\r\n--\(base)\($0 + 10)\r\n"
            }
            return open.joined() + "\r\n" + repeated("--\(base)y\r\n", 40_000)
        },
        .init("1,000 parts, each in 10,000 octets of header without an end") {
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--b\r\n" + repeated("a\r\n", 3_000), 1_000)
        },
        .init("10 MB of < in an HTML part") { "Content-Type: text/html\r\n\r\n" + repeated("<", 10 * million) },
        .init("10 MB of invalid octets in a charset") {
            "Content-Type: text/plain; charset=euc-jp\r\n\r\n" + repeated("\u{FF}", 5 * million)
        },
        .init("10 MB of = in quoted-printable") {
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + repeated("=", 10 * million)
        },
        .init("10 MB of spaces in quoted-printable") {
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + repeated(" ", 10 * million)
        },
        .init("10 MB of = with spaces in quoted-printable") {
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + repeated("=    ", 2 * million)
        },
        .init("10 MB of = in base64") { "Content-Transfer-Encoding: base64\r\n\r\n" + repeated("=", 10 * million) },
        .init("10 MB of ~{ in HZ") {
            "Content-Type: text/plain; charset=hz-gb-2312\r\n\r\n" + repeated("~{", 5 * million)
        },
    ]

    @Test("megabytes of what hurts end soon", arguments: inputs)
    func endsSoon(input: Input) {
        let message = bytes(input.make())
        let clock = ContinuousClock()
        let time = clock.measure {
            message.withUnsafeBytes { buffer in
                let structure = MessageStructure.parse(buffer)
                _ = MessageSummary.make(buffer, structure: structure)
                _ = HeaderScan.scan(buffer)
                _ = structure.root.decodedText(in: buffer)
                _ = structure.root.fileName
                for field in HeaderFields(buffer, in: structure.root.headerRange) {
                    let value = HeaderFields.unfold(buffer, field.value)
                    _ = AddressList.parse(value)
                    _ = MailDate.parse(value)
                    _ = EncodedWord.decode(value)
                }
            }
        }
        // The slowest of these takes about a second on a busy core.
        #expect(time < .seconds(10), "\(input.testDescription): \(message.count) octets in \(time)")
    }
}
