public import MailStore
public import MartletCore
internal import SASLMechanisms

/// Turns a password into what is kept of it. Blocks for argon2id and twice PBKDF2 (tens of milliseconds): not for an event loop.
public enum CredentialMaker {
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// Empty, not UTF-8, or with characters that SASLprep prohibits (RFC 4013 §2.3): a client could not send it.
        case unusablePassword
        case tooLong(limit: Int)
        /// argon2 got no memory.
        case outOfMemory

        public var description: String {
            switch self {
            case .unusablePassword: "the password is empty or contains control characters"
            case .tooLong(let limit): "the password is longer than \(limit) octets"
            case .outOfMemory: "there is not enough memory to hash the password"
            }
        }
    }

    /// Makes the credential.
    /// - Parameters:
    ///   - number: 0 for the account's own password, others for app passwords.
    ///   - label: what the owner calls the device; empty for the main password.
    ///   - existing: the account's other credentials. Their SCRAM salts are used again: SCRAM sends one salt before it knows
    ///     which of the passwords the client has, so that only credentials with a common salt can all be used with it.
    public static func make(
        password: Secret, number: Int64 = 0, label: String = "", now: Instant,
        sharingSaltsOf existing: [Credential] = []
    ) throws(Failure) -> Credential {
        guard password.exposed.count <= SASLLimits.password else { throw .tooLong(limit: SASLLimits.password) }
        guard let prepared = SASLprep.prepare(password.exposed).map({ Secret($0) }) else { throw .unusablePassword }
        let model = existing.first { $0.number == 0 } ?? existing.first
        guard let argon2id = Argon2.hash(prepared, salt: randomBytes(SCRAMParameters.saltSize)),
            let scramSHA256 = scramKeys(.sha256, prepared, model?.scramSHA256),
            let scramSHA1 = scramKeys(.sha1, prepared, model?.scramSHA1)
        else { throw .outOfMemory }
        return Credential(
            number: number, label: label, argon2id: argon2id, scramSHA256: scramSHA256, scramSHA1: scramSHA1,
            createdAt: now)
    }

    private static func scramKeys(_ hash: SCRAMHash, _ password: Secret, _ model: Credential.SCRAMKeys?) -> Credential
        .SCRAMKeys?
    {
        let salt = model?.salt ?? randomBytes(SCRAMParameters.saltSize)
        let iterations = model?.iterations ?? SCRAMParameters.iterations
        guard let keys = hash.keys(password: password, salt: salt, iterations: iterations) else { return nil }
        return Credential.SCRAMKeys(
            salt: salt, iterations: iterations, storedKey: keys.storedKey, serverKey: keys.serverKey)
    }

    /// A password for one device: five groups of four letters and digits that look unlike each other, 99 bits.
    public static func generateAppPassword() -> Secret {
        var generator = SystemRandomNumberGenerator()
        return generateAppPassword(using: &generator)
    }

    static func generateAppPassword(using generator: inout some RandomNumberGenerator) -> Secret {
        var text: [UInt8] = []
        for place in 0..<20 {
            if place > 0, place % 4 == 0 { text.append(UInt8(ascii: "-")) }
            text.append(appPasswordAlphabet[Int.random(in: 0..<appPasswordAlphabet.count, using: &generator)])
        }
        return Secret(text)
    }

    /// Without `0 o 1 l i`: 31 characters, 4.95 bits each, 99 bits in all.
    static let appPasswordAlphabet = Array("abcdefghjkmnpqrstuvwxyz23456789".utf8)

    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
