import MailStore
import MartletCore

/// A store in memory of which a test replaces what it looks at.
struct HookedStore: MailboxStore {
    typealias Batch = @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool

    let base: InMemoryStore
    var spool: (@Sendable () -> any SpoolWriter)?
    var scan: (@Sendable (_ body: Batch) async -> Void)?

    func makeSpool() throws(StoreError) -> any SpoolWriter {
        if let spool { return spool() }
        return try base.makeSpool()
    }
    func scanSummaries(in key: MailboxKey, range: ClosedRange<UInt32>, _ body: Batch) async throws(StoreError) {
        guard damagedSummaries.isEmpty else { throw .corrupt(reason: "test") }
        guard let scan else { return try await base.scanSummaries(in: key, range: range, body) }
        await scan(body)
    }

    /// UIDs whose bytes, or whose summaries, are damaged.
    var damagedMessages: Set<UInt32> = []
    var damagedSummaries: Set<UInt32> = []

    func summaries(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, summary: StoredSummary
    )] {
        guard damagedSummaries.isDisjoint(with: uids) else { throw .corrupt(reason: "test") }
        return try await base.summaries(in: key, uids: uids)
    }
    func message(in key: MailboxKey, uid: UInt32) async throws(StoreError) -> any MessageReading {
        guard !damagedMessages.contains(uid) else { throw .corrupt(reason: "test") }
        return try await base.message(in: key, uid: uid)
    }

    // MARK: As it is

    func mailboxes(of account: AccountID) async throws(StoreError) -> [MailboxInfo] {
        try await base.mailboxes(of: account)
    }
    func mailbox(named name: String, of account: AccountID) async throws(StoreError) -> MailboxInfo {
        try await base.mailbox(named: name, of: account)
    }
    func mailbox(_ key: MailboxKey) async throws(StoreError) -> MailboxInfo { try await base.mailbox(key) }
    func createMailbox(named name: String, of account: AccountID, use: SpecialUse?) async throws(StoreError)
        -> MailboxInfo
    { try await base.createMailbox(named: name, of: account, use: use) }
    func deleteMailbox(named name: String, of account: AccountID) async throws(StoreError) {
        try await base.deleteMailbox(named: name, of: account)
    }
    func renameMailbox(named name: String, to newName: String, of account: AccountID) async throws(StoreError) {
        try await base.renameMailbox(named: name, to: newName, of: account)
    }
    func setSubscribed(_ subscribed: Bool, name: String, of account: AccountID) async throws(StoreError) {
        try await base.setSubscribed(subscribed, name: name, of: account)
    }
    func subscriptions(of account: AccountID) async throws(StoreError) -> [String] {
        try await base.subscriptions(of: account)
    }
    func index(of key: MailboxKey) async throws(StoreError) -> MailboxIndex { try await base.index(of: key) }
    func changes(in key: MailboxKey, since modSeq: ModSeq, knownUIDNext: UInt32) async throws(StoreError)
        -> MailboxChanges
    { try await base.changes(in: key, since: modSeq, knownUIDNext: knownUIDNext) }
    func currentModSeq(of key: MailboxKey) -> ModSeq? { base.currentModSeq(of: key) }
    func append(_ messages: [AppendedMessage], to key: MailboxKey) async throws(StoreError) -> AppendResult {
        try await base.append(messages, to: key)
    }
    func changeFlags(
        in key: MailboxKey, uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) async throws(StoreError) -> FlagChangeResult {
        try await base.changeFlags(in: key, uids: uids, operation, unchangedSince: unchangedSince)
    }
    func copy(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult {
        try await base.copy(from: key, uids: uids, to: destination)
    }
    func move(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult {
        try await base.move(from: key, uids: uids, to: destination)
    }
    func expunge(in key: MailboxKey, uids: [UInt32]?) async throws(StoreError) -> ExpungeResult {
        try await base.expunge(in: key, uids: uids)
    }
    func remove(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> ExpungeResult {
        try await base.remove(in: key, uids: uids)
    }
    func expunged(of account: AccountID, limit: Int) async throws(StoreError) -> [ExpungedMessage] {
        try await base.expunged(of: account, limit: limit)
    }
    func undelete(_ messages: [ExpungedMessage], of account: AccountID) async throws(StoreError) -> Int {
        try await base.undelete(messages, of: account)
    }
    func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> any StoreWatch {
        base.watch(key, notify)
    }
}
