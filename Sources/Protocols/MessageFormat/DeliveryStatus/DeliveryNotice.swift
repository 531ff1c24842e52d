internal import MartletBytes
public import MartletCore

/// What a sender is told about their message: that it failed, is delayed, or has arrived (RFC 3461 §6, RFC 3464, RFC
/// 6522).
///
/// `build` makes the message of it: words for a person, a report for programs, the message or its header. Whether a
/// sender is told at all (NOTIFY, the empty sender) is the caller's decision. Pure: date, Message-ID and lookup code
/// are given.
public struct DeliveryNotice: Sendable {
    /// RET of MAIL (RFC 3461 §4.3).
    public enum Returned: Sendable, Hashable {
        /// The whole message, when it is a failure that is told of and the message is small enough; else its header.
        case full
        case headers
    }

    /// What became of a recipient.
    public enum Outcome: Sendable, Hashable {
        case failed
        /// - Parameter until: after it the next failure is the last one.
        case delayed(until: Instant)
        /// Handed to a server that does not report success.
        case relayed
        case delivered
        /// Went on from an address of ours to those behind it.
        case expanded
    }

    public struct Recipient: Sendable, Hashable {
        /// As it was in RCPT when this server took the message (RFC 3464 §2.3.2).
        public var address: EmailAddress
        /// ORCPT as given, decoded from xtext: `rfc822;anna@a.test`.
        public var originalRecipient: String?
        /// Where an alias sent the message, when its sender may know.
        public var forwardedTo: EmailAddress?
        public var outcome: Outcome
        /// nil: what the reply says, or x.0.0 (RFC 3461 §6.3 (g)).
        public var status: EnhancedStatus?
        /// The server that was spoken to; nil where none was reached.
        public var remoteHost: String?
        /// Its answer as one line (`550 5.1.1 no such user`), or what kept it from answering.
        public var reply: String?
        public var lastAttempt: Instant?

        public init(
            address: EmailAddress, originalRecipient: String? = nil, forwardedTo: EmailAddress? = nil, outcome: Outcome,
            status: EnhancedStatus? = nil, remoteHost: String? = nil, reply: String? = nil, lastAttempt: Instant? = nil
        ) {
            self.address = address
            self.originalRecipient = originalRecipient
            self.forwardedTo = forwardedTo
            self.outcome = outcome
            self.status = status
            self.remoteHost = remoteHost
            self.reply = reply
            self.lastAttempt = lastAttempt
        }
    }

    /// The message that it is about. Nothing is returned when there are no octets of it, since it cannot be read any more.
    public struct Original: Sendable, Hashable {
        /// From its beginning; no more than `maximumReturnedMessage` + 1 octets are of use.
        public var bytes: [UInt8]
        /// Octets of the whole message.
        public var size: Int
        public init(bytes: [UInt8], size: Int) {
            self.bytes = bytes
            self.size = size
        }
    }

    /// The notice as a message.
    public struct Message: Sendable, Hashable {
        public var bytes: [UInt8]
        /// The sender's address is not ASCII, and so is `To`.
        public var needsSMTPUTF8: Bool
        /// The returned message has octets above 127.
        public var needs8BitMIME: Bool
    }

    /// Octets of a message that is returned whole; of larger ones the header is.
    public static let maximumReturnedMessage = 65_536
    /// Octets of a header that is returned; what is behind is left out.
    public static let maximumReturnedHeader = 32_768
    /// Recipients that the words name; the report names all.
    public static let maximumNamedRecipients = 100
    /// Blocks of recipients with one reason that the words explain.
    static let maximumExplanations = 20

