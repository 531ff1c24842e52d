import MartletCore
import MessageFormat
import Testing

private typealias Report = DeliveryStatusReport

private func fields(_ text: String) -> Report { Report.parseFields(bytes(text.replacing("\n", with: "\r\n"))) }

/// What was read of a recipient: `type;address action status diagnostic`.
private func outline(_ report: Report?) -> [String] {
    (report?.recipients ?? []).map {
        let diagnostic = $0.diagnosticCode.map { " \($0.type);\($0.value)" } ?? ""
        return
            "\($0.finalRecipient.type);\($0.finalRecipient.value) \($0.action?.rawValue ?? "-") \($0.status?.description ?? "-")\(diagnostic)"
    }
}

@Suite struct DeliveryStatusReportTests {
    @Test("The examples of RFC 3464 appendix E")
    func examples() throws {
        let simple = fields(
            """
            Reporting-MTA: dns; cs.utk.edu

            Original-Recipient: rfc822;louisl@larry.slip.umd.edu
            Final-Recipient: rfc822;louisl@larry.slip.umd.edu
            Action: failed
            Status: 4.0.0
            Diagnostic-Code: smtp; 426 connection timed out
            Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400

            """)
        #expect(simple.reportingMTA == .init(type: "dns", value: "cs.utk.edu"))
        #expect(outline(simple) == ["rfc822;louisl@larry.slip.umd.edu failed 4.0.0 smtp;426 connection timed out"])
        #expect(simple.recipients[0].lastAttemptDate?.description == "Thu, 7 Jul 1994 17:15:49 -0400")
        let several = fields(
            """
            Reporting-MTA: dns; cs.utk.edu

            Original-Recipient: rfc822;arathib@vnet.ibm.com
            Final-Recipient: rfc822;arathib@vnet.ibm.com
            Action: failed
            Status: 5.0.0 (permanent failure)
            Diagnostic-Code: smtp;  550 'arathib@vnet.IBM.COM' is not a
             registered gateway user
            Remote-MTA: dns; vnet.ibm.com

            Original-Recipient: rfc822;johnh@hpnjld.njd.hp.com
            Final-Recipient: rfc822;johnh@hpnjld.njd.hp.com
            Action: delayed
            Status: 4.0.0 (hpnjld.njd.jp.com: host name lookup failure)

            Original-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
            Final-Recipient: rfc822;wsnell@sdcc13.ucsd.edu
            Action: failed
            Status: 5.0.0
            Diagnostic-Code: smtp; 550 user unknown
            Remote-MTA: dns; sdcc13.ucsd.edu

            """)
        #expect(
            outline(several) == [
                "rfc822;arathib@vnet.ibm.com failed 5.0.0 smtp;550 'arathib@vnet.IBM.COM' is not a registered gateway user",
                "rfc822;johnh@hpnjld.njd.hp.com delayed 4.0.0",
                "rfc822;wsnell@sdcc13.ucsd.edu failed 5.0.0 smtp;550 user unknown",
            ])
        #expect(several.recipients.map { $0.remoteMTA?.value } == ["vnet.ibm.com", nil, "sdcc13.ucsd.edu"])
        let gateway = fields(
            "Reporting-MTA: mailbus; SYS30\n\nFinal-Recipient: unknown; nair_s\nStatus: 5.0.0 (unknown permanent failure)\nAction: failed\n"
        )
        #expect(gateway.reportingMTA == .init(type: "mailbus", value: "SYS30"))
        #expect(outline(gateway) == ["unknown;nair_s failed 5.0.0"])
        let delayed = fields(
            "Reporting-MTA: dns; sun2.nsfnet-relay.ac.uk\n\nFinal-Recipient: rfc822;thomas@de-montfort.ac.uk\nStatus: 4.0.0 (unknown temporary failure)\nAction: delayed\n"
        )
        #expect(outline(delayed) == ["rfc822;thomas@de-montfort.ac.uk delayed 4.0.0"])
        // RFC 3461 §10.9: without a type.
        let boondoggle = fields(
            "Reporting-MTA: Boondoggle.GOV\nOriginal-Envelope-ID: QQ314159\n\nOriginal-Recipient: rfc822;George@Tax-ME.GOV\nFinal-Recipient: rfc822;Sam@Boondoggle.GOV\nAction: failed\nStatus: 4.2.2 (disk quota exceeded)\n"
        )
        #expect(boondoggle.reportingMTA == .init(type: "unknown", value: "Boondoggle.GOV"))
        #expect(boondoggle.originalEnvelopeID == "QQ314159")
        #expect(outline(boondoggle) == ["rfc822;Sam@Boondoggle.GOV failed 4.2.2"])
    }

    @Test(
        "Reports of other servers", .enabled(if: Vectors.arePresent, "\(Vectors.absence)"),
        arguments: [
            (
                "ruby-mail/multipart_report_emails/report_422.eml",
                ["rfc822;fraser@oooooooo.com.au delayed 4.2.2 smtp;452 4.2.2 <fraser@oooooooo.com.au>... Mailbox full"]
            ),
            (
                "ruby-mail/multipart_report_emails/report_530.eml",
                ["rfc822;edwin@zzzzzzz.com failed 5.3.0 smtp;553 5.3.0 <edwin@zzzzzzz.com>... Unknown E-Mail Address"]
            ),
            // Its first part, for people, has the label of the second one.
            (
                "ruby-mail/multipart_report_emails/multipart_report_multiple_status.eml",
                ["rfc822;<u@ci.com> failed 5.3.0"]
            ),
            (
                "mimekit/delivery-status-no-blank-line.txt",
                ["rfc822;newsletter-request@imusic.com failed - x-local;500 (err.nosuchuser)"]
            ),
            ("cpython/msg_05.txt", []),
        ])
    func others(file: String, expected: [String]) throws {
        #expect(outline(Report.parse(try Vectors.read("mime/" + file))) == expected)
    }

    @Test(
        "Five recipients of Postfix, whose Final-Recipient comes first",
        .enabled(if: Vectors.arePresent, "\(Vectors.absence)"))
    func postfix() throws {
        let report = try #require(
            Report.parse(try Vectors.read("mime/ruby-mail/multipart_report_emails/multi_address_bounce1.eml")))
        #expect(report.recipients.count == 5)
        #expect(report.recipients.allSatisfy { $0.action == .failed && $0.status == EnhancedStatus(5, 1, 1) })
        #expect(report.recipients.allSatisfy { $0.originalRecipient?.value == $0.finalRecipient.value })
        #expect(report.extensionFields.map(\.name) == ["X-Postfix-Queue-ID", "X-Postfix-Sender"])
        #expect(report.arrivalDate?.description == "Tue, 23 Feb 2010 22:16:15 -0800")
    }

    @Test(
        "What is malformed gives what there is",
        arguments: [
            // Empty lines: missing, too many, in the middle.
            ("Reporting-MTA: dns; a\nFinal-Recipient: rfc822; x@y\nAction: failed\n", ["rfc822;x@y failed -"]),
            (
                "\n\n\nFinal-Recipient: rfc822; x@y\n\n\nAction: failed\n\nStatus: 5.1.1\n\n\n",
                ["rfc822;x@y failed 5.1.1"]
            ),
            (
                "Final-Recipient: rfc822; a@y\nAction: failed\nFinal-Recipient: rfc822; b@y\nAction: delayed\n",
                ["rfc822;a@y failed -", "rfc822;b@y delayed -"]
            ),
            (
                "Original-Recipient: rfc822; a@y\nFinal-Recipient: rfc822; A@y\nAction: failed\nOriginal-Recipient: rfc822; b@y\nFinal-Recipient: rfc822; B@y\nAction: failed\n",
                ["rfc822;A@y failed -", "rfc822;B@y failed -"]
            ),
            // No final recipient.
            ("Original-Recipient: rfc822; a@y\nAction: failed\n", ["rfc822;a@y failed -"]),
            ("Action: failed\nStatus: 5.0.0\n", []), ("", []), ("no fields\nat all", []), (": x\n:\n\n", []),
            // Spellings.
            (
                "FINAL-RECIPIENT : RFC822 ;  x@y \naction:  FAILED (really)\nstatus:\t5.1.1\n",
                ["rfc822;x@y failed 5.1.1"]
            ),
            ("Final-Recipient: x@y\nAction: failure\n", ["unknown;x@y failed -"]),
            ("Final-Recipient: ;x@y\nAction: lost\n", ["unknown;x@y - -"]),
            ("Final-Recipient: x@y; odd\n", ["unknown;x@y; odd - -"]),
            ("Final-Recipient: rfc822; x\u{1}@y\u{0}\n", ["rfc822;x @y - -"]), ("Final-Recipient: ;\u{1A}\n", []),
            ("Final-Recipient: rfc822;\nOriginal-Recipient: rfc822; x@y\n", ["rfc822;x@y - -"]),
            ("Final-Recipient: rfc822;\n x@y\n", ["rfc822;x@y - -"]),
            // Codes that are none.
            ("Final-Recipient: rfc822; x@y\nStatus: 3.1.1\n", ["rfc822;x@y - -"]),
            ("Final-Recipient: rfc822; x@y\nStatus: 5.1\n", ["rfc822;x@y - -"]),
            ("Final-Recipient: rfc822; x@y\nStatus: 5.1.99999\n", ["rfc822;x@y - -"]),
            ("Final-Recipient: rfc822; x@y\nStatus: 5..1\n", ["rfc822;x@y - -"]),
            ("Final-Recipient: rfc822; x@y\nStatus: x\nStatus: 5.7.1\n", ["rfc822;x@y - 5.7.1"]),
            // The first of several counts.
            ("Final-Recipient: rfc822; x@y\nAction: failed\nAction: delivered\n", ["rfc822;x@y failed -"]),
        ])
    func malformed(text: String, expected: [String]) {
        #expect(outline(fields(text)) == expected)
        // Line ends of LF alone make no difference.
        #expect(outline(Report.parseFields(bytes(text))) == expected)
    }

    @Test("Recipients without the empty line between them keep what is theirs")
    func noEmptyLine() {
        let one = "Original-Recipient: rfc822; a@y\nFinal-Recipient: rfc822; A@y\nAction: failed\nX-A: 1\n"
        let other = "Original-Recipient: rfc822; b@y\nFinal-Recipient: rfc822; B@y\nAction: delayed\nX-B: 1\n"
        let report = fields(one + other)
        #expect(report.recipients.map(\.originalRecipient?.value) == ["a@y", "b@y"])
        #expect(report.recipients.map(\.action) == [.failed, .delayed])
        #expect(report.recipients.map { $0.extensionFields.map(\.name) } == [["X-A"], ["X-B"]])
    }

    @Test("A part is found in any multipart, encoded or not, with fields in its header, but not in a returned message")
    func places() {
        func mail(_ part: String, type: String = "multipart/report") -> String {
            "Content-Type: \(type); boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n\(part)\r\n--b--\r\n"
        }
        let fields = "Final-Recipient: rfc822; x@y\r\nAction: failed\r\n"
        for part in [
            "Content-Type: message/delivery-status\r\n\r\n\(fields)",
            "Content-Type: message/delivery-status\r\n\(fields)",
            "Content-Type: message/delivery-status\r\n\(fields)\r\n",
            "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\nRmluYWwtUmVjaXBpZW50OiByZmM4MjI7IHhAeQ0KQWN0aW9uOiBmYWlsZWQNCg==",
            "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nFinal-Recipient: rfc822; =78@y\r\nAction: failed\r\n",
        ] {
            for type in ["multipart/report", "multipart/mixed"] {
                #expect(outline(Report.parse(bytes(mail(part, type: type)))) == ["rfc822;x@y failed -"], "\(part)")
            }
        }
        #expect(Report.parse(bytes("Content-Type: message/delivery-status\r\n\r\n\(fields)")) != nil)
        let inside =
            "Content-Type: message/rfc822\r\n\r\n" + mail("Content-Type: message/delivery-status\r\n\r\n\(fields)")
        #expect(Report.parse(bytes(mail(inside.replacing("=b", with: "=c").replacing("--b", with: "--c")))) == nil)
        #expect(Report.parse(bytes("Subject: x\r\n\r\nhello")) == nil)
        #expect(Report.parse([]) == nil)
    }

    @Test("Every limit: what is beyond it is left out")
    func limits() {
        let defaults = Report.Limits.default
        #expect(defaults.maximumBytes == 1 << 20 && defaults.maximumCandidates == 10)
        #expect(defaults.maximumRecipients == 1_000 && defaults.maximumFields == 50_000)
        #expect(defaults.maximumExtensionFields == 32 && defaults.maximumValueBytes == 4_096)
        let recipient = "\r\nFinal-Recipient: rfc822; x@y\r\nAction: failed\r\n"
        #expect(Report.parseFields(bytes(String(repeating: recipient, count: 1_500))).recipients.count == 1_000)
        let extensions = (0..<100).map { "X-\($0): y\r\n" }.joined()
        let report = Report.parseFields(bytes(extensions + recipient + extensions + "\r\n" + extensions))
        #expect(report.extensionFields.count == 32 && report.recipients[0].extensionFields.count == 32)
        let long = Report.parseFields(bytes("Final-Recipient: rfc822; " + String(repeating: "x", count: 9_000)))
        #expect(long.recipients[0].finalRecipient.value.utf8.count < 4_096)
        var limits = Report.Limits()
        limits.maximumFields = 3
        #expect(Report.parseFields(bytes(String(repeating: recipient, count: 5)), limits: limits).recipients.count == 2)
        limits = Report.Limits()
        limits.maximumBytes = recipient.utf8.count
        #expect(Report.parseFields(bytes(String(repeating: recipient, count: 5)), limits: limits).recipients.count == 1)
        let part = "--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n"
        for (count, isFound) in [(9, true), (10, false)] {
            let mail =
                "Content-Type: multipart/report; boundary=b\r\n\r\n" + String(repeating: part, count: count)
                + "--b\r\nContent-Type: message/delivery-status\r\n\(recipient)\r\n--b--\r\n"
            #expect((Report.parse(bytes(mail)) != nil) == isFound)
        }
    }

    @Test(
        "What is written is read as it was, in both forms",
        arguments: [
            Report(
                originalEnvelopeID: "a  B;c (d)", reportingMTA: .init(type: "dns", value: "mx.a.test"),
                dsnGateway: .init(type: "x400", value: "gate"),
                receivedFromMTA: .init(type: "dns", value: "c (192.0.2.1)"),
                arrivalDate: MailDate(instant: Instant(seconds: 1_795_600_800), zoneMinutes: -330),
                extensionFields: [.init(name: "X-A", value: "b c")],
                recipients: [
                    .init(
                        originalRecipient: .init(type: "rfc822", value: "\"a b\"@c.test"),
                        finalRecipient: .init(type: "rfc822", value: "x@y.test"), action: .delayed,
                        status: EnhancedStatus(4, 123, 456), remoteMTA: .init(type: "dns", value: "[192.0.2.1]"),
                        diagnosticCode: .init(
                            type: "smtp", value: "450 " + String(repeating: "later on ", count: 50) + "x"),
                        lastAttemptDate: MailDate(instant: Instant(seconds: 1)), finalLogID: "log 1",
                        willRetryUntil: MailDate(instant: Instant(seconds: 2)),
                        extensionFields: [.init(name: "X-B", value: "c"), .init(name: "X-B", value: "d")]),
                    .init(finalRecipient: .init(type: "unknown", value: "?"), action: nil, status: nil),
                ])
        ])
    private func roundTrip(report: Report) {
        for form in [Report.Form.ascii, .utf8] {
            let encoded = report.encode(as: form)
            #expect(Report.parseFields(encoded) == report)
            #expect(encoded.split(separator: 0x0A).allSatisfy { $0.count <= 78 })
        }
    }

    @Test("The ASCII form is ASCII, and an address comes back from it (RFC 6533 §3)")
    func asciiForm() {
        var report = Report(
            originalEnvelopeID: "ü", reportingMTA: .init(type: "dns", value: "mü.test"),
            recipients: [
                .init(
                    originalRecipient: .init(type: "utf-8", value: "ü+a=b@c.test"),
                    finalRecipient: .init(type: "rfc822", value: "用户@c.test"), action: .failed, status: nil,
                    diagnosticCode: .init(type: "smtp", value: "550 nö"))
            ])
        #expect(report.simplestForm == .utf8)
        let encoded = report.encode(as: .ascii)
        #expect(encoded.allSatisfy { $0 < 0x80 })
        let read = Report.parseFields(encoded)
        #expect(read.recipients[0].finalRecipient == .init(type: "utf-8", value: "\\x{7528}\\x{6237}@c.test"))
        #expect(read.recipients[0].finalRecipient.emailAddress == EmailAddress("用户@c.test"))
        #expect(read.recipients[0].originalRecipient?.value == "\\x{FC}\\x{2B}a\\x{3D}b@c.test")
        #expect(read.recipients[0].diagnosticCode?.value == "550 n?")
        // RFC 6533 §3: up-converted; what is no such encoding stays.
        #expect(text(read.encode(as: .utf8)).contains("Original-Recipient: utf-8; ü+a=b@c.test\r\n"))
        report.recipients[0].originalRecipient = .init(type: "utf-8", value: "a\\x{110000}@c.test")
        #expect(text(report.encode(as: .utf8)).contains("Original-Recipient: utf-8; a\\x{110000}@c.test\r\n"))
        #expect(text(report.encode(as: .utf8)).contains("Final-Recipient: utf-8; 用户@c.test\r\n"))
    }

    @Test(
        "Addresses in their escaped form",
        arguments: [
            ("ü@a.test", "\\x{FC}@a.test"), ("a+b=c\\d e@a.test", "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e@a.test"),
            ("\u{1F600}@a", "\\x{1F600}@a"), ("\t@a", "\\x{09}@a"), ("plain@a.test", "plain@a.test"), ("", ""),
        ])
    func escapes(address: String, escaped: String) {
        #expect(UTF8Address.encode(address) == escaped)
        #expect(UTF8Address.decode(escaped) == address)
    }

    @Test(
        "Broken escapes are told",
        arguments: [
            "\\", "\\x", "\\x{", "\\x{}", "\\x{4}", "\\x{41", "\\x{D800}", "\\x{1234567}", "\\x{GG}", "\\y{41}", "a\\",
        ])
    func brokenEscapes(text: String) { #expect(UTF8Address.decode(text) == nil) }

    @Test(
        "The address of a typed value",
        arguments: [
            ("rfc822", "x@y.test", "x@y.test"), ("rfc822", "<x@y.test>", "x@y.test"),
            ("rfc822", "x@y.test (gone)", "x@y.test"),
            ("rfc822", "\"a b\"@y.test", "\"a b\"@y.test"), ("unknown", "x@y.test", "x@y.test"),
            ("utf-8", "\\x{FC}@y.test", "ü@y.test"), ("utf-8", "ü@y.test", "ü@y.test"), ("x400", "x@y.test", nil),
            ("rfc822", "nobody", nil), ("rfc822", "a@b.test, c@d.test", nil), ("rfc822", "", nil),
        ] as [(String, String, String?)])
    func addresses(type: String, value: String, expected: String?) {
        #expect(Report.TypedValue(type: type, value: value).emailAddress?.description == expected)
    }
}
