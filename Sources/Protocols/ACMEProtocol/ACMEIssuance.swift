internal import MartletCore

/// One certificate's way from an authority, without I/O (RFC 8555 §7.1): directory, account, order, a proof for each name, the
/// request, the chain. Each event returns what to do next; it ends in `finished` or `failed`, and takes no event after that.
///
/// The account's key identifies the account: one that the authority knows already is found again (§7.3.1).
public struct ACMEIssuance: ~Copyable, Sendable {
    /// What an issuance needs to know.
    public struct Settings: Sendable, Hashable {
        /// The directory's URL.
        public var directory: String
        /// Addresses without `mailto:`.
        public var contacts: [String]
        public var agreesToTerms: Bool
        public var challenge: ACMEChallengeKind
        public var externalAccount: ACMEExternalAccount?
        /// DNS names, A-labels; at most `ACMEIssuance.maximumNames`.
        public var names: [String]

        public init(
            directory: String, contacts: [String] = [], agreesToTerms: Bool, challenge: ACMEChallengeKind,
            externalAccount: ACMEExternalAccount? = nil, names: [String]
        ) {
            self.directory = directory
            self.contacts = contacts
            self.agreesToTerms = agreesToTerms
            self.challenge = challenge
            self.externalAccount = externalAccount
            self.names = names
        }
    }

    public enum Action: Sendable, Hashable {
        /// Then `received`.
        case send(ACMERequest)
        /// Have it answered from now on, then `presented`.
        case present(ACMEProof)
        /// Then `waited`.
        case wait(Duration)
        /// PEM, the leaf first.
        case finished(chain: [UInt8])
        case failed(ACMEFailure)
    }

