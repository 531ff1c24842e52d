public import SMTPProtocol

/// Where a connection goes, and how it has to be. Connections to equal targets do for each other.
public struct RelayTarget: Sendable, Hashable {
    /// What becomes of TLS (RFC 3207, RFC 7435).
    public enum TLSPolicy: String, Sendable, Hashable, CaseIterable {
        case none
        /// When it is offered, whatever certificate is shown.
        case opportunistic
        /// Nothing is sent without it; whatever certificate is shown.
        case required
        /// Nothing is sent without a certificate that was issued by somebody who is trusted, for `serverName`.
        case requiredVerified
    }

    /// Numeric.
    public var address: String
    public var port: Int
    /// For SNI and for the certificate: the MX host, or the domain where that is what has to be proven.
    public var serverName: String?
    public var tls: TLSPolicy
    /// What EHLO says.
    public var localName: String
    /// Numeric, the address to connect from; nil: the system's choice.
    public var localAddress: String?
    public var dialect: SMTPClientOptions.Dialect

    public init(
        address: String, port: Int = 25, serverName: String?, tls: TLSPolicy = .opportunistic, localName: String,
        localAddress: String? = nil, dialect: SMTPClientOptions.Dialect = .smtp
    ) {
        self.address = address
        self.port = port
        self.serverName = serverName
        self.tls = tls
        self.localName = localName
        self.localAddress = localAddress
        self.dialect = dialect
    }
}
