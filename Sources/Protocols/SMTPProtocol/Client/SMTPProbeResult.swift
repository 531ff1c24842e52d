public import MartletCore

/// What a server said when it was asked whether it takes a recipient, with nothing sent (`SMTPClientSession.probe`).
public struct SMTPProbeResult: Sendable, Hashable {
    /// To MAIL FROM:<>; nil when it was not come to.
    public var senderReply: SMTPReply?
    /// To RCPT; nil when it was not come to.
    public var recipientReply: SMTPReply?
    /// The address needs SMTPUTF8, which the server has not (RFC 6531 §3.2): it was not asked.
    public var needsSMTPUTF8 = false
    /// What ended the session before it was done, and where.
    public var failure: SMTPSessionFailure?
    /// Lines of both sides.
    public var transcript: [String] = []

    public init() {}
}
