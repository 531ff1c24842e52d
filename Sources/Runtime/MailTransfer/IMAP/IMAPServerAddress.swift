public import MartletCore

/// Another IMAP server, and how to log in there.
public struct IMAPServerAddress: Sendable {
    public enum Security: String, Sendable, Hashable, CaseIterable {
        /// TLS from the first octet: port 993.
        case tls
        /// Plain, then STARTTLS, without which nothing is sent: port 143.
        case starttls
        /// No TLS: everybody on the way can read password and mail.
        case plain = "none"

        public var defaultPort: Int { self == .tls ? 993 : 143 }
    }

    public var host: String
    public var port: Int
    public var security: Security
    /// PEM file of certificates that are trusted instead of the system's.
    public var trustedCertificates: String?
    /// The certificate is not verified.
    public var isInsecure: Bool
    public var user: String
    public var password: Secret

    public init(
        host: String, port: Int, security: Security, trustedCertificates: String? = nil, isInsecure: Bool = false,
        user: String, password: Secret
    ) {
        self.host = host
        self.port = port
        self.security = security
        self.trustedCertificates = trustedCertificates
        self.isInsecure = isInsecure
        self.user = user
        self.password = password
    }
}
