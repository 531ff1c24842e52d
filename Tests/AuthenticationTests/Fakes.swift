import Authentication
import MailStore
import MartletCore
import Records
import Synchronization

/// A clock that only moves when told, or when somebody sleeps on it.
final class FakeClock: WallClock {
    private let state = Mutex((now: Instant(year: 2026, month: 11, day: 24), slept: [Duration]()))
    func now() -> Instant { state.withLock { $0.now } }
    func advance(_ duration: Duration) { state.withLock { $0.now = $0.now + duration } }
    func sleep(_ duration: Duration) {
        state.withLock {
            $0.slept.append(duration)
            $0.now = $0.now + duration
        }
    }
    /// What was slept since the last time this was asked.
    func takeSlept() -> Duration {
        state.withLock { state in
            defer { state.slept = [] }
            return state.slept.reduce(.zero, +)
        }
    }
}

/// A directory of a few accounts in memory.
final class FakeDirectory: DirectoryStore {
    struct State {
        var domains: [LocalDomain] = []
        var accounts: [AccountID: Account] = [:]
        var credentials: [AccountID: [Credential]] = [:]
        var generations: [AccountID: Int64] = [:]
        var aliases: [String: AccountID] = [:]
        var credentialReads = 0
        var notes: [Int64] = []
        var fails = false
    }
    let state = Mutex(State())

    init(domains: [String]) {
        state.withLock { $0.domains = domains.compactMap { Domain($0).map { LocalDomain(domain: $0) } } }
    }

    @discardableResult
    func add(_ address: String, _ credentials: [Credential], isSuspended: Bool = false) -> AccountID {
        guard let address = EmailAddress(address) else { fatalError("not an address") }
        return state.withLock { state in
            let id = AccountID(Int64(state.accounts.count + 1))
            state.accounts[id] = Account(
                id: id, address: address, displayName: "", quota: nil, usedBytes: 0, usedMessages: 0,
                isAdministrator: false,
                isSuspended: isSuspended)
            state.credentials[id] = credentials
            return id
        }
    }

    func setCredentials(_ credentials: [Credential], of id: AccountID) {
        state.withLock {
            $0.credentials[id] = credentials
            $0.generations[id, default: 0] += 1
        }
    }

    func domain(_ domain: Domain) -> LocalDomain? { domains().first { $0.domain == domain } }
    func entry(localPart: String, domain: Domain) -> AddressEntry? {
        state.withLock { state in
            let found = state.accounts.values.first {
                $0.address.foldedLocalPart == localPart.lowercased() && $0.address.domain == domain
            }
            if let found { return .account(found.id, found.address) }
            return state.aliases["\(localPart)@\(domain)"].flatMap { state.accounts[$0] }.map { .alias([$0.address]) }
        }
    }
    func account(_ id: AccountID) -> Account? { state.withLock { $0.accounts[id] } }
    func addresses(of account: AccountID) -> [EmailAddress] { self.account(account).map { [$0.address] } ?? [] }
    func credentialGeneration(of account: AccountID) -> Int64 { state.withLock { $0.generations[account] ?? 0 } }
    func credentials(of account: AccountID) async throws(StoreError) -> [Credential] {
        let found: [Credential]? = state.withLock {
            $0.credentialReads += 1
            return $0.fails ? nil : $0.credentials[account] ?? []
        }
        guard let found else { throw .unavailable(reason: "test") }
        return found
    }
    func domains() -> [LocalDomain] { state.withLock { $0.domains } }
    func accounts() -> [Account] { state.withLock { Array($0.accounts.values) } }
    func aliases() -> [(address: EmailAddress, targets: [EmailAddress])] { [] }
    func noteUse(ofCredential number: Int64, of account: AccountID, at instant: Instant) {
        state.withLock { $0.notes.append(number) }
    }