    /// Our name in the DNS.
    public var reportingHost: String
    /// Who the notice is from: `MAILER-DAEMON@host`.
    public var from: EmailAddress
    /// Who reads mail about problems: `postmaster@host`. Named in the words.
    public var contact: EmailAddress
    /// The sender of the message: whom the notice goes to, in `To` as in RCPT. MAIL is `<>` (RFC 3461 §6.1).
    public var sender: EmailAddress
    /// Of the message's record; `martlet explain` knows it.
    public var lookupCode: String
    /// ENVID of MAIL, decoded from xtext.
    public var envelopeID: String?
    /// Who sent us the message: name in EHLO and numeric address; nil when that is nobody's business.
    public var receivedFrom: (name: String, address: String?)?
    public var arrival: Instant
    public var original: Original
    public var returned: Returned
    /// At least one.
    public var recipients: [Recipient]

    public init(
        reportingHost: String, from: EmailAddress, contact: EmailAddress, sender: EmailAddress, lookupCode: String,
        envelopeID: String? = nil, receivedFrom: (name: String, address: String?)? = nil, arrival: Instant,
        original: Original, returned: Returned, recipients: [Recipient]
    ) {
        precondition(!recipients.isEmpty, "a notice is about somebody")
        self.reportingHost = reportingHost
        self.from = from
        self.contact = contact
        self.sender = sender
        self.lookupCode = lookupCode
        self.envelopeID = envelopeID
        self.receivedFrom = receivedFrom
        self.arrival = arrival
        self.original = original
        self.returned = returned
        self.recipients = recipients
    }

    /// Whether it tells of a failure, and so may bring the message back whole (RFC 3461 §6.2).
    public var hasFailure: Bool { recipients.contains { $0.outcome == .failed } }

    /// The message: ASCII lines of at most 998 octets that end in CRLF, but for `To` with an address beyond ASCII and
    /// for a returned message that is 8-bit itself. O(size of what is returned + recipients).
    /// - Parameters:
    ///   - messageID: with its angle brackets; unique.
    ///   - date: when the notice is made.
    public func build(messageID: String, date: MailDate) -> Message {
        let machine = Part.machine(report)
        let content = Part.returned(original, whole: returned == .full && hasFailure)
        let words = Part.words(words(at: date.instant, returned: content))
        let parts = [words, machine] + (content.map { [$0] } ?? [])
        let boundary = Part.boundary(for: parts, seed: messageID)

        var header = FieldWriter()
        header.add("Date", date.description)
        header.add("From", "Mail Delivery System <\(from)>")
        header.add("To", "<\(sender)>")
        header.add("Subject", EncodedWord.encode(subject, indent: 9))
        header.addUnfolded("Message-ID", PeerText.ascii(messageID))
        if let original = originalMessageID {
            header.addUnfolded("In-Reply-To", original)
            header.addUnfolded("References", original)
        }
        // RFC 3834 §5: nobody answers this by a program.
        header.add("Auto-Submitted", "auto-replied")
        header.add("MIME-Version", "1.0")
        // The same for message/global-delivery-status, which readers treat as its equal (RFC 6533 §4.4).
        header.add("Content-Type", "multipart/report; report-type=delivery-status; boundary=\"\(boundary)\"")
        if content?.encoding == .eightBit { header.add("Content-Transfer-Encoding", "8bit") }
        header.endBlock()

        var bytes = header.bytes
        bytes += Array("This is a notice about the delivery of a message, in the MIME format.\r\n".utf8)
        for part in parts {
            bytes += Array("\r\n--\(boundary)\r\n".utf8)
            part.append(to: &bytes)
        }
        bytes += Array("\r\n--\(boundary)--\r\n".utf8)
        return Message(
            bytes: bytes, needsSMTPUTF8: sender.needsSMTPUTF8 || from.needsSMTPUTF8,
            needs8BitMIME: content?.encoding == .eightBit)
    }

    /// The Message-ID of the message that it is about, when there is one that can be written again.
    private var originalMessageID: String? {
        let bytes = original.bytes.prefix(Self.maximumReturnedHeader)
        guard let identifier = HeaderScan.scan(Array(bytes)).messageID, identifier.utf8.count <= 250,
            identifier.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        return identifier
    }
}
