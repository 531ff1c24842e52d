public import MartletCore

/// One message for recipients behind one server: what MAIL and RCPT say.
public struct SMTPClientTransaction: Sendable, Hashable {
    public struct Recipient: Sendable, Hashable {
        public var address: EmailAddress
        /// nil: nothing is said, the server does what is usual.
        public var notify: NotifyConditions?
        /// `rfc822;user@example.test`, not in xtext (RFC 3461 §4.2). Left out where it is no such text.
        public var originalRecipient: String?

        public init(_ address: EmailAddress, notify: NotifyConditions? = nil, originalRecipient: String? = nil) {
            self.address = address
            self.notify = notify
            self.originalRecipient = originalRecipient
        }
    }

    public var reversePath: ReversePath
    /// At least one; the results come in this order.
    public var recipients: [Recipient]
    /// Octets of the content.
    public var size: Int
    public var body: BodyType
    /// The message cannot be without SMTPUTF8, whatever its addresses are: its header is not ASCII (RFC 6531 §3.2).
    public var needsSMTPUTF8: Bool
    /// ENVID, not in xtext (RFC 3461 §4.4).
    public var envelopeID: String?
    public var returnContent: ReturnContent?

    public init(
        reversePath: ReversePath, recipients: [Recipient], size: Int, body: BodyType = .sevenBit,
        needsSMTPUTF8: Bool = false, envelopeID: String? = nil, returnContent: ReturnContent? = nil
    ) {
        self.reversePath = reversePath
        self.recipients = recipients
        self.size = size
        self.body = body
        self.needsSMTPUTF8 = needsSMTPUTF8
        self.envelopeID = envelopeID
        self.returnContent = returnContent
    }

    /// No recipient can be reached without SMTPUTF8.
    var wholeNeedsSMTPUTF8: Bool {
        if needsSMTPUTF8 { return true }
        if case .address(let address) = reversePath { return address.needsSMTPUTF8 }
        return false
    }

    var usesSMTPUTF8: Bool { wholeNeedsSMTPUTF8 || recipients.contains { $0.address.needsSMTPUTF8 } }

    // MARK: Commands

    /// MAIL with the parameters that `offered` lets it have (RFC 5321 §4.1.1.2).
    package func mailCommand(_ offered: ServerCapabilities) -> String {
        var command = "MAIL FROM:<\(reversePath.text)>"
        if offered.size { command += " SIZE=\(size)" }
        switch body {
        case .sevenBit: break
        case .eightBitMIME: command += " BODY=8BITMIME"
        case .binaryMIME: command += " BODY=BINARYMIME"
        }
        if usesSMTPUTF8, offered.smtpUTF8 { command += " SMTPUTF8" }
        guard offered.dsn else { return command }
        if let returnContent { command += " RET=\(returnContent.rawValue)" }
        if let envelopeID, !envelopeID.isEmpty {
            let text = DSNText.xtext(envelopeID.utf8)
            if text.utf8.count <= DSNText.maximumEnvelopeID { command += " ENVID=\(text)" }
        }
        return command
    }

    /// RCPT for recipient `index`.
    /// - Parameter saidSMTPUTF8: MAIL had SMTPUTF8.
    package func recipientCommand(_ index: Int, _ offered: ServerCapabilities, saidSMTPUTF8: Bool) -> String {
        let recipient = recipients[index]
        var command = "RCPT TO:<\(recipient.address)>"
        guard offered.dsn else { return command }
        if let notify = recipient.notify {
            var words: [String] = []
            if notify.contains(.success) { words.append("SUCCESS") }
            if notify.contains(.failure) { words.append("FAILURE") }
            if notify.contains(.delay) { words.append("DELAY") }
            command += " NOTIFY=" + (words.isEmpty ? "NEVER" : words.joined(separator: ","))
        }
        if let original = recipient.originalRecipient,
            let text = DSNText.originalRecipient(original, allowsUTF8: saidSMTPUTF8)
        {
            command += " ORCPT=\(text)"
        }
        return command
    }
}

extension ServerCapabilities {
    /// Whether a body of this kind can go as it is.
    func takes(_ body: BodyType) -> Bool {
        switch body {
        case .sevenBit: true
        case .eightBitMIME: eightBitMIME
        case .binaryMIME: binaryMIME && chunking
        }
    }
}
