package import MailStore
package import MartletCore
internal import NIOPosix
internal import SASLMechanisms
internal import Synchronization

/// Verifies passwords on threads of its own: argon2id takes 19 MiB and tens of milliseconds, so that no event loop may do it
/// and only few may run at once. Who comes when too many wait is told to try later.
package final class PasswordHasher: Sendable {
    /// argon2id computations at once: 2 × 19 MiB.
    static let threads = 2

    enum Verdict: Sendable, Hashable {
        case right(CredentialMark)
        case wrong
        case busy
        case failed(code: Int32)
    }

    private let pool: NIOThreadPool
    private let maximumWaiting: Int
    private let waiting = Atomic<Int>(0)

    init(maximumWaiting: Int) {
        self.maximumWaiting = maximumWaiting
        pool = NIOThreadPool(numberOfThreads: PasswordHasher.threads)
        pool.start()
    }

    deinit { pool.shutdownGracefully { _ in } }

    /// Whether `password` (prepared) is one of `credentials`. Without credentials, or when the password is unusable, the
    /// same work is done on a decoy, so that time does not tell who exists.
    func verify(_ password: Secret?, against credentials: [Credential]) async -> Verdict {
        let count = waiting.wrappingAdd(1, ordering: .relaxed).newValue
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        guard count <= maximumWaiting else { return .busy }
        let pool = self.pool
        return await withCheckedContinuation { continuation in
            pool.submit { state in
                guard case .active = state else { return continuation.resume(returning: .busy) }
                continuation.resume(returning: PasswordHasher.judge(password, credentials))
            }
        }
    }

    private static func judge(_ password: Secret?, _ credentials: [Credential]) -> Verdict {
        var effort = Effort()
        return judge(password, credentials, &effort)
    }

    /// How often the two functions that take time are called. The same for every login that is refused, whether there is no
    /// such account, one password or a dozen: else time would tell.
    package struct Effort: Sendable, Hashable {
        package var keyDerivations = 0
        package var verifications = 0

        package init(keyDerivations: Int = 0, verifications: Int = 0) {
            self.keyDerivations = keyDerivations
            self.verifications = verifications
        }
    }

    /// What `verify` costs.
    package static func effort(_ password: Secret?, against credentials: [Credential]) -> Effort {
        var effort = Effort()
        _ = judge(password, credentials, &effort)
        return effort
    }

    private static func judge(_ password: Secret?, _ credentials: [Credential], _ effort: inout Effort) -> Verdict {
        let candidates = candidates(password, credentials, &effort)
        guard let password, !candidates.isEmpty else {
            effort.verifications += 1
            _ = Argon2.verify(Secret("decoy"), encoded: decoy)
            return .wrong
        }
        var failure: Int32?
        for candidate in candidates {
            effort.verifications += 1
            switch Argon2.verify(password, encoded: candidate.argon2id) {
            case .right: return .right(CredentialMark(candidate))
            case .wrong: continue
            case .failed(let code): failure = code
            }
        }
        return failure.map { .failed(code: $0) } ?? .wrong
    }

    /// Which credentials argon2id is tried on. With several that share their SCRAM salt, one PBKDF2 tells which of them it
    /// can be: a dozen app passwords do not make a login a dozen times as dear. When it is none, one is tried all the same.
    /// Where there is nothing to tell apart the PBKDF2 is done too.
    private static func candidates(
        _ password: Secret?, _ credentials: [Credential], _ effort: inout Effort
    ) -> [Credential] {
        let model = credentials.first?.scramSHA256
        effort.keyDerivations += 1
        let keys = SCRAMHash.sha256.keys(
            password: password ?? Secret("decoy"), salt: model?.salt ?? decoySalt,
            iterations: model?.iterations ?? SCRAMParameters.iterations)
        guard credentials.count > 1, let model, let keys else { return credentials }
        let alike = credentials.filter {
            $0.scramSHA256.salt == model.salt && $0.scramSHA256.iterations == model.iterations
        }
        guard alike.count > 1 else { return credentials }
        let others = credentials.filter {
            $0.scramSHA256.salt != model.salt || $0.scramSHA256.iterations != model.iterations
        }
        let matching = alike.filter { isEqualInConstantTime($0.scramSHA256.storedKey, keys.storedKey) }
        return (matching.isEmpty ? [alike[0]] : matching) + others
    }

    private static let decoySalt = CredentialMaker.randomBytes(SCRAMParameters.saltSize)

    /// A hash of nothing that anybody knows, with the present parameters.
    private static let decoy: String =
        Argon2.hash(Secret(CredentialMaker.randomBytes(32)), salt: CredentialMaker.randomBytes(16)) ?? ""
}