    func putDomain(_ domain: LocalDomain) async throws(StoreError) { throw .closed }
    func removeDomain(_ domain: Domain) async throws(StoreError) { throw .closed }
    func createAccounts(_ accounts: [NewAccount]) async throws(StoreError) -> [AccountID] { throw .closed }
    func updateAccount(
        _ id: AccountID, displayName: String?, quota: Int64??, isAdministrator: Bool?, isSuspended: Bool?
    )
        async throws(StoreError)
    { throw .closed }
    func removeAccount(_ id: AccountID) async throws(StoreError) { throw .closed }
    func putAlias(_ address: EmailAddress, targets: [EmailAddress]) async throws(StoreError) { throw .closed }
    func removeAlias(_ address: EmailAddress) async throws(StoreError) { throw .closed }
    func putCredential(_ credential: Credential, of account: AccountID) async throws(StoreError) { throw .closed }
    func removeCredential(number: Int64, of account: AccountID) async throws(StoreError) { throw .closed }
}

final class FakeRecords: RecordStore {
    let written = Mutex<[Record]>([])
    func write(_ record: Record) async throws(StoreError) { written.withLock { $0.append(record) } }
    func records(_ query: RecordQuery) async throws(StoreError) -> [Record] { written.withLock { $0 } }
    func ledger() async throws(StoreError) -> LedgerReport { LedgerReport(ledger: Ledger(), recounted: Ledger()) }
    func purgeRecords(before instant: Instant) async throws(StoreError) -> Int { 0 }

    /// All records, once there are `count` and those that might be too many have had their time: records are written by tasks
    /// of their own, so one more is written in that way and waited for.
    func wait(for count: Int) async -> [Record] {
        let marker = Record(
            code: LookupCode(at: Instant(seconds: 0), counter: 0), kind: .connection, at: Instant(seconds: 0),
            service: "marker", peer: Record.Peer(address: "local"))
        await wait { written.withLock { $0.count } >= count }
        Task { try? await write(marker) }
        await wait { written.withLock { $0.contains { $0.service == marker.service } } }
        return written.withLock { records in
            records.removeAll { $0.service == marker.service }
            return records
        }
    }

    private func wait(until isThere: () -> Bool) async {
        let end = ContinuousClock.now + .seconds(10)
        while !isThere(), ContinuousClock.now < end { await Task.yield() }
    }
}

/// One of each, made once: hashing takes its time.
enum Passwords {
    static let now = Instant(year: 2026, month: 11, day: 24)
    static func make(_ password: String, _ number: Int64 = 0, _ existing: [Credential] = []) -> Credential {
        do {
            return try CredentialMaker.make(
                password: Secret(password), number: number, now: now, sharingSaltsOf: existing)
        } catch {
            fatalError("\(error)")
        }
    }
    static let secret = make("secret")
    static let device = make("abcd-efgh", 4, [secret])
    static let changed = make("changed")
}

struct World {
    let clock = FakeClock()
    let records = FakeRecords()
    let directory: FakeDirectory
    let authenticator: Authenticator
    let anna: AccountID

    init(domains: [String] = ["example.test"], _ change: (inout Authenticator.Options) -> Void = { _ in }) {
        directory = FakeDirectory(domains: domains)
        anna = directory.add("Anna@example.test", [Passwords.secret])
        directory.add("bert@example.test", [Passwords.secret], isSuspended: true)
        var options = Authenticator.Options()
        options.sleep = { [clock] in clock.sleep($0) }
        change(&options)
        authenticator = Authenticator(directory: directory, records: records, clock: clock, options: options)
    }

    func peer(_ address: String = "192.0.2.1", isTLS: Bool = true) -> LoginPeer {
        LoginPeer(
            address: address, isLoopback: address == "127.0.0.1",
            tls: isTLS ? TLSParameters(version: "TLSv1.3", cipher: "x") : nil,
            channelBinding: isTLS ? [1, 2, 3] : nil, service: "imap")
    }

    func login(_ user: String = "anna@example.test", _ password: String = "secret", from address: String = "192.0.2.1")
        async -> LoginOutcome
    {
        await authenticator.login(user: user, password: Secret(password), peer: peer(address))
    }
}

extension LoginOutcome {
    var kind: LoginFailure.Kind? {
        if case .failure(let failure) = self { return failure.kind }
        return nil
    }
    var failure: LoginFailure? {
        if case .failure(let failure) = self { return failure }
        return nil
    }
    var account: AuthenticatedAccount? {
        if case .success(let account) = self { return account }
        return nil
    }
}
