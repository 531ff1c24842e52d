public import MartletCore

/// What one address of a route answered when it was asked, without sending. Filled by whoever connects.
///
/// Steps that were not come to are nil.
public struct RouteProbe: Sendable, Hashable {
    public enum Certificate: Sendable, Hashable {
        /// It is trusted and has the host's name.
        case valid
        /// Why not, continuing "the certificate".
        case invalid(String)
        case notChecked
    }

    public enum TLS: Sendable, Hashable {
        case established(TLSParameters, Certificate)
        /// EHLO did not offer it.
        case notOffered
        /// Why the handshake or the command failed.
        case failed(String)
    }

    /// The host's name in the route; nil for an address literal. Two hosts may share an address, and are asked one by one: each has a
    /// certificate to show.
    public var host: Domain?
    public var address: IPAddress
    public var port: UInt16
    /// Why the conversation ended before it was done: `connection refused`, `closed the connection after EHLO`.
    public var problem: String?
    /// Until the greeting, or until it failed.
    public var timeToGreeting: Duration?
    /// As one line: `220 mx.example.test ESMTP`.
    public var greeting: String?
    public var tls: TLS?
    /// Keywords with their parameters, of the last EHLO.
    public var extensions: [String]
    /// The reply to MAIL FROM, as one line, where it was not positive.
    public var senderReply: String?
    /// The reply to RCPT TO.
    public var recipientReply: SMTPReply?

    public init(
        host: Domain?, address: IPAddress, port: UInt16 = 25, problem: String? = nil, timeToGreeting: Duration? = nil,
        greeting: String? = nil, tls: TLS? = nil, extensions: [String] = [], senderReply: String? = nil,
        recipientReply: SMTPReply? = nil
    ) {
        self.host = host
        self.address = address
        self.port = port
        self.problem = problem
        self.timeToGreeting = timeToGreeting
        self.greeting = greeting
        self.tls = tls
        self.extensions = extensions
        self.senderReply = senderReply
        self.recipientReply = recipientReply
    }
}
