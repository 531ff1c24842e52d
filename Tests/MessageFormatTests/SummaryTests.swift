import MessageFormat
import Testing

@Suite struct SummaryTests {
    @Test("a summary has the decoded text of the fields")
    func fields() {
        let summary = MessageSummary.make(
            bytes(
                "From: =?utf-8?Q?J=C3=B6rg?= <a@b>\r\nTo: c@d\r\nCc: e@f\r\nBcc: g@h\r\nSubject: =?utf-8?B?4oKs?= due\r\n"
                    + "Date: 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <i@\r\n j>\r\nIn-Reply-To: Your message <k@l> of today\r\n"
                    + "References: <1@x> junk <>\r\n\t<2@x>\r\n\r\nHello   there\r\n"))
        #expect(summary.from == "J\u{F6}rg <a@b>")
        #expect(summary.to == "c@d" && summary.cc == "e@f" && summary.bcc == "g@h")
        #expect(summary.subject == "\u{20AC} due")
        #expect(summary.messageID == "<i@j>")
        #expect(summary.inReplyTo == "<k@l>")
        #expect(summary.references == ["<1@x>", "<2@x>"])
        #expect(summary.sentDate?.description == "1997-11-21T15:55:06Z")
        #expect(summary.sentZoneMinutes == -360)
        #expect(summary.preview == "Hello there")
    }

    @Test(
        "the preview is the first words of the first text (RFC 8970)",
        arguments: [
            ("\r\n a\r\n\r\n b\tc ", "a b c"), ("\r\n", ""), ("Content-Type: image/png\r\n\r\nx", ""),
            (
                "Content-Type: text/html\r\n\r\n<html><head><title>t</title><style>x{}</style></head><body><p>one</p>two<br>three</body>",
                "one two three"
            ),
            ("Content-Type: text/html\r\n\r\na <unclosed", "a"), ("Content-Type: text/html\r\n\r\n<script>x<b>y", ""),
            (
                "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>h\r\n--b\r\n\r\nplain\r\n--b--",
                "plain"
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nfile\r\n--b\r\n\r\ntext\r\n--b--",
                "text"
            ),
            ("Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9", "caf\u{E9}"),
        ])
    func previews(message: String, expected: String) {
        #expect(MessageSummary.make(bytes(message)).preview == expected)
    }

    @Test("the preview has at most 256 characters, also of many octets")
    func previewLength() {
        #expect(MessageSummary.make(bytes("\r\n" + String(repeating: "a", count: 5_000))).preview.count == 256)
        #expect(
            MessageSummary.make(bytes("\r\n" + String(repeating: "\u{20AC} ", count: 2_000))).preview.unicodeScalars
                .count <= 256)
    }
}
