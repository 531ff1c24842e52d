/// What the machine wants sent.
public struct ACMERequest: Sendable, Hashable {
    public enum Method: Sendable, Hashable {
        case get
        case head
        /// To be signed; the body is the signature's.
        case post(JSONWebSignature)
    }
    public let method: Method
    /// `https://…`
    public let url: String
}

/// What came back, as far as it matters.
public struct ACMEResponse: Sendable, Hashable {
    public var status: Int
    /// `Location`: the URL of an account or order that was made.
    public var location: String?
    /// `Replay-Nonce`.
    public var nonce: String?
    /// `Retry-After`, from now on.
    public var retryAfter: Duration?
    public var body: [UInt8]

    /// Octets of the largest answer that is looked at. A chain of certificates has some ten thousand.
    public static let maximumBody = 1 << 20

    public init(
        status: Int, location: String? = nil, nonce: String? = nil, retryAfter: Duration? = nil, body: [UInt8] = []
    ) {
        self.status = status
        self.location = location
        self.nonce = nonce
        self.retryAfter = retryAfter
        self.body = body
    }
}

/// By which of its ways control over a name is proven.
public enum ACMEChallengeKind: String, Sendable, Hashable, CaseIterable {
    /// A file at port 80 (RFC 8555 §8.3).
    case http = "http-01"
    /// A certificate at port 443 (RFC 8737).
    case tlsALPN = "tls-alpn-01"
}

/// What has to be there when the authority looks.
public struct ACMEProof: Sendable, Hashable {
    public let kind: ACMEChallengeKind
    /// The domain.
    public let name: String
    /// The last part of the file's path for http-01: base64url, nothing else.
    public let token: String
    /// The file's content for http-01; its SHA-256 stands in the certificate for tls-alpn-01.
    public let keyAuthorization: String

    package init(kind: ACMEChallengeKind, name: String, token: String, keyAuthorization: String) {
        self.kind = kind
        self.name = name
        self.token = token
        self.keyAuthorization = keyAuthorization
    }
}
