import MartletCore
import Testing

import SMTPProtocol

@Suite struct ClientDSNParameterTests {
    static func commands(_ transaction: SMTPClientTransaction, _ offered: [String]) -> (mail: String, rcpt: String) {
        let capabilities = ServerCapabilities(reply: SMTPReply(250, lines: ["a"] + offered))
        let saidSMTPUTF8 = transaction.mailCommand(capabilities).contains(" SMTPUTF8")
        return (
            transaction.mailCommand(capabilities),
            transaction.recipientCommand(0, capabilities, saidSMTPUTF8: saidSMTPUTF8)
        )
    }

    @Test("Parameters go only where DSN is offered")
    func offered() {
        var transaction = SMTPClientTransaction.to()
        transaction.envelopeID = "a+b=c d\u{1}"
        transaction.returnContent = .headers
        transaction.recipients[0].notify = [.success, .failure]
        transaction.recipients[0].originalRecipient = "rfc822;Anna+x@example.com"
        let with = Self.commands(transaction, ["DSN"])
        #expect(with.mail == "MAIL FROM:<ben@example.net> RET=HDRS ENVID=a+2Bb+3Dc+20d+01")
        #expect(with.rcpt == "RCPT TO:<anna@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Anna+2Bx@example.com")
        let without = Self.commands(transaction, [])
        #expect(without.mail == "MAIL FROM:<ben@example.net>")
        #expect(without.rcpt == "RCPT TO:<anna@example.com>")
    }

    @Test(
        "NOTIFY",
        arguments: [([], " NOTIFY=NEVER"), ([.delay], " NOTIFY=DELAY"), (nil, "")]
            as [(NotifyConditions?, String)])
    func notify(notify: NotifyConditions?, text: String) {
        var transaction = SMTPClientTransaction.to()
        transaction.recipients[0].notify = notify
        #expect(Self.commands(transaction, ["DSN"]).rcpt == "RCPT TO:<anna@example.com>" + text)
    }

    @Test(
        "What is no original recipient, or too long, is left out",
        arguments: [
            "anna@example.com", ";x", "rfc822;", "a b;x", "rfc822\r\nDATA;x",
            "rfc822;" + String(repeating: "x", count: 500),
        ])
    func leftOut(original: String) {
        var transaction = SMTPClientTransaction.to()
        transaction.recipients[0].originalRecipient = original
        transaction.envelopeID = String(repeating: "x", count: 101)
        let commands = Self.commands(transaction, ["DSN"])
        #expect(commands.rcpt == "RCPT TO:<anna@example.com>")
        #expect(commands.mail == "MAIL FROM:<ben@example.net>")
    }

    @Test("Nothing that is passed on can end a command's line")
    func injection() {
        var transaction = SMTPClientTransaction.to()
        transaction.envelopeID = "a\r\nRCPT TO:<x@example.org>"
        transaction.recipients[0].originalRecipient = "rfc822;a\r\nDATA\u{85}"
        let commands = Self.commands(transaction, ["DSN"])
        for text in [commands.mail, commands.rcpt] {
            #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        }
        #expect(commands.rcpt.hasSuffix("ORCPT=rfc822;a+0D+0ADATA+C2+85"))
    }

    @Test("Original recipients beyond ASCII (RFC 6533 §3)")
    func utf8() {
        var transaction = SMTPClientTransaction.to(["änne@example.com"])
        transaction.recipients[0].originalRecipient = "utf-8;änne+x\\y z@example.com"
        #expect(
            Self.commands(transaction, ["DSN"]).rcpt.hasSuffix(
                " ORCPT=utf-8;\\x{E4}nne\\x{2B}x\\x{5C}y\\x{20}z@example.com"))
        #expect(
            Self.commands(transaction, ["DSN", "SMTPUTF8"]).rcpt.hasSuffix(
                " ORCPT=utf-8;änne\\x{2B}x\\x{5C}y\\x{20}z@example.com"))
        transaction.recipients[0].originalRecipient = "utf-8;a\u{1}"
        #expect(Self.commands(transaction, ["DSN"]).rcpt.hasSuffix(" ORCPT=utf-8;a\\x{01}"))
    }
}
