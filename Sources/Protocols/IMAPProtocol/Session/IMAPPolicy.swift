/// What the server's configuration allows on a connection; it decides capabilities and admission.
public struct IMAPPolicy: Sendable, Equatable {
    /// STARTTLS can be done here: a certificate stands ready.
    public var offersStartTLS: Bool
    /// Passwords in the clear are taken without TLS: the lab's loopback rule only.
    public var allowsPlaintextWithoutTLS: Bool
    /// SASL mechanisms in the order of preference, in capitals.
    public var mechanisms: [String]
    /// Octets of the largest message (RFC 7889).
    public var appendLimit: UInt64?
    /// Failed logins on one connection before it is closed.
    public var maximumAuthenticationFailures: Int

    public init(
        offersStartTLS: Bool = true, allowsPlaintextWithoutTLS: Bool = false,
        mechanisms: [String] = ["PLAIN", "LOGIN"],
        appendLimit: UInt64? = nil, maximumAuthenticationFailures: Int = 3
    ) {
        self.offersStartTLS = offersStartTLS
        self.allowsPlaintextWithoutTLS = allowsPlaintextWithoutTLS
        self.mechanisms = mechanisms
        self.appendLimit = appendLimit
        self.maximumAuthenticationFailures = maximumAuthenticationFailures
    }
}

/// Extensions that change what the server sends once the client has asked for them (RFC 5161).
public struct EnabledExtensions: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let condStore = EnabledExtensions(rawValue: 1)
    public static let imap4rev2 = EnabledExtensions(rawValue: 2)
    public static let utf8Accept = EnabledExtensions(rawValue: 4)
}