    /// Names of one certificate; authorities take no more.
    public static let maximumNames = 100
    /// A request is sent so often when its nonce is refused (RFC 8555 §6.5 demands that it is tried again).
    package static let maximumNonces = 16
    /// Looks at an authorization or order before it is taken to hang: with our own pauses some five minutes, with the longest that an
    /// authority may name an hour. The whole issuance is bounded by whoever drives it.
    package static let maximumPolls = 60
    /// The pause between two looks when the authority names none; and the longest that it may name.
    static let pollPauses: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(3), .seconds(5)]
    static let longestPollPause = Duration.seconds(60)
    /// Octets of a token that is served: RFC 8555 §8.1 has 22 or more.
    static let maximumToken = 256
    /// Octets of a URL that is followed, and of a nonce that is sent back.
    static let maximumURL = 2_000
    static let maximumNonce = 1_000

    private enum Step: Sendable {
        case directory
        case account
        case order
        /// Looks at the authorization with this number; `polls` since the proof was announced, nil before.
        case authorization(Int, polls: Int?)
        /// Tells the authority that the proof is there.
        case challenge(Int, url: String)
        case orderStatus(polls: Int)
        case finalization
        case certificate(url: String)
        case ended
    }

    private let settings: Settings
    private let key: JSONWebKey
    /// The certificate signing request, DER.
    private let request: [UInt8]

    private var step = Step.directory
    private var directory: ACMEDocuments.Directory?
    private var nonce: String?
    /// A nonce alone was asked for, for the step's request.
    private var isFetchingNonce = false
    private var refusedNonces = 0
    private var account = ""
    private var orderURL = ""
    private var authorizations: [String] = []
    private var finalizationURL = ""
    private var isFinalized = false
    private var proofURL = ""

    /// - Parameters:
    ///   - key: the account's.
    ///   - request: the signing request for the names, DER (RFC 2986).
    public init(settings: Settings, key: JSONWebKey, request: [UInt8]) {
        self.settings = settings
        self.key = key
        self.request = request
    }

    // MARK: Events

    public mutating func begin() -> Action {
        guard (1...ACMEIssuance.maximumNames).contains(settings.names.count) else {
            return fail(
                ACMEFailure(
                    .setup, "a certificate has 1 to \(ACMEIssuance.maximumNames) names", remedy: "see acme.names"))
        }
        return send()
    }

    /// The proof that was asked for is there.
    public mutating func presented() -> Action {
        guard case .authorization(let number, _) = step else { return fail(.nonsense("nothing was to be proven")) }
        step = .challenge(number, url: proofURL)
        return send()
    }

    /// The wait that was asked for is over.
    public mutating func waited() -> Action { send() }

    /// The answer to what was sent last.
    public mutating func received(_ response: ACMEResponse) -> Action {
        if let fresh = response.nonce, ACMEIssuance.isNonce(fresh) { nonce = fresh }
        if isFetchingNonce {
            isFetchingNonce = false
            guard nonce != nil else { return fail(.nonsense("it gives no nonce (status \(response.status))")) }
            return send()
        }
        guard (200..<300).contains(response.status) else { return refused(response) }
        refusedNonces = 0
        switch step {
        case .directory: return directoryReceived(response)
        case .account: return accountReceived(response)
        case .order: return orderReceived(response)
        case .authorization(let number, let polls): return authorizationReceived(response, number, polls)
        case .challenge(let number, _): return look(at: number, polls: 0, response.retryAfter)
        case .orderStatus(let polls): return orderStatusReceived(response, polls)
        case .finalization:
            isFinalized = true
            return orderStatusReceived(response, 0)
        case .certificate:
            step = .ended
            return .finished(chain: response.body)
        case .ended: return fail(.nonsense("an answer to nothing"))
        }
    }

    // MARK: Answers

    private mutating func refused(_ response: ACMEResponse) -> Action {
        let problem = ACMEDocuments.read(ACMEDocuments.Problem.self, response.body)
        if ACMEFailure.shortType(problem) == "badNonce", refusedNonces < ACMEIssuance.maximumNonces {
            refusedNonces += 1
            return send()
        }
        return fail(
            ACMEFailure(problem, status: response.status, doing: doing, retryAfter: response.retryAfter))
    }

    /// What the step asks for, in words.
    private var doing: String {
        switch step {
        case .directory: "asked for its directory"
        case .account: "asked for an account"
        case .order: "given an order for \(settings.names.joined(separator: ", "))"
        case .authorization, .challenge: "asked to verify a name"
        case .orderStatus, .finalization: "asked to issue the certificate"
        case .certificate, .ended: "asked for the certificate"
        }
    }

    private mutating func directoryReceived(_ response: ACMEResponse) -> Action {
        guard let found = ACMEDocuments.read(ACMEDocuments.Directory.self, response.body) else {
            return fail(.nonsense("\(settings.directory) is no directory"))
        }
        for url in [found.newNonce, found.newAccount, found.newOrder] where !ACMEIssuance.isURL(url) {
            return fail(
                .nonsense("its directory names “\(url.prefix(ACMEFailure.maximumQuotation))”, which is no https URL"))
        }
        if let terms = found.meta?.termsOfService, !settings.agreesToTerms {
            return fail(
                ACMEFailure(
                    .setup, "the authority has terms of service: \(terms.prefix(ACMEFailure.maximumQuotation))",
                    remedy: "read them, and set acme.agree-to-terms to true if you agree"))
        }
        if found.meta?.externalAccountRequired == true, settings.externalAccount == nil {
            return fail(
                ACMEFailure(
                    .setup, "the authority has customers with accounts of its own alone",
                    remedy: "set acme.external-account to the key that it gave you"))
        }
        directory = found
        step = .account
        return send()
    }

    private mutating func accountReceived(_ response: ACMEResponse) -> Action {
        guard let url = response.location, ACMEIssuance.isURL(url) else {
            return fail(.nonsense("an account without URL"))
        }
        account = url
        step = .order
        return send()
    }

    private mutating func orderReceived(_ response: ACMEResponse) -> Action {
        guard let order = ACMEDocuments.read(ACMEDocuments.Order.self, response.body), let url = response.location,
            ACMEIssuance.isURL(url), ACMEIssuance.isURL(order.finalize),
            order.authorizations.count <= ACMEIssuance.maximumNames, order.authorizations.allSatisfy(ACMEIssuance.isURL)
        else { return fail(.nonsense("no order")) }
        orderURL = url
        finalizationURL = order.finalize
        authorizations = order.authorizations
        guard order.status == "pending", !authorizations.isEmpty else { return orderStatusReceived(response, 0) }
        step = .authorization(0, polls: nil)
        return send()
    }

    private mutating func authorizationReceived(_ response: ACMEResponse, _ number: Int, _ polls: Int?) -> Action {
        guard let authorization = ACMEDocuments.read(ACMEDocuments.Authorization.self, response.body) else {
            return fail(.nonsense("no authorization"))
        }
        let name = authorization.identifier.value.lowercased()
        // Nothing is proven that was not asked for.
        guard authorization.identifier.type == "dns", settings.names.contains(name) else {
            return fail(
                .nonsense(
                    "it wants a proof for “\(name.prefix(ACMEFailure.maximumQuotation))”, which was not asked for"))
        }
        let challenge = authorization.challenges.first { $0.type == settings.challenge.rawValue }
        switch authorization.status {
        case "valid":
            guard number + 1 < authorizations.count else {
                step = .orderStatus(polls: 0)
                return send()
            }
            step = .authorization(number + 1, polls: nil)
            return send()
        case "pending":
            if let polls { return look(at: number, polls: polls + 1, response.retryAfter) }
            guard let challenge else {
                let offered = authorization.challenges.map(\.type).joined(separator: ", ")
                return fail(
                    ACMEFailure(
                        .refused,
                        "the authority verifies \(name) by \(offered.prefix(ACMEFailure.maximumQuotation)) alone",
                        remedy: "set acme.challenge to one of these, or use another authority"))
            }
            guard ACMEIssuance.isURL(challenge.url), let token = challenge.token, ACMEIssuance.isToken(token) else {
                return fail(.nonsense("a challenge without token"))
            }
            proofURL = challenge.url
            return .present(
                ACMEProof(
                    kind: settings.challenge, name: name, token: token,
                    keyAuthorization: "\(token).\(key.thumbprint)"))
        default:
            // invalid, deactivated, expired, revoked (RFC 8555 §7.1.6)
            let error = challenge?.error ?? authorization.challenges.compactMap(\.error).first
            return fail(.unproven(error, name: name, kind: settings.challenge))
        }
    }

    private mutating func orderStatusReceived(_ response: ACMEResponse, _ polls: Int) -> Action {
        guard let order = ACMEDocuments.read(ACMEDocuments.Order.self, response.body) else {
            return fail(.nonsense("no order"))
        }
        switch order.status {
        case "ready" where !isFinalized:
            step = .finalization
            return send()
        case "valid":
            guard let url = order.certificate, ACMEIssuance.isURL(url) else {
                return fail(.nonsense("an order that is valid and has no certificate"))
            }
            step = .certificate(url: url)
            return send()
        case "ready", "pending", "processing":
            return pause(before: .orderStatus(polls: polls + 1), polls, response.retryAfter)
        default:
            return fail(ACMEFailure(order.error, status: response.status, doing: doing, retryAfter: nil))
        }
    }

    private mutating func look(at number: Int, polls: Int, _ retryAfter: Duration?) -> Action {
        pause(before: .authorization(number, polls: polls), polls, retryAfter)
    }

    private mutating func pause(before next: Step, _ polls: Int, _ retryAfter: Duration?) -> Action {
        guard polls < ACMEIssuance.maximumPolls else {
            return fail(
                ACMEFailure(
                    .unreachable, "the authority, \(doing), has not come to an end after \(polls) looks",
                    remedy: "it is tried again later, by itself"))
        }
        step = next
        let pauses = ACMEIssuance.pollPauses
        let own = pauses[min(polls, pauses.count - 1)]
        return .wait(min(max(retryAfter ?? own, pauses[0]), ACMEIssuance.longestPollPause))
    }

    private mutating func fail(_ failure: ACMEFailure) -> Action {
        step = .ended
        return .failed(failure)
    }
}

