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
}
