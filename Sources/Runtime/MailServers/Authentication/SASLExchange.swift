internal import MailStore
internal import MartletCore
internal import SASLMechanisms

/// One AUTH or AUTHENTICATE command of one connection, with the bytes between as the protocol has decoded them from base64.
///
/// `start`, then `respond` until the outcome is no challenge, or `cancel` when the client sends `*`. Belongs to the
/// session's actor and runs there.
public final class SASLExchange {
    private let authenticator: Authenticator
    private let peer: LoginPeer
    private var session: SASLServerSession?
    private var mechanism = ""
    private var login = ""
    private var pair: LoginThrottle.Pair?
    private var attempt: Authenticator.Attempt?
    /// SCRAM: the passwords that may turn out to be the client's, and the generation before they were read.
    private var marks: [CredentialMark] = []
    private var generation: Int64 = 0

    init(authenticator: Authenticator, peer: LoginPeer) {
        self.authenticator = authenticator
        self.peer = peer
    }

    /// - Parameters:
    ///   - mechanism: the name as the client wrote it.
    ///   - initialResponse: decoded; nil when there was none, empty for `=`.
    public func start(mechanism name: String, initialResponse: [UInt8]?) async -> SASLOutcome {
        self.mechanism = name
        guard let mechanism = SASLMechanism(name: name) else {
            return refused(LoginFailure(.unknownMechanism, reason: "the mechanism is not known here"))
        }
        self.mechanism = mechanism.rawValue
        let offered = authenticator.offered(isTLS: peer.tls != nil, isLoopback: peer.isLoopback)
        guard offered.contains(mechanism) else {
            let kind: LoginFailure.Kind = peer.tls == nil ? .encryptionRequired : .unknownMechanism
            return refused(LoginFailure(kind, reason: "\(mechanism.rawValue) is not offered on this connection"))
        }
        let context = SASLContext(
            serverNonce: SASLExchange.makeNonce(), channelBinding: peer.channelBinding,
            offeredChannelBinding: offered.contains(where: \.bindsChannel), decoySecret: authenticator.decoySecret,
            decoyIterations: SCRAMParameters.iterations)
        session = SASLServerSession(mechanism: mechanism, context: context)
        return await settle(session?.start(initialResponse: initialResponse))
    }

    /// The client's decoded answer to the last challenge.
    public func respond(_ bytes: [UInt8]) async -> SASLOutcome { await settle(session?.respond(bytes)) }

    /// The client gave up, or its line was no base64 or too long.
    public func cancel() -> SASLOutcome {
        session = nil
        attempt?.end()
        return refused(LoginFailure(.cancelled, reason: SASLFailure.cancelled.summary))
    }

    /// Records a failure that is no guess.
    private func refused(_ failure: LoginFailure) -> SASLOutcome {
        let pair = pair ?? authenticator.pair(login: login, account: nil, peer: peer)
        return SASLOutcome(
            authenticator.fail(failure, login: login, mechanism: mechanism, pair: pair, peer: peer))
    }

    private func settle(_ step: SASLStep?) async -> SASLOutcome {
        switch step {
        case nil:
            return refused(LoginFailure(.malformed, reason: "no exchange is in progress"))
        case .challenge(let bytes):
            return .challenge(bytes)
        case .needCredentials(let login, _):
            return await provideCredentials(login: login)
        case .verifyPassword(let login, let authorizationID, let password):
            session = nil
            let outcome = await authenticator.verify(
                login: login, authorizationID: authorizationID, password: password, mechanism: mechanism, peer: peer)
            return SASLOutcome(outcome)
        case .succeeded(let login, let authorizationID, let number):
            session = nil
            defer { attempt?.end() }
            guard let mark = marks.first(where: { $0.number == number }) else {
                return refused(LoginFailure(.unavailable, reason: "the password proved is none of the account's"))
            }
            let account = authenticator.account(named: login)
            let pair = authenticator.pair(login: login, account: account, peer: peer)
            let outcome = authenticator.finish(
                login: login, authorizationID: authorizationID, account: account, proof: (mark, generation),
                mechanism: mechanism, pair: pair, peer: peer)
            if case .success(let account) = outcome {
                authenticator.directory.noteUse(ofCredential: number, of: account.id, at: authenticator.clock.now())
            }
            return SASLOutcome(outcome)
        case .failed(let failure):
            session = nil
            return failed(failure)
        }
    }

    /// SCRAM: waits as earlier failures demand, then gives the keys, or none for a name that is nobody's.
    private func provideCredentials(login: String) async -> SASLOutcome {
        self.login = login
        let account = authenticator.account(named: login)
        let pair = authenticator.pair(login: login, account: account, peer: peer)
        self.pair = pair
        let attempt = authenticator.beginAttempt(pair)
        self.attempt = attempt
        if let refusal = await authenticator.waitTurn(attempt) {
            session = nil
            attempt?.end()
            return SASLOutcome(authenticator.fail(refusal, login: login, mechanism: mechanism, pair: pair, peer: peer))
        }
        var credentials: [Credential] = []
        if let account {
            generation = authenticator.directory.credentialGeneration(of: account.id)
            do { credentials = try await authenticator.directory.credentials(of: account.id) } catch {
                session = nil
                attempt?.end()
                let failure = LoginFailure(.unavailable, reason: "the directory does not answer: \(error)")
                return SASLOutcome(
                    authenticator.fail(failure, login: login, mechanism: mechanism, pair: pair, peer: peer))
            }
        }
        marks = credentials.map { CredentialMark($0) }
        // The main password first: its salt is the one that is sent.
        let isSHA1 = SASLMechanism(rawValue: mechanism)?.hash == .sha1
        let keys = credentials.sorted { $0.number < $1.number }.map { credential in
            let keys = isSHA1 ? credential.scramSHA1 : credential.scramSHA256
            return SCRAMCredential(
                number: credential.number, salt: keys.salt, iterations: keys.iterations, storedKey: keys.storedKey,
                serverKey: keys.serverKey)
        }
        return await settle(session?.provide(keys))
    }

    private func failed(_ failure: SASLFailure) -> SASLOutcome {
        defer { attempt?.end() }
        switch failure {
        case .cancelled: return refused(LoginFailure(.cancelled, reason: failure.summary))
        case .malformed, .tooLong, .extensionUnsupported, .channelBindingRequired, .channelBindingUnsupported:
            return refused(LoginFailure(.malformed, reason: failure.summary))
        case .wrongProof, .channelBindingMismatch, .downgrade:
            let pair = pair ?? authenticator.pair(login: login, account: nil, peer: peer)
            let outcome = authenticator.fail(
                LoginFailure(.wrongCredentials, reason: failure.summary), login: login, mechanism: mechanism,
                pair: pair, peer: peer)
            return SASLOutcome(outcome)
        }
    }

    /// 24 printable characters, 144 bits.
    private static func makeNonce() -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return CredentialMaker.randomBytes(24).map { alphabet[Int($0 & 63)] }
    }
}

extension SASLOutcome {
    init(_ outcome: LoginOutcome) {
        self =
            switch outcome {
            case .success(let account): .success(account)
            case .failure(let failure): .failure(failure)
            }
    }
}
