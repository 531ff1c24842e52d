internal import Crypto

/// A signed request in the flattened form (RFC 7515 §7.2.2, RFC 8555 §6.2): what is to be signed, and the body once it is.
///
/// The signature itself is made by whoever has the key: ES256, r and s in 32 octets each (RFC 7518 §3.4).
public struct JSONWebSignature: Sendable, Hashable {
    /// Who signs.
    public enum Signer: Sendable, Hashable {
        /// An account that the authority need not know yet: the key itself stands in the header.
        case key(JSONWebKey)
        /// An account by its URL.
        case account(url: String)
    }

    /// Base64url of the protected header.
    package let header: String
    /// Base64url of the payload; empty for POST-as-GET (RFC 8555 §6.3).
    package let payload: String

    /// - Parameters:
    ///   - nonce: the one that the authority gave last (RFC 8555 §6.5).
    ///   - url: where the request goes, which is signed too (§6.4).
    ///   - payload: JSON; empty for POST-as-GET.
    public init(signer: Signer, nonce: String, url: String, payload: String) {
        var members = [("alg", JSONText.string("ES256"))]
        switch signer {
        case .key(let key): members.append(("jwk", key.canonicalJSON))
        case .account(let account): members.append(("kid", JSONText.string(account)))
        }
        members += [("nonce", JSONText.string(nonce)), ("url", JSONText.string(url))]
        self.init(protectedHeader: JSONText.object(members), payload: payload)
    }

    package init(protectedHeader: String, payload: String) {
        header = Base64URL.encode(Array(protectedHeader.utf8))
        self.payload = Base64URL.encode(Array(payload.utf8))
    }

    /// The octets to sign (RFC 7515 §5.1).
    public var signingInput: [UInt8] { Array("\(header).\(payload)".utf8) }

    /// The request's body.
    public func body(signature: [UInt8]) -> [UInt8] { Array(json(signature: signature).utf8) }

    package func json(signature: [UInt8]) -> String {
        JSONText.object([
            ("protected", JSONText.string(header)), ("payload", JSONText.string(payload)),
            ("signature", JSONText.string(Base64URL.encode(signature))),
        ])
    }

    /// The account that somebody has with the authority already, bound to the new one (RFC 8555 §7.3.4): the new key, signed
    /// with HMAC-SHA-256 by the key that was given out.
    package static func externalAccountBinding(
        _ account: ACMEExternalAccount, key: JSONWebKey, url: String
    ) -> String {
        let header = JSONText.object([
            ("alg", JSONText.string("HS256")), ("kid", JSONText.string(account.identifier)),
            ("url", JSONText.string(url)),
        ])
        let signature = JSONWebSignature(protectedHeader: header, payload: key.canonicalJSON)
        let code = HMAC<SHA256>.authenticationCode(
            for: signature.signingInput, using: SymmetricKey(data: account.macKey))
        return signature.json(signature: Array(code))
    }
}

/// What an authority gave out to its customer: the binding of an ACME account to an account of its own (RFC 8555 §7.3.4).
public struct ACMEExternalAccount: Sendable, Hashable {
    public var identifier: String
    public var macKey: [UInt8]

    public init(identifier: String, macKey: [UInt8]) {
        self.identifier = identifier
        self.macKey = macKey
    }
}
