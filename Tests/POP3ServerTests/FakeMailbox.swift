import Authentication
import MailStore
import MartletCore
import Synchronization

/// One account with one INBOX in memory: what POP3 touches of a store. The rest throws.
final class FakeMailbox: MailboxStore {
    struct State {
        var messages: [(uid: UInt32, content: [UInt8])] = []
        var removals: [[UInt32]] = []
        var removalFails = false
        var openingFails = false
        /// Reads of messages fail beyond this octet.
        var readableOctets = Int.max
        /// Waits for one message or several.
        var reads = 0

        func message(_ uid: UInt32) -> FakeMessage? {
            messages.first { $0.uid == uid }.map { FakeMessage(content: $0.content, readable: readableOctets) }
        }
    }
    let state = Mutex(State())
    static let key = MailboxKey(account: AccountID(1), mailbox: MailboxID(1))

    func mailboxes(of account: AccountID) async throws(StoreError) -> [MailboxInfo] {
        [try await mailbox(FakeMailbox.key)]
    }
    func mailbox(named name: String, of account: AccountID) async throws(StoreError) -> MailboxInfo {
        try await mailbox(FakeMailbox.key)
    }
    func mailbox(_ key: MailboxKey) async throws(StoreError) -> MailboxInfo {
        let (count, fails) = state.withLock { ($0.messages.count, $0.openingFails) }
        if fails { throw .unavailable(reason: "test") }
        return MailboxInfo(
            key: FakeMailbox.key, name: "INBOX", uidValidity: 7, uidNext: 100, highestModSeq: ModSeq(1),
            messages: count, unseen: 0, deleted: 0,
            size: 0, subscribed: true, specialUse: nil, keywords: [])
    }
    func index(of key: MailboxKey) async throws(StoreError) -> MailboxIndex {
        state.withLock { state in
            MailboxIndex(uids: state.messages.map(\.uid), sizes: state.messages.map { UInt32($0.content.count) })
        }
    }
    func message(in key: MailboxKey, uid: UInt32) async throws(StoreError) -> any MessageReading {
        let found = state.withLock { state in
            state.reads += 1
            return state.message(uid)
        }
        guard let found else { throw .noSuchMessage }
        return found
    }
    func messages(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, message: any MessageReading
    )] {
        state.withLock { state in
            state.reads += 1
            return uids.compactMap { uid in state.message(uid).map { (uid, $0) } }
        }
    }
    func remove(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> ExpungeResult {
        let fails = state.withLock { state in
            if state.removalFails { return true }
            state.removals.append(uids)
            state.messages.removeAll { uids.contains($0.uid) }
            return false
        }
        if fails { throw .unavailable(reason: "disk full") }
        return ExpungeResult(uids: uids, highestModSeq: ModSeq(2))
    }

    func currentModSeq(of key: MailboxKey) -> ModSeq? { nil }
    func createMailbox(named name: String, of account: AccountID, use: SpecialUse?) async throws(StoreError)
        -> MailboxInfo
    { throw .closed }
    func deleteMailbox(named name: String, of account: AccountID) async throws(StoreError) { throw .closed }
    func renameMailbox(named name: String, to newName: String, of account: AccountID) async throws(StoreError) {
        throw .closed
    }
    func setSubscribed(_ subscribed: Bool, name: String, of account: AccountID) async throws(StoreError) {
        throw .closed
    }
    func subscriptions(of account: AccountID) async throws(StoreError) -> [String] { throw .closed }
    func changes(in key: MailboxKey, since modSeq: ModSeq, knownUIDNext: UInt32) async throws(StoreError)
        -> MailboxChanges
    { throw .closed }
    func summaries(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, summary: StoredSummary
    )] { throw .closed }
    func scanSummaries(
        in key: MailboxKey, range: ClosedRange<UInt32>,
        _ body: @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool
    ) async throws(StoreError) { throw .closed }
    func makeSpool() throws(StoreError) -> any SpoolWriter { throw .closed }
    func append(_ messages: [AppendedMessage], to key: MailboxKey) async throws(StoreError) -> AppendResult {
        throw .closed
    }
    func changeFlags(
        in key: MailboxKey, uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) async throws(StoreError) -> FlagChangeResult { throw .closed }
    func copy(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult {
        throw .closed
    }
    func move(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult {
        throw .closed
    }
    func expunge(in key: MailboxKey, uids: [UInt32]?) async throws(StoreError) -> ExpungeResult { throw .closed }
    func expunged(of account: AccountID, limit: Int) async throws(StoreError) -> [ExpungedMessage] { throw .closed }
    func undelete(_ messages: [ExpungedMessage], of account: AccountID) async throws(StoreError) -> Int {
        throw .closed
    }
    func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> any StoreWatch { FakeWatch() }
}

struct FakeWatch: StoreWatch {
    func cancel() {}
}

struct FakeMessage: MessageReading {
    var content: [UInt8]
    var readable: Int
    var size: Int { content.count }
    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<content.count)
        guard range.upperBound <= readable else { throw .corrupt(reason: "test") }
        return Array(content[range])
    }
}

/// A directory with one account: `anna@example.test`, password `secret`.
struct FakeDirectory: DirectoryStore {
    static let credential: Credential? = try? CredentialMaker.make(password: Secret("secret"), now: Instant(seconds: 0))
    static let address = EmailAddress("anna@example.test")

    func domain(_ domain: Domain) -> LocalDomain? { domains().first { $0.domain == domain } }
    func entry(localPart: String, domain: Domain) -> AddressEntry? {
        guard localPart == "anna", let address = FakeDirectory.address else { return nil }
        return .account(AccountID(1), address)
    }
    func account(_ id: AccountID) -> Account? {
        FakeDirectory.address.map {
            Account(
                id: id, address: $0, displayName: "", quota: nil, usedBytes: 0, usedMessages: 0, isAdministrator: false,
                isSuspended: false)
        }
    }
    func addresses(of account: AccountID) -> [EmailAddress] { [] }
    func credentialGeneration(of account: AccountID) -> Int64 { 1 }
    func credentials(of account: AccountID) async throws(StoreError) -> [Credential] {
        [FakeDirectory.credential].compactMap { $0 }
    }
    func domains() -> [LocalDomain] { Domain("example.test").map { [LocalDomain(domain: $0)] } ?? [] }
    func accounts() -> [Account] { [] }
    func aliases() -> [(address: EmailAddress, targets: [EmailAddress])] { [] }
    func noteUse(ofCredential number: Int64, of account: AccountID, at instant: Instant) {}
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

struct FixedClock: WallClock {
    func now() -> Instant { Instant(year: 2026, month: 11, day: 24) }
}
