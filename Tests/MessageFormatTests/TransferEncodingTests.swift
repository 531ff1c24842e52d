import MessageFormat
import Testing

private func decode(_ encoding: String, _ body: String) -> String {
    bytes(body).withUnsafeBytes { text(ContentTransferEncoding(encoding).decode($0)) }
}

@Suite struct TransferEncodingTests {
    @Test(
        "quoted-printable (RFC 2045 §6.7), and what is not quite",
        arguments: [
            ("a=3Db", "a=b"), ("a=3db", "a=b"), ("long=\r\nline", "longline"), ("long=\nline", "longline"),
            ("long= \t\r\nline", "longline"),
            ("trailing  \r\nx", "trailing\r\nx"), ("a  b", "a  b"), ("a=", "a"), ("a=4", "a=4"), ("a=ZZ", "a=ZZ"),
            ("==41", "=A"),
            ("", ""), ("a\r\n", "a\r\n"), ("=C3=A9", "\u{E9}"), ("a=\r", "a"), ("\u{E9}", "\u{E9}"),
        ])
    func quotedPrintable(body: String, expected: String) { #expect(decode("quoted-printable", body) == expected) }

    @Test(
        "base64 (RFC 2045 §6.8): other octets are skipped, a ragged end gives what is whole",
        arguments: [
            ("aGVsbG8=", "hello"), ("aGVs\r\nbG8=\r\n", "hello"), ("aGVsbG8", "hello"), ("a*G-V_s bG8=", "hello"),
            ("aGVsbG8=aGVsbG8=", "hellohello"),
            ("", ""), ("=", ""), ("a", ""), ("====", ""), ("YQ==YQ==", "aa"),
        ])
    func base64(body: String, expected: String) { #expect(decode("base64", body) == expected) }

    @Test(
        "other encodings leave the body as it is", arguments: ["7bit", "8bit", "binary", "", "x-uuencode", "unknown"])
    func identity(encoding: String) { #expect(decode(encoding, "a=3D\r\n") == "a=3D\r\n") }

    @Test("an encoding that nobody defined is told apart")
    func unknown() {
        #expect(ContentTransferEncoding("x-uuencode") == .unknown("x-uuencode"))
        #expect(ContentTransferEncoding("binary") == .identity)
    }

    @Test(
        "a part's text has encoding and charset undone",
        arguments: [
            (
                "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9",
                "caf\u{E9}"
            ),
            (
                "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: BASE64\r\n\r\n4oKs",
                "\u{20AC}"
            ),
            ("Content-Type: text/plain; charset=nobody\r\nContent-Transfer-Encoding: base64\r\n\r\n4oKs", "\u{20AC}"),
            ("Content-Type: text/plain; charset=nobody\r\n\r\nas is", "as is"), ("\r\n\u{20AC}", "\u{20AC}"),
        ])
    func decodedText(message: String, expected: String) {
        #expect(parse(message).root.decodedText(in: bytes(message)) == expected)
    }
}
