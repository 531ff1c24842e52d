internal import Crypto
internal import CryptoExtras
public import MartletCore

/// The hash function of a SCRAM mechanism, and RFC 5802 §3's arithmetic with it.
public enum SCRAMHash: Sendable, Hashable, CaseIterable {
    case sha1
    case sha256

    /// Octets of a digest.
    public var size: Int { self == .sha1 ? 20 : 32 }

    /// H()
    func digest(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sha1: Array(Insecure.SHA1.hash(data: bytes))
        case .sha256: Array(SHA256.hash(data: bytes))
        }
    }

    /// HMAC(key, bytes)
    func authenticate(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        let key = SymmetricKey(data: key)
        switch self {
        case .sha1: return Array(HMAC<Insecure.SHA1>.authenticationCode(for: bytes, using: key))
        case .sha256: return Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
        }
    }

    /// Hi(): PBKDF2. Costs `iterations` × 2 hashes: some milliseconds for 10,000. nil when the parameters are out of range.
    public func saltedPassword(_ password: Secret, salt: [UInt8], iterations: Int) -> [UInt8]? {
        guard iterations > 0, !salt.isEmpty else { return nil }
        // RFC 5802 needs what the peer's and the store's parameters say, also where a fresh design would take more rounds.
        let key = try? KDF.Insecure.PBKDF2.deriveKey(
            from: password.exposed, salt: salt, using: self == .sha1 ? .insecureSHA1 : .sha256, outputByteCount: size,
            unsafeUncheckedRounds: iterations)
        return key?.withUnsafeBytes { Array($0) }
    }

    /// What the server keeps of a password (RFC 5802 §3): StoredKey and ServerKey. The password must have gone through
    /// `SASLprep` before. nil when the parameters are out of range.
    public func keys(password: Secret, salt: [UInt8], iterations: Int) -> (storedKey: [UInt8], serverKey: [UInt8])? {
        guard let salted = saltedPassword(password, salt: salt, iterations: iterations) else { return nil }
        let clientKey = authenticate(Array("Client Key".utf8), key: salted)
        return (digest(clientKey), authenticate(Array("Server Key".utf8), key: salted))
    }

    /// RFC 5802 §3: whether `proof` was made with the key behind `storedKey` over `message`. Takes the same time for all of
    /// a length.
    func proves(_ proof: [UInt8], storedKey: [UInt8], message: [UInt8]) -> Bool {
        guard proof.count == size, storedKey.count == size else { return false }
        let signature = authenticate(message, key: storedKey)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        return isEqualInConstantTime(digest(clientKey), storedKey)
    }
}

/// Compares without telling by its time where the difference lies.
public func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (a, b) in zip(left, right) { difference |= a ^ b }
    return difference == 0
}
