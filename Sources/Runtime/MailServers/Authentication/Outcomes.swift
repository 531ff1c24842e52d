public import MartletCore
public import MailStore
public import Records

/// Somebody who has proved who they are.
public struct AuthenticatedAccount: Sendable, Hashable {
    public var id: AccountID
    public var address: EmailAddress
    /// The name as it was given at login, for logs and records.
    public var login: String
    /// 0 for the account's own password, otherwise an app password.
    public var credentialNumber: Int64 { credential.number }
    /// What was proved, and as of which generation of the account's credentials it is known to hold: for
    /// `Authenticator.stillHolds`.
    var credential: CredentialMark
    var generation: Int64

    init(id: AccountID, address: EmailAddress, login: String, credential: CredentialMark, generation: Int64) {
        self.id = id
        self.address = address
        self.login = login
        self.credential = credential
        self.generation = generation
    }
}

/// One password of an account as long as it is not replaced: its number, and what tells it from a later one with this number.
struct CredentialMark: Sendable, Hashable {
    var number: Int64
    /// Of the salted hash; by this process's own seed.
    private var hash: Int

    init(_ credential: Credential) {
        number = credential.number
        var hasher = Hasher()
        hasher.combine(credential.argon2id)
        hash = hasher.finalize()
    }
}

/// Why a login failed: what the protocol answers, and what the record says.
public struct LoginFailure: Error, Sendable, Hashable {
    /// For the protocol's own code. SMTP (RFC 4954 §6): 535 5.7.8, 525 5.7.13, 501 5.5.2, 501 5.7.0, 504 5.5.4, 538 5.7.11,
    /// 454 4.7.0. IMAP (RFC 5530): AUTHENTICATIONFAILED, CONTACTADMIN, -, -, -, PRIVACYREQUIRED, UNAVAILABLE.
    /// POP3 (RFC 3206): AUTH, AUTH, -, -, -, -, SYS/TEMP. Its raw value is a metric's label.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Unknown login, wrong password, or not allowed to act as the one named. Never told apart for the peer.
        case wrongCredentials = "wrong_credentials"
        /// The password was right and the account is suspended.
        case suspended
        /// The client's message breaks the mechanism's grammar.
        case malformed
        /// The client sent `*`.
        case cancelled
        /// No such mechanism here.
        case unknownMechanism = "unknown_mechanism"
        /// The mechanism exists, and needs TLS first.
        case encryptionRequired = "encryption_required"
        /// Too many logins wait, or the directory does not answer: try again later.
        case unavailable
    }

    public var kind: Kind
    /// For the record and the log, never for the peer.
    public var reason: String
    /// Short, for the peer; without code and enhanced status.
    public var publicText: String
    /// The record that was written for it; nil where none was.
    public var code: LookupCode?

    /// Whether the same attempt may succeed later (4yz).
    public var isTemporary: Bool { kind == .unavailable }
    /// Whether this counts against the peer as a guess.
    public var isGuess: Bool { kind == .wrongCredentials || kind == .suspended }

    init(_ kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
        publicText =
            switch kind {
            case .wrongCredentials: "Authentication failed"
            case .suspended: "Account disabled; ask the postmaster"
            case .malformed: "Malformed authentication data"
            case .cancelled: "Authentication cancelled"
            case .unknownMechanism: "Unknown authentication mechanism"
            case .encryptionRequired: "Encryption is required for this mechanism"
            case .unavailable: "Temporary authentication failure, try again later"
            }
    }
}

/// What the protocol does next in an AUTH or AUTHENTICATE exchange.
public enum SASLOutcome: Sendable, Hashable {
    /// Send these bytes in the protocol's base64 framing and give the client's decoded answer to `respond`.
    case challenge([UInt8])
    case success(AuthenticatedAccount)
    case failure(LoginFailure)
}

/// The end of a login with user name and password.
public enum LoginOutcome: Sendable, Hashable {
    case success(AuthenticatedAccount)
    case failure(LoginFailure)
}

/// Who tries to log in, and over what.
public struct LoginPeer: Sendable, Hashable {
    /// Numeric, without port: `connection.peerAddress`.
    public var address: String
    public var isLoopback: Bool
    /// nil while the connection is plain.
    public var tls: TLSParameters?
    /// `connection.channelBinding`: `tls-server-end-point` (RFC 5929 §4).
    public var channelBinding: [UInt8]?
    /// `submission`, `imaps`, `pop3` …, for the record.
    public var service: String

    public init(address: String, isLoopback: Bool, tls: TLSParameters?, channelBinding: [UInt8]?, service: String) {
        self.address = address
        self.isLoopback = isLoopback
        self.tls = tls
        self.channelBinding = channelBinding
        self.service = service
    }
}
