/// The SASL mechanisms (RFC 4422) that the server speaks, by their registered names, strongest first.
public enum SASLMechanism: String, Sendable, Hashable, CaseIterable {
    case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA1Plus = "SCRAM-SHA-1-PLUS"
    case scramSHA1 = "SCRAM-SHA-1"
    case plain = "PLAIN"
    /// Obsolete and undocumented but for draft-murchison-sasl-login; old clients know nothing else.
    case login = "LOGIN"

    /// Reads a name in any case (RFC 4422 §3.1 has names in capitals; clients are lax).
    public init?(name: some StringProtocol) {
        self.init(rawValue: name.uppercased())
    }

    /// Whether the password itself goes over the wire: such mechanisms want TLS below them.
    public var sendsPassword: Bool { self == .plain || self == .login }

    /// Whether the exchange is bound to the TLS channel (RFC 5802 §6).
    public var bindsChannel: Bool { self == .scramSHA256Plus || self == .scramSHA1Plus }

    /// The hash of a SCRAM mechanism; nil for the plain ones.
    public var hash: SCRAMHash? {
        switch self {
        case .scramSHA256, .scramSHA256Plus: .sha256
        case .scramSHA1, .scramSHA1Plus: .sha1
        case .plain, .login: nil
        }
    }
}
