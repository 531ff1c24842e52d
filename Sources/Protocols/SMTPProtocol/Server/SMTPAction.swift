public import MartletCore

/// What the driver does next. Values only: no promise, no channel.
public enum SMTPAction: Sendable, Hashable {
    /// All input is used up, or a decision is awaited: read more, or decide.
    case needMore
    case reply(SMTPReply)
    /// Send, then close.
    case replyAndClose(SMTPReply)
    /// A command or its arguments were refused for their form, counted already. Send; worth a log line, not a record.
    case refuse(SMTPReply)
    /// A sender or recipient was refused by the protocol alone, counted already. Record it; send with the record's code.
    case refuseEnvelope(SMTPReply, EnvelopeRefusal)
    /// Send 220, put TLS below, then call `tlsEstablished`. Input behind the command is dropped already.
    case startTLS(SMTPReply)
    /// Run the exchange; then call `authenticationChallenged` or `authenticationEnded`.
    case authenticate(mechanism: String, initialResponse: [UInt8]?)
    /// The client's answer to a challenge, decoded; nil when it cancelled with `*`.
    case authenticationResponse([UInt8]?)
    /// Decide on the sender, then call `senderDecided`.
    case sender(ReversePath, MailParameters)
    /// Decide on the recipient, then call `recipientDecided`.
    case recipient(ForwardPath, RecipientParameters)
    /// A message begins: open the spool.
    case beginMessage
    /// Bytes of the message. Dots are out.
    case content([UInt8])
    /// The message is whole: store it, then call `messageDecided`.
    case endMessage
    /// The message is whole and must be refused: record it, throw the spool away, then call `messageDecided` with this reply.
    case refuseMessage(SMTPReply, reason: MessageRefusal)
    /// RSET, EHLO or a new connection state ended a transaction whose message had begun: throw the spool away.
    case abandonMessage
}

/// Why MAIL or RCPT cannot be, whoever asks, and whom it named.
public struct EnvelopeRefusal: Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
        case authenticationRequired
        case declaredTooLarge(Int, limit: Int)
        /// The first one of a transaction; the others get a reply only.
        case tooManyRecipients(limit: Int)
        /// 8-bit without SMTPUTF8 (RFC 6531 §3.5).
        case needsSMTPUTF8
        /// An address or a parameter that is not to be understood: 501, 553, 555.
        case malformed
    }

    public var reason: Reason
    /// The reverse path that was refused, or that of the transaction whose recipient was: without brackets, as written where it
    /// is no address. nil where there is none.
    public var sender: String?
    /// The recipient that was refused, in the same manner; nil for MAIL.
    public var recipient: String?

    public init(_ reason: Reason, sender: String? = nil, recipient: String? = nil) {
        self.reason = reason
        self.sender = sender
        self.recipient = recipient
    }
}

/// What makes a message impossible to take, whatever it says.
public enum MessageRefusal: Sendable, Hashable {
    case tooLarge(limit: Int)
    case bareCarriageReturn
    case bareLineFeed
    case nul
    case lineTooLong(limit: Int)
}
