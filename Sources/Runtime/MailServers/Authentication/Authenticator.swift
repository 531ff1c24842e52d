public import MailStore
public import MartletCore
internal import Records
internal import SASLMechanisms
internal import Synchronization

/// Who may log in: one for all services. Knows mechanisms, passwords, delays and records of failures.
///
/// SMTP, IMAP and POP3 drive a `SASLExchange` from `makeExchange`, or call `login` with a name and a password. Both run on
/// the caller's executor and do not leave it when the login was verified before (`VerifiedLogins`): some microseconds.
public final class Authenticator: Sendable {
    public struct Options: Sendable {
        /// Takes passwords in the clear from loopback (`auth.plaintext-from-loopback`, LAB.md).
        public var plaintextFromLoopback = false
        /// Offers SCRAM before TLS. The password stays secret, what follows does not.
        public var offersSCRAMWithoutTLS = true
        /// Slows down after failures. Off in load tests only.
        public var slowsDownFailures = true
        /// Logins whose password may wait for a hashing thread; more are told to try later.
        public var maximumQueuedVerifications = 256
        /// Logins that may wait because of earlier failures; more are told to try later.
        public var maximumDelayedLogins = 1_000
        /// How a delay is waited for. Tests give their own.
        public var sleep: @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
        public init() {}
    }

    /// For records that others make: one counter a process.
    public let codes: LookupCodes
    public let metrics = LoginMetrics()
    let directory: any DirectoryStore
    let clock: any WallClock
    let options: Options
    let decoySecret = Secret(CredentialMaker.randomBytes(32))
    private let hasher: PasswordHasher
    private let verified = VerifiedLogins()
    private let recorder: FailureRecorder
    private let throttle = Mutex(LoginThrottle())
    private let delayed = Atomic<Int>(0)
    private let underway = Mutex<[VerifiedLogins.Key: [CheckedContinuation<PasswordHasher.Verdict, Never>]]>([:])

    /// - Parameters:
    ///   - directory: accounts and their credentials.
    ///   - records: where failed logins are written; nil: nowhere.
    ///   - clock: the time of records and delays.
    public init(
        directory: any DirectoryStore, records: (any RecordStore)?, clock: any WallClock, options: Options = Options(),
        codes: LookupCodes = LookupCodes()
    ) {
        self.directory = directory
        self.clock = clock
        self.options = options
        self.codes = codes
        hasher = PasswordHasher(maximumWaiting: options.maximumQueuedVerifications)
        recorder = FailureRecorder(records: records, codes: codes)
    }

    // MARK: What is offered

    /// The names of the mechanisms that this connection may use, strongest first.
    public func mechanisms(isTLS: Bool, isLoopback: Bool) -> [String] {
        offered(isTLS: isTLS, isLoopback: isLoopback).map(\.rawValue)
    }

    /// Whether a password may come in the clear: IMAP LOGIN, POP3 USER and PASS, PLAIN, LOGIN.
    public func allowsPlaintext(isTLS: Bool, isLoopback: Bool) -> Bool {
        isTLS || (isLoopback && options.plaintextFromLoopback)
    }

    func offered(isTLS: Bool, isLoopback: Bool) -> [SASLMechanism] {
        SASLMechanism.allCases.filter { mechanism in
            if mechanism.sendsPassword { return allowsPlaintext(isTLS: isTLS, isLoopback: isLoopback) }
            return isTLS || (!mechanism.bindsChannel && options.offersSCRAMWithoutTLS)
        }
    }

    // MARK: Logging in

    /// One AUTH or AUTHENTICATE command. Not shared between tasks; one at a time.
    public func makeExchange(_ peer: LoginPeer) -> SASLExchange { SASLExchange(authenticator: self, peer: peer) }

    /// IMAP LOGIN, POP3 USER and PASS. `user` is a full address, or a local part where there is one domain only.
    public func login(user: String, password: Secret, peer: LoginPeer) async -> LoginOutcome {
        guard allowsPlaintext(isTLS: peer.tls != nil, isLoopback: peer.isLoopback) else {
            return .failure(
                LoginFailure(.encryptionRequired, reason: "a password in the clear on a connection without TLS"))
        }
        return await verify(login: user, authorizationID: "", password: password, mechanism: "password", peer: peer)
    }

