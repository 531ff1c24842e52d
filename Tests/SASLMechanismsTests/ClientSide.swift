import Crypto
import Foundation
import MartletCore
import SASLMechanisms

/// What a SCRAM client computes, written apart from the server's arithmetic (RFC 5802 §3).
func scramProof(hash: SCRAMHash, password: String, salt: [UInt8], iterations: Int, message: [UInt8]) -> [UInt8] {
    let salted = hash.saltedPassword(Secret(password), salt: salt, iterations: iterations) ?? []
    func hmac(_ key: [UInt8], _ data: [UInt8]) -> [UInt8] {
        hash == .sha1
            ? Array(HMAC<Insecure.SHA1>.authenticationCode(for: data, using: SymmetricKey(data: key)))
            : Array(HMAC<SHA256>.authenticationCode(for: data, using: SymmetricKey(data: key)))
    }
    let clientKey = hmac(salted, Array("Client Key".utf8))
    let stored = hash == .sha1 ? Array(Insecure.SHA1.hash(data: clientKey)) : Array(SHA256.hash(data: clientKey))
    return zip(clientKey, hmac(stored, message)).map { $0 ^ $1 }
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
