internal import MartletBytes
public import MartletCore

/// A command line of SMTP or LMTP, understood (RFC 5321 §4.1.1).
public enum SMTPCommand: Sendable, Hashable {
    case helo(String)
    case ehlo(String)
    case lhlo(String)
    case mail(ReversePath, MailParameters)
    /// `isEightBit`: the path was not ASCII as written, domain included (RFC 6531 §3.3).
    case rcpt(ForwardPath, RecipientParameters, isEightBit: Bool)
    case data
    case bdat(size: Int, isLast: Bool)
    case rset
    case noop
    case vrfy
    case expn
    case help
    case quit
    case startTLS
    case auth(mechanism: String, initialResponse: [UInt8]?)
}

/// Who a message is from (RFC 5321 §4.1.2).
public enum ReversePath: Sendable, Hashable {
    /// `<>`: a bounce or a notice.
    case null
    case address(EmailAddress)

    /// Without brackets; empty for the null path.
    public var text: String {
        switch self {
        case .null: ""
        case .address(let address): address.description
        }
    }
}

/// Who a message is for. `<Postmaster>` may stand without a domain (RFC 5321 §4.1.1.3).
public enum ForwardPath: Sendable, Hashable {
    case postmaster
    case address(EmailAddress)

    /// Without brackets.
    public var text: String {
        switch self {
        case .postmaster: "postmaster"
        case .address(let address): address.description
        }
    }
}

/// Parameters of MAIL: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030) and SMTPUTF8 (RFC 6531).
public struct MailParameters: Sendable, Hashable {
    /// Octets as declared (RFC 1870 §6).
    public var size: Int?
    public var body = BodyType.sevenBit
    public var usesSMTPUTF8 = false
    /// ENVID (RFC 3461 §4.4), decoded from xtext.
    public var envelopeID: String?
    /// RET (RFC 3461 §4.3).
    public var returnContent: ReturnContent?

    public init(size: Int? = nil, body: BodyType = .sevenBit, usesSMTPUTF8: Bool = false) {
        self.size = size
        self.body = body
        self.usesSMTPUTF8 = usesSMTPUTF8
    }
}

/// Parameters of RCPT that are announced (RFC 3461 §4.1, §4.2).
public struct RecipientParameters: Sendable, Hashable {
    /// nil when nothing was said.
    public var notify: NotifyConditions?
    /// ORCPT, decoded: `rfc822;user@example.test`.
    public var originalRecipient: String?
    public init(notify: NotifyConditions? = nil, originalRecipient: String? = nil) {
        self.notify = notify
        self.originalRecipient = originalRecipient
    }
}

/// Why a command line was not understood, with the reply that it gets.
public struct SMTPSyntaxError: Error, Sendable, Hashable {
    public var reply: SMTPReply
    /// What follows cannot be told from commands: the body of another protocol's request, or the octets of a BDAT whose size
    /// was not understood (RFC 3030 §2). Ends the session.
    public var losesFraming = false
    /// What MAIL or RCPT named, as written between its brackets, or behind the command where there are none; nil for others.
    public var path: Path?

    public enum Path: Sendable, Hashable {
        case sender(String)
        case recipient(String)
    }

    init(_ code: UInt16, _ enhanced: EnhancedStatus, _ text: String) { reply = SMTPReply(code, enhanced, text) }

    /// 501 5.5.4.
    static func arguments(_ text: String) -> SMTPSyntaxError { SMTPSyntaxError(501, EnhancedStatus(5, 5, 4), text) }
}
