internal import MartletCore

/// The server's side of one SASL exchange (RFC 4422 §3), whatever the mechanism. Pure: what it needs from outside it asks
/// for in a `SASLStep`.
///
/// `start`, then `respond` for each answer of the client, and `provide` after `.needCredentials`. A step other than
/// `.challenge` and `.needCredentials` ends the exchange; a call after the end gives `.failed`.
public struct SASLServerSession: ~Copyable {
    private enum State {
        case fresh
        case plain
        case loginName
        case loginPassword(name: String)
        case scram(SCRAMServerExchange)
        case over
    }

    public let mechanism: SASLMechanism
    private var state = State.fresh
    private let context: SASLContext

    public init(mechanism: SASLMechanism, context: SASLContext) {
        self.mechanism = mechanism
        self.context = context
    }

    /// Begins. `initialResponse` is nil when the client sent none, empty when it sent an empty one (`=` on the wire).
    public mutating func start(initialResponse: [UInt8]?) -> SASLStep {
        guard case .fresh = state else { return fail(.malformed(rule: "one start")) }
        switch mechanism {
        case .plain: state = .plain
        case .login: state = .loginName
        case .scramSHA1, .scramSHA1Plus, .scramSHA256, .scramSHA256Plus:
            state = .scram(
                SCRAMServerExchange(hash: mechanism.hash ?? .sha256, isPlus: mechanism.bindsChannel, context: context))
        }
        if let initialResponse { return respond(initialResponse) }
        return .challenge(mechanism == .login ? SASLServerSession.userNamePrompt : [])
    }

    /// Takes the client's answer to the last challenge.
    public mutating func respond(_ bytes: [UInt8]) -> SASLStep {
        guard bytes.count <= SASLLimits.message else { return fail(.tooLong) }
        switch state {
        case .fresh, .over:
            return fail(.malformed(rule: "an exchange in progress"))
        case .plain:
            state = .over
            return plain(bytes)
        case .loginName:
            guard bytes.count <= SASLLimits.name else { return fail(.tooLong) }
            guard let name = SASLText.string(bytes), !name.isEmpty else {
                return fail(.malformed(rule: "a login name in UTF-8"))
            }
            state = .loginPassword(name: name)
            return .challenge(SASLServerSession.passwordPrompt)
        case .loginPassword(let name):
            state = .over
            guard bytes.count <= SASLLimits.password else { return fail(.tooLong) }
            guard !bytes.isEmpty else { return fail(.malformed(rule: "a password")) }
            return .verifyPassword(login: name, authorizationID: "", Secret(bytes))
        case .scram(var exchange):
            let step = exchange.respond(bytes)
            return settle(exchange, step)
        }
    }

    /// Gives the keys that `.needCredentials` asked for. Of several, those with the salt of the first can be used: an
    /// account's credentials share their salt for this.
    public mutating func provide(_ credentials: [SCRAMCredential]) -> SASLStep {
        guard case .scram(var exchange) = state else { return fail(.malformed(rule: "a question for credentials")) }
        let step = exchange.provide(credentials)
        return settle(exchange, step)
    }

    /// The client sent `*` (RFC 4954 §4, RFC 9051 §6.2.2, RFC 5034 §4).
    public mutating func cancel() -> SASLStep { fail(.cancelled) }

    private static let userNamePrompt = Array("Username:".utf8)
    private static let passwordPrompt = Array("Password:".utf8)

    private mutating func settle(_ exchange: SCRAMServerExchange, _ step: SASLStep) -> SASLStep {
        switch step {
        case .challenge, .needCredentials: state = .scram(exchange)
        case .succeeded, .failed, .verifyPassword: state = .over
        }
        return step
    }

    private mutating func fail(_ failure: SASLFailure) -> SASLStep {
        state = .over
        return .failed(failure)
    }

    /// RFC 4616 §2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`.
    private func plain(_ bytes: [UInt8]) -> SASLStep {
        let parts = bytes.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return .failed(.malformed(rule: "authzid NUL authcid NUL passwd (RFC 4616 §2)")) }
        guard parts[0].count <= SASLLimits.name, parts[1].count <= SASLLimits.name,
            parts[2].count <= SASLLimits.password
        else {
            return .failed(.tooLong)
        }
        guard let authorizationID = SASLText.string(parts[0]), let login = SASLText.string(parts[1]), !login.isEmpty,
            !parts[2].isEmpty
        else {
            return .failed(.malformed(rule: "a login name and a password in UTF-8 (RFC 4616 §2)"))
        }
        return .verifyPassword(login: login, authorizationID: authorizationID, Secret(Array(parts[2])))
    }
}
