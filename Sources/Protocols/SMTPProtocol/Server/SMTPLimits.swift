/// The bounds of an SMTP session. Each has the reply that going over it gets.
public struct SMTPLimits: Sendable, Hashable {
    /// Octets of a command line with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512, extensions for more: 500 5.5.2.
    public var maximumCommandLine = 2_048
    /// Octets of a line in an AUTH exchange (RFC 4954 §4): 500 5.5.6.
    public var maximumAuthenticationLine = 12_288
    /// Octets of a message (RFC 1870): 552 5.3.4.
    public var maximumMessageSize = 50_000_000
    /// Recipients of one transaction, told as RCPTMAX (RFC 9422 §4.2): 452 4.5.3.
    public var maximumRecipients = 1_000
    /// Transactions of one session, told as MAILMAX (RFC 9422 §4.1): 421 4.7.0.
    public var maximumTransactions = 1_000
    /// Commands that are refused, since the last message that was taken: 421 4.7.0.
    public var maximumErrors = 20
    /// Parameters of MAIL or RCPT: 555 5.5.4.
    public var maximumParameters = 16

    /// Recipients that are refused in one session, so that nobody tries names for ever: 421 4.7.0.
    public var maximumRefusedRecipients = 100
    /// Recipients beyond `maximumRecipients` that are told so in one session: 421 4.7.0.
    public var maximumExcessRecipients = 10_000
    /// NOOP, RSET, VRFY, HELP, HELO, EHLO and LHLO since the last message: 421 4.7.0.
    public var maximumIdleCommands = 1_000
    /// Octets of a line that is too long which are passed over to find its end: 500 5.5.2 and the end.
    public var maximumSkippedBytes = 1 << 20
    /// Octets of one line of a message: 554 5.6.0. RFC 5321 §4.5.3.1.6 asks for 1,000; real mail has longer ones.
    public var maximumTextLine = 65_536
    /// Octets behind the largest message that are thrown away while its end is awaited: 552 5.3.4 and the end.
    public var maximumDiscardedBytes = 268_435_456

    public init() {}
}
