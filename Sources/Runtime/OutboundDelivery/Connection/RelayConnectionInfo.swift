public import MartletCore
public import NetworkTransport
public import SMTPProtocol

/// What is known of a connection that stands.
public struct RelayConnectionInfo: Sendable, Hashable {
    /// Our own end, numeric.
    public var localAddress: String?
    public var capabilities: ServerCapabilities
    /// nil when it is in clear.
    public var tls: TLSParameters?
    /// What the certificate was worth; nil when it is in clear.
    public var certificate: CertificateCheck?
    /// The reply that refused STARTTLS, when the connection went on in clear for that.
    public var startTLSRefusal: SMTPReply?
    /// Transactions that were begun.
    public var transactions: Int
    /// The server's first words, as one line.
    public var greeting: String?
    /// From the beginning of the connection on.
    public var timeToGreeting: Duration?

    /// The first reply of a transcript, its lines joined.
    static func greeting(in transcript: [String]) -> String? {
        let lines = transcript.drop { !$0.hasPrefix("< ") }.prefix { $0.hasPrefix("< ") }
        guard let first = lines.first else { return nil }
        let others = lines.dropFirst().map { $0.dropFirst(6) }
        return ([first.dropFirst(2)] + others).joined(separator: " ")
    }
}
