internal import Crypto

/// The public half of an account's key: a point of P-256 (RFC 7517, RFC 7518 §6.2).
public struct JSONWebKey: Sendable, Hashable {
    /// 32 octets each, big-endian.
    public let x: [UInt8]
    public let y: [UInt8]

    /// From an uncompressed point: 4, x, y; 65 octets (SEC 1 §2.3.3). nil when it is none.
    public init?(uncompressedPoint bytes: [UInt8]) {
        guard bytes.count == 65, bytes[0] == 4 else { return nil }
        x = Array(bytes[1..<33])
        y = Array(bytes[33...])
    }

    /// The required members alone, in the order of their names, without spaces (RFC 7638 §3).
    public var canonicalJSON: String {
        JSONText.object([
            ("crv", JSONText.string("P-256")), ("kty", JSONText.string("EC")),
            ("x", JSONText.string(Base64URL.encode(x))), ("y", JSONText.string(Base64URL.encode(y))),
        ])
    }

    /// SHA-256 of the canonical form, in base64url: what a key authorization ends in (RFC 8555 §8.1).
    public var thumbprint: String { JSONWebKey.thumbprint(ofCanonicalJSON: canonicalJSON) }

    package static func thumbprint(ofCanonicalJSON json: String) -> String {
        Base64URL.encode(Array(SHA256.hash(data: Array(json.utf8))))
    }
}