    func verify(login: String, authorizationID: String, password: Secret, mechanism: String, peer: LoginPeer) async
        -> LoginOutcome
    {
        let account = account(named: login)
        let pair = pair(login: login, account: account, peer: peer)
        let attempt = beginAttempt(pair)
        defer { attempt?.end() }
        if let refusal = await waitTurn(attempt) {
            return fail(refusal, login: login, mechanism: mechanism, pair: pair, peer: peer)
        }
        // As of before the password is looked at: what changes meanwhile is found by `stillHolds`.
        let generation = account.map { directory.credentialGeneration(of: $0.id) } ?? 0
        let verdict = await judge(password, of: account, generation: generation)
        let failure: LoginFailure
        switch verdict {
        case .success(let credential):
            return finish(
                login: login, authorizationID: authorizationID, account: account,
                proof: (credential, generation), mechanism: mechanism, pair: pair, peer: peer)
        case .failure(let reason): failure = reason
        }
        return fail(failure, login: login, mechanism: mechanism, pair: pair, peer: peer)
    }

    /// The account that the name means, if any: an address (not an alias), or a local part where there is one domain only.
    func account(named login: String) -> Account? {
        guard login.utf8.count <= SASLLimits.name, let name = SASLprep.prepare(login) else { return nil }
        let address: EmailAddress?
        if name.utf8.contains(UInt8(ascii: "@")) {
            address = EmailAddress(name)
        } else {
            let domains = directory.domains()
            address = domains.count == 1 ? EmailAddress(localPart: name, domain: domains[0].domain) : nil
        }
        guard let address, let domain = address.domain,
            case .account(let id, _)? = directory.entry(localPart: address.localPart, domain: domain)
        else { return nil }
        return directory.account(id)
    }

    // MARK: The steps of a login

    func pair(login: String, account: Account?, peer: LoginPeer) -> LoginThrottle.Pair {
        LoginThrottle.Pair(
            address: PeerNetwork(peer.address),
            subject: account.map { .account($0.id) } ?? .nobody(String(login.lowercased().prefix(64))))
    }

    /// A login that is under way, from its name to its outcome. Ends by itself when it is dropped.
    final class Attempt: Sendable {
        let pair: LoginThrottle.Pair
        let ticket: LoginThrottle.Ticket
        private let authenticator: Authenticator
        private let isOver = Atomic<Bool>(false)

        fileprivate init(_ pair: LoginThrottle.Pair, _ authenticator: Authenticator) {
            self.pair = pair
            self.authenticator = authenticator
            ticket = authenticator.throttle.withLock { $0.began(pair) }
        }

        func end() {
            guard !isOver.exchange(true, ordering: .relaxed) else { return }
            authenticator.throttle.withLock { $0.ended(pair, ticket: ticket) }
        }

        deinit { end() }
    }

    /// nil where nobody is slowed down.
    func beginAttempt(_ pair: LoginThrottle.Pair) -> Attempt? {
        options.slowsDownFailures ? Attempt(pair, self) : nil
    }

    /// How long a login waits until it looks again whether it still has to.
    static let waitingStep = Duration.milliseconds(100)

    /// Waits as long as earlier failures, and attempts that are under way, demand; a failure when too many wait already.
    func waitTurn(_ attempt: Attempt?) async -> LoginFailure? {
        guard let attempt else { return nil }
        func demanded() -> Duration {
            let now = clock.now()
            return throttle.withLock { $0.delay(attempt.pair, ticket: attempt.ticket, now: now) }
        }
        guard demanded() > .zero else { return nil }
        let count = delayed.wrappingAdd(1, ordering: .relaxed).newValue
        defer { delayed.wrappingSubtract(1, ordering: .relaxed) }
        guard count <= options.maximumDelayedLogins else {
            return LoginFailure(
                .unavailable, reason: "more than \(options.maximumDelayedLogins) logins wait after failures")
        }
        var waited = Duration.zero
        while true {
            let rest = demanded() - waited
            guard rest > .zero else { return nil }
            let step = min(rest, Authenticator.waitingStep)
            await options.sleep(step)
            waited += step
        }
    }

    private func judge(_ password: Secret, of account: Account?, generation: Int64) async
        -> Result<CredentialMark, LoginFailure>
    {
        let prepared = SASLprep.prepare(password.exposed).map { Secret($0) }
        guard let account, let prepared else {
            return await explain(hasher.verify(prepared, against: []), isKnown: account != nil)
        }
        let key = verified.key(account: account.id, generation: generation, password: prepared)
        if let hit = verified.find(key, account: account.id, now: clock.now()) {
            if hit.isNoteDue {
                directory.noteUse(ofCredential: hit.credential.number, of: account.id, at: clock.now())
            }
            return .success(hit.credential)
        }
        let verdict = await verifyOnce(key, prepared, of: account.id)
        if case .right(let credential) = verdict {
            verified.add(key, account: account.id, credential: credential, now: clock.now())
            directory.noteUse(ofCredential: credential.number, of: account.id, at: clock.now())
        }
        return explain(verdict, isKnown: true)
    }

