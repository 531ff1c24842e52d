internal import CArgon2
internal import MartletCore

/// argon2id by libargon2 (RFC 9106). Blocks its thread for tens of milliseconds: see `PasswordHasher`.
enum Argon2 {
    /// What new hashes are made with: OWASP's 19 MiB, 2 passes, 1 lane. Old hashes carry their own.
    static let memoryKiB: UInt32 = 19 * 1024
    static let passes: UInt32 = 2
    static let lanes: UInt32 = 1
    static let hashSize = 32
    /// Octets of the longest encoded form that is verified.
    static let maximumEncoded = 512

    /// The encoded form, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`; nil when memory is short.
    static func hash(_ password: Secret, salt: [UInt8]) -> String? {
        var encoded = [CChar](repeating: 0, count: maximumEncoded)
        let status = argon2id_hash_encoded(
            passes, memoryKiB, lanes, password.exposed, password.exposed.count, salt, salt.count, hashSize, &encoded,
            encoded.count)
        guard status == ARGON2_OK.rawValue else { return nil }
        return String(decoding: encoded.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    enum Verdict: Sendable, Hashable {
        case right
        case wrong
        /// Memory is short, or the stored form is unreadable.
        case failed(code: Int32)
    }

    static func verify(_ password: Secret, encoded: String) -> Verdict {
        guard encoded.utf8.count <= maximumEncoded else { return .failed(code: ARGON2_DECODING_LENGTH_FAIL.rawValue) }
        let status = argon2id_verify(encoded, password.exposed, password.exposed.count)
        switch status {
        case ARGON2_OK.rawValue: return .right
        case ARGON2_VERIFY_MISMATCH.rawValue: return .wrong
        default: return .failed(code: status)
        }
    }
}
