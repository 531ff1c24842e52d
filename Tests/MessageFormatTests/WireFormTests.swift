import MessageFormat
import Testing

private func envelope(_ header: String) -> String { text(MessageSummary.make(bytes(header + "\r\n\r\n")).envelope) }

private func body(_ message: String, extended: Bool = true) -> String {
    let message = bytes(message)
    return message.withUnsafeBytes {
        text(BodyStructureWireForm.encode(MessageStructure.parse($0), in: $0, extended: extended))
    }
}

@Suite struct WireFormTests {
    @Test(
        "ENVELOPE (RFC 9051 §7.5.2)",
        arguments: [
            ("X: y", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
            (
                "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nSubject: IMAP4rev2 WG mtg summary and minutes\r\n"
                    + "From: Terry Gray <gray@cac.washington.edu>\r\nTo: imap@cac.washington.edu\r\n"
                    + "Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-ID: <B27397-0100000@cac.washington.edu>",
                "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
                    + "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
                    + "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
                    + "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
                    + "\"<B27397-0100000@cac.washington.edu>\")"
            ),
            (
                "From: a@b\r\nSender: s@t\r\nReply-To: r@u, v@w\r\nIn-Reply-To: <x@y>\r\nBcc: z@z",
                "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"s\" \"t\")) ((NIL NIL \"r\" \"u\")(NIL NIL \"v\" \"w\")) NIL NIL "
                    + "((NIL NIL \"z\" \"z\")) \"<x@y>\" NIL)"
            ),
            (
                "To: G:a@b, <@r:c@d>;",
                "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL \"@r\" \"c\" \"d\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)"
            ),
            ("To: \r\nSubject: ", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)"),
            ("To: nobody", "(NIL NIL NIL NIL NIL ((NIL NIL \"nobody\" \"\")) NIL NIL NIL NIL)"),
            (
                "Sender: \r\nFrom: a@b",
                "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"
            ),
            ("Subject: one\r\nSubject: two", "(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)"),
            ("Subject: a \"quoted\" \\ one", "(NIL \"a \\\"quoted\\\" \\\\ one\" NIL NIL NIL NIL NIL NIL NIL NIL)"),
            ("Subject: \u{FC}", "(NIL {2}\r\n\u{FC} NIL NIL NIL NIL NIL NIL NIL NIL)"),
            ("Subject: a\u{0}b", "(NIL {3}\r\na b NIL NIL NIL NIL NIL NIL NIL NIL)"),
            ("Subject: folded\r\n line", "(NIL \"folded line\" NIL NIL NIL NIL NIL NIL NIL NIL)"),
        ])
    func envelopes(header: String, expected: String) {
        #expect(envelope(header) == expected)
        #expect(WireGrammar.envelopeFault(WireValue.read(bytes(expected))) == nil)
    }

    @Test("a string of more than 1,000 octets is a literal")
    func literals() {
        let long = String(repeating: "s", count: 1_001)
        #expect(envelope("Subject: \(long)").hasPrefix("(NIL {1001}\r\nsss"))
        #expect(envelope("Subject: \(long.dropLast())").hasPrefix("(NIL \"sss"))
    }

    static let text = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""

    @Test(
        "BODYSTRUCTURE (RFC 9051 §7.5.2)",
        arguments: [
            ("\r\na\r\nb\r\n", "\(text) 6 2 NIL NIL NIL NIL)"),
            ("Content-Type: text/html\r\n\r\n", "(\"text\" \"html\" NIL NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)"),
            (
                "Content-Type: image/png; name=\"a b\"\r\nContent-ID: <i>\r\nContent-Description: d\r\nContent-MD5: m\r\n"
                    + "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=f\r\nContent-Language: de, en\r\n"
                    + "Content-Location: l\r\n\r\nAAAA\r\n",
                "(\"image\" \"png\" (\"name\" \"a b\") \"<i>\" \"d\" \"base64\" 6 \"m\" (\"attachment\" (\"filename\" \"f\")) (\"de\" \"en\") \"l\")"
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\nContent-Disposition: inline\r\n\r\n--b\r\n\r\na\r\n--b\r\nContent-Type: x/y\r\n\r\nbc\r\n--b--\r\n",
                "(\(text) 1 0 NIL NIL NIL NIL)(\"x\" \"y\" NIL NIL NIL \"7bit\" 2 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") (\"inline\" NIL) NIL NIL)"
            ),
            (
                "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\na\r\n",
                "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) \(text) 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n",
                "(\"application\" \"octet-stream\" (\"boundary\" \"b\") NIL NIL \"7bit\" 3 NIL NIL NIL NIL)"
            ),
            (
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
                "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL NIL NIL NIL)"
            ),
            (
                "Content-Type: message/delivery-status\r\n\r\nx\r\n",
                "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 3 NIL NIL NIL NIL)"
            ),
        ])
    func bodyStructures(message: String, expected: String) {
        #expect(body(message) == expected)
        #expect(WireGrammar.bodyFault(WireValue.read(bytes(expected)), extended: true) == nil)
    }

    @Test("BODY has no extension data")
    func plainBody() {
        #expect(body("\r\na", extended: false) == "\(Self.text) 1 0)")
        #expect(
            body("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\r\n--b--\r\n", extended: false)
                == "(\(Self.text) 1 0) \"mixed\")")
    }

    @Test(
        "the checker of the tests refuses what is not well formed",
        arguments: [
            "", "(", "()", "(NIL", "(NIL NIL))", "(NIL  NIL)", "\"\u{FC}\"", "\"a\\b\"", "{3}\r\nab", "{1}\nab",
            "(NILNIL)", "(1 2)x", "\"a\r\n\"",
        ])
    func checker(wire: String) { #expect(WireValue.read(bytes(wire)) == nil) }

    @Test(
        "the checker of the tests refuses what is well formed and no body",
        arguments: [
            "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1)", "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL)",
            "(\"a\" \"b\" NIL NIL NIL NIL 1 NIL NIL NIL NIL)",
            "(\"multipart\" \"mixed\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL)",
            "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL)",
        ])
    func bodyChecker(wire: String) {
        #expect(WireGrammar.bodyFault(WireValue.read(bytes(wire)), extended: true) != nil)
    }
}
