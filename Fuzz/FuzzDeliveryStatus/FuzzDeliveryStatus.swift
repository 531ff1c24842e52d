import FuzzSupport
import MartletCore
import MessageFormat

/// Delivery status notifications: reports of other servers are read, written and read again; notices are built of
/// whatever peers say. The first octet chooses what the rest is: a report's fields, a message, or the texts of a
/// notice, one a line.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDeliveryStatus(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    var limits = DeliveryStatusReport.Limits.default
    if modes & 4 != 0 {
        limits.maximumRecipients = 2
        limits.maximumFields = 7
        limits.maximumExtensionFields = 1
        limits.maximumValueBytes = 20
        limits.maximumBytes = 200
        limits.maximumCandidates = 2
    }
    switch modes & 3 {
    case 0: check(DeliveryStatusReport.parseFields(input.rest, limits: limits), limits)
    case 1: if let report = DeliveryStatusReport.parse(input.rest, limits: limits) { check(report, limits) }
    default: checkNotice(input.rest, modes)
    }
    return 0
}

func check(_ report: DeliveryStatusReport, _ limits: DeliveryStatusReport.Limits) {
    require(report.recipients.count <= limits.maximumRecipients, "recipients are bounded")
    require(report.extensionFields.count <= limits.maximumExtensionFields, "fields are bounded")
    for recipient in report.recipients {
        require(recipient.extensionFields.count <= limits.maximumExtensionFields, "fields are bounded")
        // windows-1252 in UTF-8 is three times as long at most.
        require(recipient.finalRecipient.value.utf8.count <= 3 * limits.maximumValueBytes, "values are bounded")
        require(!recipient.finalRecipient.value.isEmpty, "a recipient has an address")
        _ = recipient.finalRecipient.emailAddress
    }
    for form in [DeliveryStatusReport.Form.ascii, .utf8] {
        let encoded = report.encode(as: form)
        checkLines(encoded)
        if form == .ascii { require(encoded.allSatisfy { $0 < 0x80 }, "the ASCII form is ASCII") }
        let again = DeliveryStatusReport.parseFields(encoded)
        require(again.recipients.count == report.recipients.count, "recipients come back")
        for (one, other) in zip(again.recipients, report.recipients) {
            require(one.action == other.action && one.status == other.status, "what was done comes back")
        }
        // What was written once is written the same again.
        require(again.encode(as: form) == encoded || report != again, "one report has one form")
        let third = DeliveryStatusReport.parseFields(again.encode(as: form))
        require(third.recipients.count == again.recipients.count, "recipients stay")
    }
}

func checkLines(_ bytes: [UInt8]) {
    var length = 0
    var previous: UInt8 = 0
    for byte in bytes {
        require((byte == 0x0A) == (previous == 0x0D), "lines end in CRLF")
        require(byte >= 0x20 || byte == 0x0A || byte == 0x0D, "there are no controls")
        length = byte == 0x0A ? 0 : length + 1
        require(length <= 999, "RFC 5322 §2.1.1")
        previous = byte
    }
    require(bytes.isEmpty || previous == 0x0A, "the last line ends")
}

/// Lines of the input: host, code, envelope, recipient, ORCPT, remote host, reply; the rest is the message.
func checkNotice(_ bytes: [UInt8], _ modes: UInt8) {
    let parts = bytes.split(separator: 0x0A, maxSplits: 7, omittingEmptySubsequences: false).map { Array($0) }
    func text(_ index: Int) -> String { index < parts.count ? String(decoding: parts[index], as: UTF8.self) : "" }
    let original = parts.count > 7 ? parts[7] : []
    guard let ours = EmailAddress("MAILER-DAEMON@mx.test"), let other = EmailAddress("x@y.test") else { return }
    let address = EmailAddress(text(3)) ?? other
    let now = Instant(seconds: 1_795_600_800)
    let outcome: DeliveryNotice.Outcome =
        switch modes >> 3 & 3 {
        case 0: .failed
        case 1: .delayed(until: now + .seconds(3_600 * Int64(modes)))
        case 2: .relayed
        default: .expanded
        }
    let recipients = [
        DeliveryNotice.Recipient(
            address: address, originalRecipient: text(4), forwardedTo: modes & 32 != 0 ? other : nil, outcome: outcome,
            remoteHost: text(5), reply: text(6), lastAttempt: now),
        DeliveryNotice.Recipient(address: other, outcome: .failed, reply: text(6) + text(5)),
    ]
    let notice = DeliveryNotice(
        reportingHost: text(0), from: ours, contact: ours, sender: address, lookupCode: text(1), envelopeID: text(2),
        receivedFrom: (text(0), text(1)), arrival: now, original: .init(bytes: original, size: original.count),
        returned: modes & 64 != 0 ? .headers : .full, recipients: recipients)
    let message = notice.build(messageID: "<\(text(1))@mx>", date: MailDate(instant: now + .seconds(86_400)))
    let built = message.bytes
    var previous: UInt8 = 0
    var length = 0
    for byte in built {
        require((byte == 0x0A) == (previous == 0x0D), "lines end in CRLF")
        length = byte == 0x0A ? 0 : length + 1
        require(length <= 999, "RFC 5322 §2.1.1")
        require(byte != 0, "there is no NUL")
        require(byte < 0x80 || message.needs8BitMIME || message.needsSMTPUTF8, "what it needs is told")
        previous = byte
    }
    let structure = MessageStructure.parse(built)
    require(structure.root.children.count == (original.isEmpty ? 2 : 3), "nothing adds a part or ends one")
    let types = structure.root.children.map { "\($0.contentType.type)/\($0.contentType.subtype)" }
    require(types[0] == "text/plain" && types[1].hasSuffix("delivery-status"), "parts are in their order")
    guard let report = DeliveryStatusReport.parse(built) else { broken("the report is found") }
    require(report.recipients.map(\.action) == notice.report.recipients.map(\.action), "what was done is told")
    require(report.recipients.map(\.status) == notice.report.recipients.map(\.status), "codes are told")
    require(report.recipients[0].finalRecipient.emailAddress == address, "the address comes back")
    let names = built.withUnsafeBytes { buffer in
        HeaderFields(buffer, in: structure.root.headerRange).map { String(decoding: buffer[$0.name], as: UTF8.self) }
    }
    let known: Set = [
        "Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding",
    ]
    require(Set(names).count == names.count && known.isSuperset(of: names), "nothing adds a field")
    guard !original.isEmpty else { return }
    let returned = structure.root.children[2]
    if types[2] == "message/rfc822" || types[2] == "message/global" {
        let content = built[returned.bodyRange].withUnsafeBytes {
            ContentTransferEncoding(returned.encoding).decode($0)
        }
        // A header without the empty line takes the boundary's line end for it.
        require(
            content == original || content == original + [0x0D, 0x0A] || original == [0x0D, 0x0A],
            "the message comes back octet by octet")
    }
}

@_cdecl("FuzzDeliveryStatus_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzDeliveryStatus($0, $1) }
}
