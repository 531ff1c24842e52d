public import MartletCore

/// The machine's part of a delivery status notification (RFC 3464 §2.1): what became of a message, recipient by
/// recipient. Written by `DeliveryNotice`, read by `parse`.
public struct DeliveryStatusReport: Sendable, Hashable {
    /// What was done (RFC 3464 §2.3.3).
    public enum Action: String, Sendable, Hashable, CaseIterable {
        /// Given up.
        case failed
        /// Is tried further.
        case delayed
        /// In the mailbox.
        case delivered
        /// Handed to a server that does not report success.
        case relayed
        /// Delivered to an address that several others stand behind.
        case expanded
    }

    /// A value with its type: `rfc822; anna@a.test`, `dns; mx.a.test`, `smtp; 550 no` (RFC 3464 §2.1.2).
    public struct TypedValue: Sendable, Hashable {
        /// Lower case; `unknown` where none stood.
        public var type: String
        /// As it stands, comments included, spaces at both ends left out.
        public var value: String
        public init(type: String, value: String) {
            self.type = type
            self.value = value
        }
    }

    /// A field that RFC 3464 does not name.
    public struct ExtensionField: Sendable, Hashable {
        public var name: String
        public var value: String
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What became of one recipient (RFC 3464 §2.3).
    public struct Recipient: Sendable, Hashable {
        /// ORCPT of RCPT (RFC 3461 §4.2).
        public var originalRecipient: TypedValue?
        /// As it was when the reporting server took the message. Where the field is missing, the original recipient.
        public var finalRecipient: TypedValue
        /// nil where there is none that RFC 3464 knows.
        public var action: Action?
        /// nil where there is none that can be read.
        public var status: EnhancedStatus?
        public var remoteMTA: TypedValue?
        /// What was said on the wire: `smtp; 550 5.1.1 no such user`.
        public var diagnosticCode: TypedValue?
        public var lastAttemptDate: MailDate?
        public var finalLogID: String?
        /// For `delayed` only.
        public var willRetryUntil: MailDate?
        public var extensionFields: [ExtensionField]

        public init(
            originalRecipient: TypedValue? = nil, finalRecipient: TypedValue, action: Action?, status: EnhancedStatus?,
            remoteMTA: TypedValue? = nil, diagnosticCode: TypedValue? = nil, lastAttemptDate: MailDate? = nil,
            finalLogID: String? = nil, willRetryUntil: MailDate? = nil, extensionFields: [ExtensionField] = []
        ) {
            self.originalRecipient = originalRecipient
            self.finalRecipient = finalRecipient
            self.action = action
            self.status = status
            self.remoteMTA = remoteMTA
            self.diagnosticCode = diagnosticCode
            self.lastAttemptDate = lastAttemptDate
            self.finalLogID = finalLogID
            self.willRetryUntil = willRetryUntil
            self.extensionFields = extensionFields
        }
    }

    /// ENVID of MAIL (RFC 3461 §4.4); spelling and case are the sender's.
    public var originalEnvelopeID: String?
    /// nil where the field is missing, against RFC 3464 §2.2.2.
    public var reportingMTA: TypedValue?
    public var dsnGateway: TypedValue?
    public var receivedFromMTA: TypedValue?
    public var arrivalDate: MailDate?
    public var extensionFields: [ExtensionField]
    public var recipients: [Recipient]

    public init(
        originalEnvelopeID: String? = nil, reportingMTA: TypedValue?, dsnGateway: TypedValue? = nil,
        receivedFromMTA: TypedValue? = nil, arrivalDate: MailDate? = nil, extensionFields: [ExtensionField] = [],
        recipients: [Recipient]
    ) {
        self.originalEnvelopeID = originalEnvelopeID
        self.reportingMTA = reportingMTA
        self.dsnGateway = dsnGateway
        self.receivedFromMTA = receivedFromMTA
        self.arrivalDate = arrivalDate
        self.extensionFields = extensionFields
        self.recipients = recipients
    }
}

extension DeliveryStatusReport.TypedValue {
    /// The address, of the types `rfc822`, `utf-8` (RFC 6533 §3) and those that say nothing; nil when it is none.
    /// Angle brackets and a comment behind the address are common, and left out.
    public var emailAddress: EmailAddress? {
        switch type {
        case "rfc822", "unknown": Self.address(in: value)
        case "utf-8": Self.address(in: UTF8Address.decode(value) ?? value)
        default: nil
        }
    }

    private static func address(in value: String) -> EmailAddress? {
        if let address = EmailAddress(value) { return address }
        let mailboxes = AddressList.parse(Array(value.utf8)).entries
        guard mailboxes.count == 1, case .mailbox(_, _, let local, let domain)? = mailboxes.first,
            let host = EmailAddress("x@\(Charset.decodeUnlabelled(domain))")?.host
        else { return nil }
        return EmailAddress(localPart: Charset.decodeUnlabelled(local), host: host)
    }
}
