/// How a client session behaves; the same for every transaction of a connection.
public struct SMTPClientOptions: Sendable, Hashable {
    public enum Dialect: Sendable, Hashable {
        case smtp
        /// RFC 2033: LHLO, and an answer for each recipient behind the content.
        case lmtp
    }

    /// What becomes of STARTTLS (RFC 3207).
    public enum TLSUse: Sendable, Hashable {
        /// Not asked for: TLS is there already, or not wanted.
        case none
        /// When it is offered; goes on in clear when it is not, or when the server refuses the command.
        case whenOffered
        /// Nothing is sent without it.
        case required
    }

    public var dialect: Dialect
    /// What EHLO says: a host name, or an address literal in brackets.
    public var localName: String
    public var tls: TLSUse
    public var timeouts: SMTPClientTimeouts
    public var limits: SMTPClientLimits

    public init(
        dialect: Dialect = .smtp, localName: String, tls: TLSUse = .whenOffered,
        timeouts: SMTPClientTimeouts = SMTPClientTimeouts(), limits: SMTPClientLimits = SMTPClientLimits()
    ) {
        self.dialect = dialect
        self.localName = localName
        self.tls = tls
        self.timeouts = timeouts
        self.limits = limits
    }
}

/// How long each answer is waited for (RFC 5321 §4.5.3.2).
public struct SMTPClientTimeouts: Sendable, Hashable {
    /// §4.5.3.2.1.
    public var greeting = Duration.seconds(300)
    /// EHLO, HELO, STARTTLS, RSET: the RFC gives none; that of MAIL is taken.
    public var command = Duration.seconds(300)
    /// The handshake of TLS.
    public var handshake = Duration.seconds(60)
    /// §4.5.3.2.2.
    public var mail = Duration.seconds(300)
    /// §4.5.3.2.3.
    public var recipient = Duration.seconds(300)
    /// §4.5.3.2.4: the 354 behind DATA.
    public var data = Duration.seconds(120)
    /// §4.5.3.2.5: until the transport has taken a piece of content, or a chunk that is not the last is answered.
    public var contentPiece = Duration.seconds(180)
    /// §4.5.3.2.6: the answer to the whole message.
    public var endOfContent = Duration.seconds(600)
    /// The answer to QUIT, which changes nothing any more.
    public var quit = Duration.seconds(5)

    public init() {}

    /// The same for everything.
    public init(all duration: Duration) {
        greeting = duration
        command = duration
        handshake = duration
        mail = duration
        recipient = duration
        data = duration
        contentPiece = duration
        endOfContent = duration
        quit = duration
    }
}

/// The bounds of what a server may say, and of what is kept of it.
public struct SMTPClientLimits: Sendable, Hashable {
    /// Octets of one reply with all its lines: beyond it the reply is not waited for any longer (`ReplyError.tooLong`).
    public var maximumReply = 262_144
    /// Octets of a line that are kept. RFC 5321 §4.5.3.1.5 allows a line 512; the rest of a longer one is passed over.
    public var maximumKeptLine = 1_024
    /// Lines of a reply that are kept: the first ones, and the last.
    public var maximumKeptLines = 128
    /// Lines of a transcript: the first half of them, and the last.
    public var maximumTranscriptLines = 200
    /// Octets of a message up to which it goes with BDAT where that is offered: it saves waiting for 354, and for the replies
    /// to RCPT where commands may be pipelined (RFC 3030 §2, RFC 2920). More is not sent before a recipient is known to be taken.
    public var maximumEarlyContent = 65_536

    public init() {}
}
