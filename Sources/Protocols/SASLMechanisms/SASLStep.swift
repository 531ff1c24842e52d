public import MartletCore

/// What the driver of an exchange does next.
public enum SASLStep: Sendable, Hashable {
    /// Send these bytes (base64 is the protocol's business) and give the answer to `respond`.
    case challenge([UInt8])
    /// Look up the SCRAM keys of this login name and give them to `provide`; none when nobody is called so.
    case needCredentials(login: String, authorizationID: String)
    /// Check the password; the exchange is over. `authorizationID` is empty when the client named none.
    case verifyPassword(login: String, authorizationID: String, Secret)
    /// The client proved that it knows the password of credential `credentialNumber`; the exchange is over.
    case succeeded(login: String, authorizationID: String, credentialNumber: Int64)
    /// The exchange is over.
    case failed(SASLFailure)
}

/// Why an exchange failed. For the record, not for the peer.
public enum SASLFailure: Error, Sendable, Hashable {
    /// The bytes are not what the mechanism's grammar allows; `rule` names what was expected.
    case malformed(rule: String)
    /// Name, password or message is longer than `SASLLimits` allow.
    case tooLong
    /// The client gave up.
    case cancelled
    /// The proof does not fit any key of the account, or there is no such account.
    case wrongProof
    /// A `-PLUS` mechanism without channel binding data, or the reverse (RFC 5802 §6).
    case channelBindingRequired
    /// A binding other than `tls-server-end-point`.
    case channelBindingUnsupported(String)
    /// The client's binding data differ from ours: somebody stands between.
    case channelBindingMismatch
    /// The client believes that we do not bind channels although we offered it: somebody took it out of the list (RFC 5802 §6).
    case downgrade
    /// A mandatory extension (`m=`) that we do not know (RFC 5802 §5.1).
    case extensionUnsupported

    /// One sentence in plain words.
    public var summary: String {
        switch self {
        case .malformed(let rule): "the client's message is malformed: expected \(rule)"
        case .tooLong: "the client's message is longer than the limit"
        case .cancelled: "the client cancelled the exchange"
        case .wrongProof: "unknown login or wrong password"
        case .channelBindingRequired: "the mechanism and the channel binding flag do not go together"
        case .channelBindingUnsupported(let name): "the channel binding type \(name) is not supported"
        case .channelBindingMismatch: "the client saw another TLS certificate than ours"
        case .downgrade: "somebody removed the -PLUS mechanisms from our list on the way to the client"
        case .extensionUnsupported: "the client demands a SCRAM extension that is not supported"
        }
    }
}

/// Bounds of what a client may send.
public enum SASLLimits {
    /// Octets of one decoded message. RFC 4954 §4 gives 12,288 for the encoded line.
    public static let message = 9_216
    /// Octets of a login name or an authorization identity. An address has at most 318.
    public static let name = 1_024
    /// Octets of a password.
    public static let password = 1_024
    /// Octets of a SCRAM nonce.
    public static let nonce = 1_024
}

/// A user's SCRAM keys (RFC 5802 §3): nothing here gives the password.
public struct SCRAMCredential: Sendable, Hashable {
    /// Which of the account's credentials this is.
    public var number: Int64
    public var salt: [UInt8]
    public var iterations: Int
    public var storedKey: [UInt8]
    public var serverKey: [UInt8]

    public init(number: Int64, salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]) {
        self.number = number
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}

/// What an exchange needs from outside: a pure machine has neither randomness nor a channel.
public struct SASLContext: Sendable {
    /// At least 18 random octets as printable ASCII without comma (RFC 5802 §5.1 `printable`).
    public var serverNonce: [UInt8]
    /// `tls-server-end-point` data of this connection (RFC 5929 §4.1); nil without TLS.
    public var channelBinding: [UInt8]?
    /// Whether `-PLUS` mechanisms stood in the list that this client was given.
    public var offeredChannelBinding: Bool
    /// Keys the salts of people who do not exist, so that asking twice gives the same one. The same for the server's life.
    public var decoySecret: Secret
    /// The iteration count of decoys: what real credentials have.
    public var decoyIterations: Int

    public init(
        serverNonce: [UInt8], channelBinding: [UInt8]?, offeredChannelBinding: Bool, decoySecret: Secret,
        decoyIterations: Int
    ) {
        self.serverNonce = serverNonce
        self.channelBinding = channelBinding
        self.offeredChannelBinding = offeredChannelBinding
        self.decoySecret = decoySecret
        self.decoyIterations = decoyIterations
    }
}