    /// A mail program opens several connections at once: the same password is hashed once for all of them.
    private func verifyOnce(_ key: VerifiedLogins.Key, _ password: Secret, of account: AccountID) async
        -> PasswordHasher.Verdict
    {
        let isFirst = underway.withLock { table in
            if table[key] != nil { return false }
            table[key] = []
            return true
        }
        guard isFirst else {
            return await withCheckedContinuation { continuation in
                let isOver = underway.withLock { table in
                    guard table[key] != nil, table[key, default: []].count < options.maximumQueuedVerifications else {
                        return true
                    }
                    table[key]?.append(continuation)
                    return false
                }
                // Over between the two looks: the client tries again and hits the cache.
                if isOver { continuation.resume(returning: .busy) }
            }
        }
        let verdict: PasswordHasher.Verdict
        do {
            verdict = await hasher.verify(password, against: try await directory.credentials(of: account))
        } catch {
            verdict = .busy
        }
        for waiter in underway.withLock({ $0.removeValue(forKey: key) ?? [] }) { waiter.resume(returning: verdict) }
        return verdict
    }

    private func explain(_ verdict: PasswordHasher.Verdict, isKnown: Bool) -> Result<CredentialMark, LoginFailure> {
        switch verdict {
        case .right(let credential): .success(credential)
        case .wrong: .failure(LoginFailure(.wrongCredentials, reason: isKnown ? "wrong password" : "no such account"))
        case .busy:
            .failure(
                LoginFailure(
                    .unavailable, reason: "too many passwords wait to be checked, or the directory does not answer"))
        case .failed(let code): .failure(LoginFailure(.unavailable, reason: "argon2 failed with code \(code)"))
        }
    }

    /// The password was right: the rest that must hold.
    /// - Parameter proof: the password that was right, and the generation of the account's credentials before it was looked at.
    func finish(
        login: String, authorizationID: String, account: Account?,
        proof: (credential: CredentialMark, generation: Int64),
        mechanism: String, pair: LoginThrottle.Pair, peer: LoginPeer
    ) -> LoginOutcome {
        guard let account else {
            return fail(
                LoginFailure(.wrongCredentials, reason: "no such account"), login: login, mechanism: mechanism,
                pair: pair, peer: peer)
        }
        guard !account.isSuspended else {
            return fail(
                LoginFailure(.suspended, reason: "the account is suspended"), login: login, mechanism: mechanism,
                pair: pair, peer: peer)
        }
        guard authorizationID.isEmpty || self.account(named: authorizationID)?.id == account.id else {
            let failure = LoginFailure(.wrongCredentials, reason: "not allowed to act as another account (RFC 4616 §2)")
            return fail(failure, login: login, mechanism: mechanism, pair: pair, peer: peer)
        }
        let now = clock.now()
        throttle.withLock { $0.succeeded(pair, now: now) }
        metrics.succeeded.add()
        return .success(
            AuthenticatedAccount(
                id: account.id, address: account.address, login: login, credential: proof.credential,
                generation: proof.generation))
    }

    // MARK: After the login

    /// Whether nothing has changed about the account since it logged in: two look-ups in memory. False is no answer yet;
    /// `stillHolds` gives it.
    public func isUnchanged(_ login: AuthenticatedAccount) -> Bool {
        guard let account = directory.account(login.id), !account.isSuspended else { return false }
        return directory.credentialGeneration(of: login.id) == login.generation
    }

    /// Whether a session that logged in may go on: the account is there and not suspended, and the password that it used is
    /// neither changed nor revoked. To be asked at each command that reads or changes something (changes take effect at once).
    ///
    /// Costs what `isUnchanged` costs and does not suspend; only after the account's credentials changed it reads them once.
    public func stillHolds(_ login: inout AuthenticatedAccount) async -> Bool {
        if isUnchanged(login) { return true }
        guard let account = directory.account(login.id), !account.isSuspended else { return false }
        let generation = directory.credentialGeneration(of: login.id)
        // A directory that does not answer vouches for nobody.
        guard let credentials = try? await directory.credentials(of: login.id),
            credentials.contains(where: { CredentialMark($0) == login.credential })
        else { return false }
        login.generation = generation
        return true
    }

    /// Counts and records a failure.
    func fail(_ failure: LoginFailure, login: String, mechanism: String, pair: LoginThrottle.Pair, peer: LoginPeer)
        -> LoginOutcome
    {
        let now = clock.now()
        metrics.failed.add(to: failure.kind)
        if failure.isGuess { throttle.withLock { $0.failed(pair, now: now) } }
        var failure = failure
        failure.code = recorder.record(
            failure, login: login, mechanism: mechanism, pair: pair, peer: peer, now: now)
        return .failure(failure)
    }
}