// MARK: Requests

extension ACMEIssuance {
    /// The step's request; a nonce first where there is none.
    private mutating func send() -> Action {
        if case .directory = step { return .send(ACMERequest(method: .get, url: settings.directory)) }
        guard let directory else { return fail(.nonsense("no directory")) }
        guard let nonce = nonce.take() else {
            isFetchingNonce = true
            return .send(ACMERequest(method: .head, url: directory.newNonce))
        }
        let url: String
        var payload = ""
        var signer = JSONWebSignature.Signer.account(url: account)
        switch step {
        case .directory, .ended: return fail(.nonsense("there is nothing to ask for"))
        case .account:
            url = directory.newAccount
            payload = accountPayload(url)
            signer = .key(key)
        case .order:
            url = directory.newOrder
            let identifiers = settings.names.map {
                JSONText.object([("type", JSONText.string("dns")), ("value", JSONText.string($0))])
            }
            payload = JSONText.object([("identifiers", JSONText.array(identifiers))])
        case .authorization(let number, _):
            guard authorizations.indices.contains(number) else { return fail(.nonsense("no such authorization")) }
            url = authorizations[number]
        case .challenge(_, let challenge):
            url = challenge
            payload = "{}"
        case .orderStatus: url = orderURL
        case .finalization:
            url = finalizationURL
            payload = JSONText.object([("csr", JSONText.string(Base64URL.encode(request)))])
        case .certificate(let certificate): url = certificate
        }
        let signature = JSONWebSignature(signer: signer, nonce: nonce, url: url, payload: payload)
        return .send(ACMERequest(method: .post(signature), url: url))
    }

    private func accountPayload(_ url: String) -> String {
        var members: [(String, String)] = []
        if settings.agreesToTerms { members.append(("termsOfServiceAgreed", "true")) }
        if !settings.contacts.isEmpty {
            members.append(("contact", JSONText.array(settings.contacts.map { JSONText.string("mailto:\($0)") })))
        }
        if let external = settings.externalAccount {
            members.append(
                ("externalAccountBinding", JSONWebSignature.externalAccountBinding(external, key: key, url: url)))
        }
        return JSONText.object(members)
    }

    /// RFC 8555 §6.1: https, always.
    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("https://") && text.utf8.count <= maximumURL && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Base64url, of which the path is made (RFC 8555 §8.1).
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumToken && text.utf8.allSatisfy(isBase64URL)
    }

    private static func isNonce(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumNonce && text.utf8.allSatisfy(isBase64URL)
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
