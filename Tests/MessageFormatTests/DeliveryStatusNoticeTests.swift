import MartletCore
import MessageFormat
import Testing

/// 2026-11-25T10:00:00Z
private let arrival = Instant(seconds: 1_795_600_800)
private let now = arrival + .seconds(4 * 3_600 + 61)
private let until = arrival + .seconds(5 * 86_400)

private let mail = bytes(
    "Received: from a\r\nFrom: anna@a.test\r\nTo: bob@b.test\r\nSubject: =?utf-8?Q?Caf=C3=A9?= at noon\r\n"
        + "Message-ID: <m1@a.test>\r\n\r\nHello\r\n.\r\n")

private func address(_ text: String) throws -> EmailAddress { try #require(EmailAddress(text)) }

private func notice(
    sender: String = "anna@a.test", original: [UInt8] = mail, size: Int? = nil,
    returned: DeliveryNotice.Returned = .full, envelopeID: String? = nil,
    _ recipients: [DeliveryNotice.Recipient]
) throws -> DeliveryNotice {
    DeliveryNotice(
        reportingHost: "mx.ours.test", from: try address("MAILER-DAEMON@mx.ours.test"),
        contact: try address("postmaster@ours.test"), sender: try address(sender), lookupCode: "1F3AB2C3D4E5F",
        envelopeID: envelopeID, receivedFrom: ("client.test", "192.0.2.7"), arrival: arrival,
        original: .init(bytes: original, size: size ?? original.count), returned: returned, recipients: recipients)
}

private func recipient(
    _ text: String = "bob@b.test", _ outcome: DeliveryNotice.Outcome = .failed, status: EnhancedStatus? = nil,
    host: String? = "mx.b.test", reply: String? = "550 5.1.1 no such user", original: String? = nil
) throws -> DeliveryNotice.Recipient {
    DeliveryNotice.Recipient(
        address: try address(text), originalRecipient: original, outcome: outcome, status: status, remoteHost: host,
        reply: reply, lastAttempt: now)
}

/// A built notice, and its parts.
private struct Built {
    let message: DeliveryNotice.Message
    let structure: MessageStructure
    var parts: [MessageStructure.Part] { structure.root.children }
    var report: DeliveryStatusReport? { DeliveryStatusReport.parse(message.bytes) }

    init(_ notice: DeliveryNotice) {
        message = notice.build(messageID: "<n1@mx.ours.test>", date: MailDate(instant: now))
        structure = MessageStructure.parse(message.bytes)
    }

    /// The words with their lines joined.
    var words: String {
        parts[0].decodedText(in: message.bytes).replacing("\r\n", with: " ").split(separator: " ").joined(
            separator: " ")
    }
    func field(_ name: String) -> String? {
        message.bytes.withUnsafeBytes { buffer in
            HeaderFields(buffer, in: structure.root.headerRange).first { text(buffer[$0.name]) == name }.map {
                text(HeaderFields.unfold(buffer, $0.value))
            }
        }
    }
    func decoded(_ index: Int) -> [UInt8] {
        let part = parts[index]
        return message.bytes[part.bodyRange].withUnsafeBytes { ContentTransferEncoding(part.encoding).decode($0) }
    }

    /// What is wrong with the lines of the message: nil when nothing is.
    var lineFault: String? {
        let bytes = message.bytes
        for (index, byte) in bytes.enumerated() {
            if byte == 0x0A, index == 0 || bytes[index - 1] != 0x0D { return "bare LF at \(index)" }
            if byte == 0x0D, index + 1 == bytes.count || bytes[index + 1] != 0x0A { return "bare CR at \(index)" }
            if byte == 0 { return "NUL at \(index)" }
        }
        for line in bytes.split(separator: 0x0A) where line.count > 999 { return "a line of \(line.count)" }
        return bytes.suffix(2) == [0x0D, 0x0A] ? nil : "no line end at the end"
    }
}

@Suite struct DeliveryStatusNoticeTests {
    @Test("A failure notice has the three parts of RFC 6522, and its header says what it is")
    func failure() throws {
        let built = Built(try notice([recipient(original: "rfc822;Bob@b.test")]))
        #expect(
            built.structure.root.outline
                == "multipart/report(text/plain message/delivery-status message/rfc822(text/plain))")
        #expect(built.structure.root.contentType.parameters.decoded("report-type") == "delivery-status")
        #expect(built.field("From") == "Mail Delivery System <MAILER-DAEMON@mx.ours.test>")
        #expect(built.field("To") == "<anna@a.test>")
        #expect(built.field("Subject") == "Your message to bob@b.test was not delivered")
        #expect(built.field("Date") == "Wed, 25 Nov 2026 14:01:01 +0000")
        #expect(built.field("Message-ID") == "<n1@mx.ours.test>")
        #expect(built.field("Auto-Submitted") == "auto-replied")
        #expect(built.field("In-Reply-To") == "<m1@a.test>" && built.field("References") == "<m1@a.test>")
        #expect(built.decoded(2) == mail)
        #expect(built.lineFault == nil)
        #expect(!built.message.needsSMTPUTF8 && !built.message.needs8BitMIME)
        #expect(Invariants.fault(built.message.bytes) == nil)
    }

    @Test("The report has the fields of RFC 3464 in their order")
    func fields() throws {
        let built = Built(try notice(envelopeID: "QQ314159", [recipient(original: "rfc822;Bob@b.test")]))
        #expect(
            text(built.decoded(1)) == """
                Original-Envelope-Id: QQ314159\r
                Reporting-MTA: dns; mx.ours.test\r
                Received-From-MTA: dns; client.test (192.0.2.7)\r
                Arrival-Date: Wed, 25 Nov 2026 10:00:00 +0000\r
                X-Martlet-Record: 1F3AB2C3D4E5F\r
                \r
                Original-Recipient: rfc822; Bob@b.test\r
                Final-Recipient: rfc822; bob@b.test\r
                Action: failed\r
                Status: 5.1.1\r
                Remote-MTA: dns; mx.b.test\r
                Diagnostic-Code: smtp; 550 5.1.1 no such user\r
                Last-Attempt-Date: Wed, 25 Nov 2026 14:01:01 +0000\r

                """)
    }

    @Test("The words say what happened, to whom, why, what to do, and by which code it is found")
    func words() throws {
        let words = Built(try notice([recipient()])).words
        for phrase in [
            "Subject: Café at noon", "could not be delivered to this address, and will not be tried again: bob@b.test",
            "There is no mailbox with this address at b.test.", "The answer of mx.b.test was: 550 5.1.1 no such user",
            "Check the spelling of the address", "postmaster@ours.test", "1F3AB2C3D4E5F", "Your message is attached",
        ] { #expect(words.contains(phrase), "\(phrase)\n\(words)") }
    }

    @Test("A delay notice says since when, until when, and that there is nothing to do")
    func delay() throws {
        let built = Built(
            try notice([
                recipient(
                    "bob@b.test", .delayed(until: until), status: EnhancedStatus(4, 4, 1), host: nil, reply: "no answer"
                )
            ]))
        #expect(built.field("Subject") == "Your message to bob@b.test is delayed")
        for phrase in [
            "you need not do anything", "No server of b.test answered. It has been tried for 4 hours.",
            "What was seen: no answer",
            "until Mon, 30 Nov 2026 10:00:00 +0000, for another 4 days", "The header of your message is attached",
        ] { #expect(built.words.contains(phrase), "\(phrase)\n\(built.words)") }
        #expect(!built.words.contains("What you can do"))
        // RFC 3461 §6.2: no failure, no body.
        #expect(built.parts[2].contentType.subtype == "rfc822-headers")
        #expect(text(built.decoded(2)).hasSuffix("Message-ID: <m1@a.test>\r\n"))
        let report = try #require(built.report?.recipients.first)
        #expect(report.action == .delayed && report.status == EnhancedStatus(4, 4, 1))
        #expect(report.willRetryUntil == MailDate(instant: until))
        #expect(report.diagnosticCode == .init(type: "x-martlet", value: "no answer") && report.remoteMTA == nil)
    }

    @Test(
        "Success notices say what kind of success it is",
        arguments: [
            (.relayed, "was passed on", "You will hear more only if it fails", .relayed),
            (.delivered, "was delivered", "It was delivered into the mailbox of: bob@b.test", .delivered),
            (.expanded, "was passed on", "behind which there are others", .expanded),
        ] as [(DeliveryNotice.Outcome, String, String, DeliveryStatusReport.Action)])
    func success(
        outcome: DeliveryNotice.Outcome, subject: String, phrase: String, action: DeliveryStatusReport.Action
    ) throws {
        let built = Built(try notice([recipient("bob@b.test", outcome, reply: "250 2.6.0 queued as 77")]))
        #expect(built.field("Subject") == "Your message to bob@b.test \(subject)")
        #expect(built.words.contains(phrase), "\(built.words)")
        #expect(!built.words.contains("Why:"))
        #expect(built.report?.recipients.first?.action == action)
        #expect(built.report?.recipients.first?.status?.category == 2)
        #expect(built.parts[2].contentType.subtype == "rfc822-headers")
    }

    @Test(
        "The code is the given one, the reply's, or the one that says nothing; its class fits the outcome",
        arguments: [
            (.failed, nil, "550 5.7.1 no", "5.7.1"), (.failed, nil, "550-5.7.1 no", "5.7.1"),
            (.failed, nil, "550 no", "5.0.0"),
            (.failed, nil, "450 no", "4.0.0"), (.failed, nil, "broken pipe", "5.0.0"), (.failed, nil, nil, "5.0.0"),
            (.failed, EnhancedStatus(4, 4, 7), "450 4.2.0 no", "4.4.7"),
            (.failed, EnhancedStatus(2, 0, 0), nil, "5.0.0"),
            (.failed, nil, "5.6.7 the address needs SMTPUTF8", "5.6.7"), (.failed, nil, "550 no 5.6.7", "5.0.0"),
            (.failed, nil, "550 4.1.1 classes differ", "5.0.0"), (.failed, nil, "550 5.1.10000 no", "5.0.0"),
            (.delayed(until: until), nil, "550 5.1.1 soft", "4.1.1"), (.delayed(until: until), nil, nil, "4.0.0"),
            (.relayed, nil, "250 2.1.5 ok", "2.1.5"), (.relayed, nil, "250 ok", "2.0.0"),
            (.delivered, EnhancedStatus(5, 1, 1), nil, "2.0.0"),
        ] as [(DeliveryNotice.Outcome, EnhancedStatus?, String?, String)])
    func status(outcome: DeliveryNotice.Outcome, given: EnhancedStatus?, reply: String?, expected: String) throws {
        let notice = try notice([recipient("bob@b.test", outcome, status: given, reply: reply)])
        #expect(notice.report.recipients[0].status?.description == expected)
    }

    @Test("Failed and delayed recipients of one notice are told apart; those with one reason are told together")
    func several() throws {
        let built = Built(
            try notice([
                recipient("a@b.test"), recipient("c@d.test", .delayed(until: until), reply: "450 4.2.2 full"),
                recipient("e@b.test"), recipient("f@b.test", reply: "552 5.2.2 full"),
            ]))
        #expect(built.field("Subject") == "Your message was not delivered to 3 recipients")
        #expect(built.words.contains("a@b.test e@b.test Why: There is no mailbox"))
        #expect(built.words.contains("f@b.test Why: The mailbox is full."))
        #expect(built.words.contains("It has not reached this address yet"))
        #expect(
            built.report?.recipients.map(\.finalRecipient.value) == ["a@b.test", "c@d.test", "e@b.test", "f@b.test"])
    }

    @Test("The report names all recipients, the words only so many")
    func manyRecipients() throws {
        let alike = Built(try notice((0..<900).map { try recipient("u\($0)@b.test") }))
        #expect(alike.report?.recipients.count == 900)
        #expect(alike.words.contains("u99@b.test and 800 more, which the report names"))
        #expect(!alike.words.contains("u100@b.test"))
        let different = Built(try notice((0..<900).map { try recipient("u\($0)@b.test", reply: "550 5.1.1 \($0)") }))
        #expect(different.words.contains("And 880 more, which the attached report names."))
        #expect(different.report?.recipients.count == 900)
    }

    @Test(
        "What is returned: the message when it is wanted, whole, small and made of lines; else its header",
        arguments: [
            ("S: x\r\n\r\nbody\r\n", 0, true, "message/rfc822", "7bit"),
            ("S: x\r\n\r\nbody\r\n", 0, false, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\nbody\r\n", 1, true, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\nb\u{E4}\r\n", 0, true, "message/rfc822", "8bit"),
            ("S: \u{E4}\r\n\r\nb\r\n", 0, true, "message/global", "base64"),
            ("S: \u{E4}\r\n\r\nb\r\n", 0, false, "message/global-headers", "quoted-printable"),
            ("S: x\r\n\r\na\nb\r\n", 0, true, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\na\rb\r\n", 0, true, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\na\u{0}b\r\n", 0, true, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\n\(String(repeating: "x", count: 999))\r\n", 0, true, "text/rfc822-headers", "7bit"),
            ("S: x\r\n\r\n\(String(repeating: "x", count: 998))\r\n", 0, true, "message/rfc822", "7bit"),
            (
                "S: \(String(repeating: "x", count: 999))\r\n\r\nb\r\n", 0, false, "text/rfc822-headers",
                "quoted-printable"
            ),
            ("S: x\r\n\r\n", 0, true, "message/rfc822", "7bit"),
            ("no header at all", 0, false, "text/rfc822-headers", "7bit"),
        ])
    func returned(original: String, missing: Int, full: Bool, type: String, encoding: String) throws {
        let original = bytes(original)
        let built = Built(
            try notice(
                original: original, size: original.count + missing, returned: full ? .full : .headers, [recipient()]))
        let part = built.parts[2]
        #expect("\(part.contentType.type)/\(part.contentType.subtype)" == type && part.encoding == encoding)
        #expect(built.lineFault == nil)
        #expect(built.message.needs8BitMIME == (encoding == "8bit"))
        if type.hasPrefix("message/"), !type.hasSuffix("headers") {
            #expect(built.decoded(2) == original)
        } else {
            let header = text(original).split(separator: "\r\n\r\n", maxSplits: 1)[0]
            #expect(text(built.decoded(2)).split(separator: "\r\n").joined(separator: "\r\n") == header)
        }
    }

    @Test("Of a message that cannot be read any more nothing is returned, and the words do not claim it")
    func nothingReturned() throws {
        let built = Built(try notice(original: [], [recipient()]))
        #expect(built.structure.root.outline == "multipart/report(text/plain message/delivery-status)")
        #expect(built.words.contains("The details for programs are attached."))
        #expect(!built.words.contains("our message is attached") && built.lineFault == nil)
        #expect(built.report?.recipients.count == 1)
    }

    @Test("A header that is 8-bit and not UTF-8 comes back octet for octet")
    func legacyHeader() throws {
        let original = bytes("Subject: ") + [0xE4, 0xF6] + bytes("\r\n\r\nbody\r\n")
        let whole = Built(try notice(original: original, [recipient()]))
        #expect(whole.parts[2].contentType.subtype == "rfc822" && whole.decoded(2) == original)
        let header = Built(try notice(original: original, returned: .headers, [recipient()]))
        #expect(header.parts[2].contentType.subtype == "rfc822-headers")
        #expect(header.decoded(2) == bytes("Subject: ") + [0xE4, 0xF6] + bytes("\r\n"))
        #expect(header.message.bytes.allSatisfy { $0 < 0x80 })
    }

    @Test("maximumReturnedMessage and maximumReturnedHeader: 65,536 and 32,768 octets")
    func limits() throws {
        func mail(_ size: Int) -> [UInt8] {
            let head = bytes("S: x\r\n\r\n")
            return head
                + Array(
                    Array(repeating: bytes("0123456789abcd\r\n"), count: size / 16 + 1).joined().prefix(
                        size - head.count))
        }
        #expect(DeliveryNotice.maximumReturnedMessage == 65_536)
        let fits = mail(65_536 - 8)
        #expect(Built(try notice(original: fits, [recipient()])).parts[2].contentType.subtype == "rfc822")
        #expect(
            Built(try notice(original: mail(65_544), [recipient()])).parts[2].contentType.subtype == "rfc822-headers")
        let long = bytes(String(repeating: "X-Field: 12345678901234567890\r\n", count: 3_000) + "\r\n")
        let header = Built(try notice(original: long, [recipient()])).decoded(2)
        #expect(header.count <= DeliveryNotice.maximumReturnedHeader + 2 && header.count > 32_000)
    }

    @Test("Addresses beyond ASCII: global types, type utf-8, and 7-bit parts all the same (RFC 6533)")
    func international() throws {
        let original = bytes("To: 用户@例え.test\r\nSubject: ü\r\n\r\nx\r\n")
        let built = Built(
            try notice(
                sender: "müller@a.test", original: original,
                [recipient("用户@例え.test", original: "utf-8;\\x{7528}\\x{6237}@xn--r8jz45g.test")]))
        #expect(
            built.structure.root.outline == "multipart/report(text/plain message/global-delivery-status message/global)"
        )
        #expect(built.message.needsSMTPUTF8)
        #expect(built.field("To") == "<müller@a.test>")
        #expect(
            EncodedWord.decode(bytes(built.field("Subject") ?? "")) == "Your message to 用户@例え.test was not delivered")
        #expect(built.message.bytes[built.structure.root.bodyRange].allSatisfy { $0 < 0x80 })
        let report = text(built.decoded(1))
        #expect(report.contains("Final-Recipient: utf-8; 用户@xn--r8jz45g.test\r\n"))
        #expect(report.contains("Original-Recipient: utf-8; 用户@xn--r8jz45g.test\r\n"))
        #expect(built.report?.recipients[0].finalRecipient.emailAddress == EmailAddress("用户@例え.test"))
        #expect(built.words.contains("用户@例え.test"))
        #expect(built.decoded(2) == original)
        #expect(built.lineFault == nil)
        // An ASCII recipient of such a sender is told in ASCII.
        let plain = Built(try notice(sender: "müller@a.test", [recipient()]))
        #expect(plain.parts[1].contentType.subtype == "delivery-status")
    }

    @Test(
        "What a peer says adds no field, no line and no part, and steers no terminal",
        arguments: [
            "550 x\r\nAction: delivered", "550 x\r\n\r\nFinal-Recipient: rfc822; evil@x", "550 \u{1B}[2J\u{7}\u{9B}31m",
            "550 \u{202E}txt.exe\u{2066}\u{200B}", "550 a\u{2028}b\u{85}c", "550 \u{0}", "550 --=_x\r\n--=_x--",
            "550 " + String(repeating: "x", count: 5_000), "550 " + String(repeating: "é ", count: 5_000),
            "550 " + String(repeating: "\u{200B}", count: 100_000), "550 äöü 用户", "\r\n", "", " ",
        ])
    func hostileReply(reply: String) throws {
        let built = Built(try notice([recipient(host: "mx\r\nStatus: 2.0.0", reply: reply)]))
        #expect(built.lineFault == nil)
        #expect(built.structure.root.children.count == 3)
        #expect(built.message.bytes.allSatisfy { $0 < 0x80 && ($0 >= 0x20 || $0 == 0x0D || $0 == 0x0A) })
        let report = try #require(built.report)
        #expect(report.recipients.count == 1)
        #expect(report.recipients[0].action == .failed && report.recipients[0].status?.category == 5)
        #expect(report.recipients[0].extensionFields.isEmpty)
        #expect(built.message.bytes.count < 16_384)
        let words = built.parts[0].decodedText(in: built.message.bytes)
        #expect(
            !words.unicodeScalars.contains {
                ($0.value < 0x20 && $0 != "\r" && $0 != "\n") || (0x7F...0x9F).contains($0.value)
                    || $0.properties.generalCategory == .format || $0.value == 0x2028
            })
    }

    @Test("All that is given may be hostile")
    func hostileEverything() throws {
        let evil = "xü\r\nBcc: evil@x\r\n\r\n--b\u{0}\u{1B}" + String(repeating: "y", count: 3_000)
        var notice = try notice(
            original: bytes(
                "Subject: \u{1B}[1m\u{202E}\r\nMessage-ID: <\(String(repeating: "m", count: 900))@x>\r\n\r\n"),
            envelopeID: evil, [recipient(reply: evil, original: "rfc822;" + evil)])
        notice.reportingHost = evil
        notice.lookupCode = evil
        notice.receivedFrom = (evil, evil)
        let message = notice.build(messageID: "<\(evil)>", date: MailDate(instant: now)).bytes
        let structure = MessageStructure.parse(message)
        #expect(structure.root.children.count == 3)
        #expect(message.split(separator: 0x0A).allSatisfy { $0.count <= 999 && $0.last == 0x0D })
        let names = message.withUnsafeBytes { buffer in
            HeaderFields(buffer, in: structure.root.headerRange).map { text(buffer[$0.name]) }
        }
        #expect(
            names == ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"])
        #expect(DeliveryStatusReport.parse(message)?.recipients.count == 1)
        #expect(message.allSatisfy { $0 < 0x80 })
    }

    @Test("The boundary is none that the returned message has in it")
    func boundary() throws {
        let first = Built(try notice([recipient()]))
        let boundary = try #require(first.structure.root.contentType.parameters.decoded("boundary"))
        let hostile = mail + bytes("--\(boundary)\r\nContent-Type: text/html\r\n\r\nx\r\n--\(boundary)--\r\n")
        let built = Built(try notice(original: hostile, [recipient()]))
        #expect(built.structure.root.contentType.parameters.decoded("boundary") != boundary)
        #expect(built.structure.root.children.count == 3 && built.decoded(2) == hostile)
        #expect(built.message == Built(try notice(original: hostile, [recipient()])).message)
    }

    @Test(
        "What the report holds is what is read from the message",
        arguments: [
            [("bob@b.test", DeliveryNotice.Outcome.failed, "550 5.1.1 no such user")],
            [
                ("a@b.test", .delayed(until: until), "450 4.2.2 " + String(repeating: "full ", count: 100)),
                ("\"a b\"@b.test", .relayed, "250 ok"), ("x@[192.0.2.1]", .delivered, nil),
                ("ü@b.test", .expanded, nil),
            ],
        ] as [[(String, DeliveryNotice.Outcome, String?)]])
    func roundTrip(recipients: [(String, DeliveryNotice.Outcome, String?)]) throws {
        let notice = try notice(
            envelopeID: "a  B+c;d",
            recipients.map { try recipient($0.0, $0.1, reply: $0.2, original: "x400;c=GB; a=(x)") })
        #expect(Built(notice).report == notice.report)
    }
}
