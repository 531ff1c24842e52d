internal import MartletBytes
internal import MartletCore

/// The server's side of SCRAM (RFC 5802 §5, RFC 7677): client-first, server-first, client-final, server-final.
///
/// The server-final message goes out as one more challenge, because no mail protocol can carry data with its success reply;
/// the client answers it with an empty message (RFC 5802 §5, RFC 4422 §3.6).
struct SCRAMServerExchange {
    private struct First {
        var message: SCRAMClientFirst
        var serverFirst: [UInt8]
        var credentials: [SCRAMCredential]
    }

    private enum State {
        case clientFirst
        case credentials(SCRAMClientFirst)
        case clientFinal(First)
        case acknowledgement(login: String, authorizationID: String, credentialNumber: Int64)
        case over
    }

    private let hash: SCRAMHash
    private let isPlus: Bool
    private let context: SASLContext
    private var state = State.clientFirst

    init(hash: SCRAMHash, isPlus: Bool, context: SASLContext) {
        self.hash = hash
        self.isPlus = isPlus
        self.context = context
    }

    mutating func respond(_ bytes: [UInt8]) -> SASLStep {
        switch state {
        case .clientFirst:
            let message: SCRAMClientFirst
            do { message = try SCRAMClientFirst(bytes) } catch { return fail(error) }
            if let failure = objection(to: message.binding) { return fail(failure) }
            state = .credentials(message)
            return .needCredentials(login: message.login, authorizationID: message.authorizationID)
        case .clientFinal(let first):
            return clientFinal(bytes, first)
        case .acknowledgement(let login, let authorizationID, let number):
            guard bytes.isEmpty else { return fail(.malformed(rule: "an empty answer to the server's signature")) }
            state = .over
            return .succeeded(login: login, authorizationID: authorizationID, credentialNumber: number)
        case .credentials, .over:
            return fail(.malformed(rule: "a message in turn"))
        }
    }

    mutating func provide(_ credentials: [SCRAMCredential]) -> SASLStep {
        guard case .credentials(let message) = state else {
            return fail(.malformed(rule: "a question for credentials"))
        }
        let usable = credentials.filter { $0.salt == credentials[0].salt && $0.iterations == credentials[0].iterations }
        let salt = usable.first?.salt ?? decoySalt(for: message.login)
        let iterations = usable.first?.iterations ?? context.decoyIterations
        var reply = Array("r=".utf8) + message.nonce + context.serverNonce
        reply += Array(",s=".utf8) + Base64.encode(salt) + Array(",i=\(iterations)".utf8)
        state = .clientFinal(First(message: message, serverFirst: reply, credentials: usable))
        return .challenge(reply)
    }

    private mutating func clientFinal(_ bytes: [UInt8], _ first: First) -> SASLStep {
        let final: SCRAMClientFinal
        do { final = try SCRAMClientFinal(bytes) } catch { return fail(error) }
        guard final.nonce == first.message.nonce + context.serverNonce else {
            return fail(.malformed(rule: "our nonce (RFC 5802 §5.1)"))
        }
        var binding = first.message.gs2Header
        if case .used = first.message.binding { binding += context.channelBinding ?? [] }
        guard isEqualInConstantTime(final.channelBinding, binding) else { return fail(.channelBindingMismatch) }
        let comma = [UInt8(ascii: ",")]
        let message = first.message.bare + comma + first.serverFirst + comma + final.withoutProof
        // Somebody who does not exist fails here, after the same work and the same number of messages.
        let decoy = SCRAMCredential(number: -1, salt: [], iterations: 1, storedKey: hash.digest(message), serverKey: [])
        let candidates = first.credentials.isEmpty ? [decoy] : first.credentials
        var match: SCRAMCredential?
        for candidate in candidates where hash.proves(final.proof, storedKey: candidate.storedKey, message: message) {
            match = candidate
        }
        guard let match, !first.credentials.isEmpty else { return fail(.wrongProof) }
        state = .acknowledgement(
            login: first.message.login, authorizationID: first.message.authorizationID, credentialNumber: match.number)
        return .challenge(Array("v=".utf8) + Base64.encode(hash.authenticate(message, key: match.serverKey)))
    }

    /// RFC 5802 §6: what a server does with each flag.
    private func objection(to binding: SCRAMClientFirst.Binding) -> SASLFailure? {
        switch binding {
        case .unsupported: isPlus ? .channelBindingRequired : nil
        case .notOffered: isPlus ? .channelBindingRequired : context.offeredChannelBinding ? .downgrade : nil
        case .used(let name):
            if !isPlus {
                .channelBindingRequired
            } else if name != "tls-server-end-point" {
                .channelBindingUnsupported(name)
            } else if context.channelBinding == nil {
                .channelBindingRequired
            } else {
                nil
            }
        }
    }

    /// The same each time for one name, and random to those who do not know the secret: asking tells nothing.
    private func decoySalt(for login: String) -> [UInt8] {
        let code = SCRAMHash.sha256.authenticate(
            Array("\(hash)/\(login.lowercased())".utf8), key: context.decoySecret.exposed)
        return Array(code.prefix(SCRAMParameters.saltSize))
    }

    private mutating func fail(_ failure: SASLFailure) -> SASLStep {
        state = .over
        return .failed(failure)
    }
}

/// What new SCRAM keys are made with.
public enum SCRAMParameters {
    /// Octets of a salt.
    public static let saltSize = 16
    /// RFC 7677 §4 asks for 4,096 at least. Each client computes this at each login, phones too: 10,000 costs one some
    /// 10 ms. What a thief of the store would attack is these keys and not argon2id, which is why generated app passwords
    /// (100 bits) are recommended and SCRAM can be switched off.
    public static let iterations = 10_000
}
