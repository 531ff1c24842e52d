import ACMEProtocol
import Crypto
import Foundation
import Testing

@Suite("Signing for ACME") struct SigningTests {
    /// RFC 7515 §A.3.1
    private static let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
    private static let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

    private func key() throws -> JSONWebKey {
        let x = try #require(Base64URL.decode(SigningTests.x))
        let y = try #require(Base64URL.decode(SigningTests.y))
        return try #require(JSONWebKey(uncompressedPoint: [4] + x + y))
    }

    @Test("the vector of RFC 7515 §A.3: header and payload give its signing input, and its signature is good for it")
    func vector() throws {
        // The vector's payload ends its lines in CR LF.
        let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
        let signature = JSONWebSignature(protectedHeader: "{\"alg\":\"ES256\"}", payload: payload)
        #expect(
            String(decoding: signature.signingInput, as: UTF8.self)
                == "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        )
        let raw = try #require(
            Base64URL.decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
        let key = try key()
        let publicKey = try P256.Signing.PublicKey(x963Representation: [4] + key.x + key.y)
        #expect(publicKey.isValidSignature(try .init(rawRepresentation: raw), for: signature.signingInput))
        #expect(
            signature.json(signature: raw).hasSuffix(
                "\"signature\":\"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q\"}"
            ))
    }

    @Test("the thumbprint of RFC 7638 §3.1")
    func thumbprint() {
        let json =
            "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}"
        #expect(JSONWebKey.thumbprint(ofCanonicalJSON: json) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    }

    @Test("an elliptic key in its canonical form: required members, in order, no spaces")
    func canonical() throws {
        #expect(
            try key().canonicalJSON
                == "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"\(SigningTests.x)\",\"y\":\"\(SigningTests.y)\"}")
        #expect(JSONWebKey(uncompressedPoint: [UInt8](repeating: 2, count: 65)) == nil)
        #expect(JSONWebKey(uncompressedPoint: [UInt8](repeating: 4, count: 64)) == nil)
    }

    @Test("the header names the key or the account, the nonce and the URL, with what needs it escaped")
    func header() throws {
        let byAccount = JSONWebSignature(
            signer: .account(url: "https://a.test/acct/\"1\""), nonce: "n-1", url: "https://a.test/order", payload: "")
        #expect(
            Base64URL.decode(byAccount.header).map { String(decoding: $0, as: UTF8.self) }
                == "{\"alg\":\"ES256\",\"kid\":\"https://a.test/acct/\\\"1\\\"\",\"nonce\":\"n-1\",\"url\":\"https://a.test/order\"}"
        )
        #expect(byAccount.payload == "")
        let byKey = JSONWebSignature(signer: .key(try key()), nonce: "n", url: "https://a.test", payload: "{}")
        let text = Base64URL.decode(byKey.header).map { String(decoding: $0, as: UTF8.self) } ?? ""
        #expect(text.contains("\"jwk\":{\"crv\":\"P-256\"") && !text.contains("kid"))
    }

    @Test("an external account's binding is the new key, signed by what was given out")
    func externalAccount() throws {
        let mac: [UInt8] = Array("a secret of the authority's customer".utf8)
        let json = JSONWebSignature.externalAccountBinding(
            ACMEExternalAccount(identifier: "kid-1", macKey: mac), key: try key(), url: "https://a.test/new-account")
        struct Flat: Decodable {
            var protected: String
            var payload: String
            var signature: String
        }
        let flat = try (JSONDecoder().decode(Flat.self, from: Data(json.utf8)))
        #expect(
            Base64URL.decode(flat.protected).map { String(decoding: $0, as: UTF8.self) }
                == "{\"alg\":\"HS256\",\"kid\":\"kid-1\",\"url\":\"https://a.test/new-account\"}")
        #expect(try Base64URL.decode(flat.payload) == Array(key().canonicalJSON.utf8))
        let code = try #require(Base64URL.decode(flat.signature))
        #expect(
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: Array("\(flat.protected).\(flat.payload)".utf8), using: SymmetricKey(data: mac)))
    }

    @Test("base64url there and back, at every length, and nothing else", arguments: 0..<40)
    func base64URL(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 250) }
        let text = Base64URL.encode(bytes)
        #expect(Base64URL.decode(text) == bytes)
        #expect(!text.contains { "+/=".contains($0) })
        for wrong in ["=", "+", "/", " ", "é"] { #expect(Base64URL.decode(text + wrong) == nil) }
    }
}
