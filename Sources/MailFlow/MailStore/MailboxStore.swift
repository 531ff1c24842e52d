public import MartletCore

/// Mailboxes and messages of accounts: what IMAP and POP3 need. The same for every engine; one conformance suite.
///
/// Every writing call returns after its change is durable. A call that fails has changed nothing.
public protocol MailboxStore: Sendable {
    // MARK: Mailboxes

    /// All mailboxes of an account, sorted by name, INBOX first.
    func mailboxes(of account: AccountID) async throws(StoreError) -> [MailboxInfo]
    /// The mailbox with this name (INBOX in any case).
    func mailbox(named name: String, of account: AccountID) async throws(StoreError) -> MailboxInfo
    func mailbox(_ key: MailboxKey) async throws(StoreError) -> MailboxInfo
    /// Makes the mailbox and the levels above it that are missing (RFC 9051 §6.3.4).
    func createMailbox(named name: String, of account: AccountID, use: SpecialUse?) async throws(StoreError)
        -> MailboxInfo
    /// Deletes a mailbox and its messages; the ones below it stay (RFC 9051 §6.3.5). Not INBOX.
    func deleteMailbox(named name: String, of account: AccountID) async throws(StoreError)
    /// Renames a mailbox and all below it, or all below a level that is no mailbox itself; INBOX's messages move to the new
    /// name and INBOX stays (RFC 9051 §6.3.6).
    func renameMailbox(named name: String, to newName: String, of account: AccountID) async throws(StoreError)
    /// Subscriptions are names and outlive their mailbox (RFC 9051 §6.3.7).
    func setSubscribed(_ subscribed: Bool, name: String, of account: AccountID) async throws(StoreError)
    func subscriptions(of account: AccountID) async throws(StoreError) -> [String]

    // MARK: Reading

    /// The mailbox's whole index, sorted by UID. Arrays are shared copy-on-write: O(1) when the index is in memory.
    func index(of key: MailboxKey) async throws(StoreError) -> MailboxIndex
    /// What changed after `modSeq`. Cheap when nothing or little did. UIDs at or above `knownUIDNext` are `added`.
    func changes(in key: MailboxKey, since modSeq: ModSeq, knownUIDNext: UInt32) async throws(StoreError)
        -> MailboxChanges
    /// Summaries of these messages, in the order of `uids`; absent ones are left out.
    func summaries(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, summary: StoredSummary
    )]
    /// Walks summaries of UIDs in `range` in UID order in bounded batches, for SEARCH over large mailboxes: calls `body` with
    /// each batch until it returns false. Engines may leave `envelope` and `bodyStructure` empty, which SEARCH does not read.
    func scanSummaries(
        in key: MailboxKey, range: ClosedRange<UInt32>,
        _ body: @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool
    ) async throws(StoreError)
    func message(in key: MailboxKey, uid: UInt32) async throws(StoreError) -> any MessageReading
    /// Several messages for the wait of one, in the order of `uids`. Absent and damaged ones are left out: asked for alone they
    /// say why. The bytes of small ones are in memory then, so the caller bounds their sum.
    func messages(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, message: any MessageReading
    )]
    /// The highest MODSEQ as last committed, without waiting: what a session compares with before it asks for changes.
    /// nil when nobody watches the mailbox.
    func currentModSeq(of key: MailboxKey) -> ModSeq?

    // MARK: Writing

    func makeSpool() throws(StoreError) -> any SpoolWriter
    /// All messages or none (RFC 3502). UIDs ascend in the order given. A keyword that has no place in the mailbox is left out
    /// (see `KeywordTable`).
    func append(_ messages: [AppendedMessage], to key: MailboxKey) async throws(StoreError) -> AppendResult
    /// Changes flags of `uids` that exist; with `unchangedSince`, only of those whose MODSEQ is not above it (RFC 7162 §3.1.3).
    /// Fails when a keyword has no place. When nothing changes, no keyword is added either.
    func changeFlags(
        in key: MailboxKey, uids: [UInt32], _ operation: FlagOperation, unchangedSince: ModSeq?
    ) async throws(StoreError) -> FlagChangeResult
    /// Copies; flags, keywords and internal dates go along, but keywords that have no place there; all or none.
    func copy(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult
    /// Moves in one transaction (RFC 6851).
    func move(from key: MailboxKey, uids: [UInt32], to destination: MailboxKey) async throws(StoreError) -> CopyResult
    /// Removes those of `uids` (all when nil) that have \Deleted. The bytes are kept for undelete.
    func expunge(in key: MailboxKey, uids: [UInt32]?) async throws(StoreError) -> ExpungeResult
    /// Removes `uids` whatever their flags: POP3's QUIT.
    func remove(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> ExpungeResult
    /// Messages that were expunged and can be brought back, newest first.
    func expunged(of account: AccountID, limit: Int) async throws(StoreError) -> [ExpungedMessage]
    /// Brings expunged messages back into their mailbox (INBOX when it is gone) with new UIDs.
    func undelete(_ messages: [ExpungedMessage], of account: AccountID) async throws(StoreError) -> Int

    // MARK: Watching

    /// Calls `notify` after each commit that changed the mailbox, from any thread, soon and without blocking; several
    /// commits may become one call. Watching ends with `cancel`.
    func watch(_ key: MailboxKey, _ notify: @escaping @Sendable () -> Void) -> any StoreWatch
}

extension MailboxStore {
    public func messages(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, message: any MessageReading
    )] {
        var found: [(uid: UInt32, message: any MessageReading)] = []
        for uid in uids {
            do throws(StoreError) { found.append((uid, try await message(in: key, uid: uid))) } catch {
                switch error {
                case .noSuchMessage, .corrupt: continue
                default: throw error
                }
            }
        }
        return found
    }
}

/// A watch over a mailbox. Ends with `cancel`, not with its release.
public protocol StoreWatch: Sendable {
    /// Later commits are not told. The call for an earlier one may still come.
    func cancel()
}

/// The index of a mailbox at a moment: parallel arrays sorted by UID.
public struct MailboxIndex: Sendable {
    public var uids: [UInt32]
    public var flags: [UInt64]
    public var modSeqs: [Int64]
    /// Microseconds UTC.
    public var internalDates: [Int64]
    public var sizes: [UInt32]
    public var uidNext: UInt32
    public var highestModSeq: ModSeq
    public var keywords: [String]

    public init(
        uids: [UInt32] = [], flags: [UInt64] = [], modSeqs: [Int64] = [], internalDates: [Int64] = [],
        sizes: [UInt32] = [], uidNext: UInt32 = 1,
        highestModSeq: ModSeq = ModSeq(1), keywords: [String] = []
    ) {
        self.uids = uids
        self.flags = flags
        self.modSeqs = modSeqs
        self.internalDates = internalDates
        self.sizes = sizes
        self.uidNext = uidNext
        self.highestModSeq = highestModSeq
        self.keywords = keywords
    }

    public var count: Int { uids.count }

    /// The place of `uid`, nil when it is not there. O(log n).
    public func position(of uid: UInt32) -> Int? {
        var low = 0
        var high = uids.count
        while low < high {
            let middle = (low + high) / 2
            if uids[middle] < uid { low = middle + 1 } else { high = middle }
        }
        return low < uids.count && uids[low] == uid ? low : nil
    }

    public subscript(position: Int) -> MessageEntry {
        MessageEntry(
            uid: uids[position], flags: Flags(rawValue: flags[position]), modSeq: ModSeq(modSeqs[position]),
            internalDate: Instant(microseconds: internalDates[position]), size: Int(sizes[position]))
    }
}

/// What happened in a mailbox after a MODSEQ.
public struct MailboxChanges: Sendable {
    public var highestModSeq: ModSeq
    public var uidNext: UInt32
    /// Messages in the mailbox now.
    public var messages: Int
    /// New messages, by UID.
    public var added: [MessageEntry]
    /// Known messages whose flags changed, by UID.
    public var changed: [MessageEntry]
    /// UIDs that are gone, ascending. May name UIDs that the asker never knew.
    public var vanished: [UInt32]
    public var keywords: [String]

    public init(
        highestModSeq: ModSeq, uidNext: UInt32, messages: Int, added: [MessageEntry] = [], changed: [MessageEntry] = [],
        vanished: [UInt32] = [],
        keywords: [String] = []
    ) {
        self.highestModSeq = highestModSeq
        self.uidNext = uidNext
        self.messages = messages
        self.added = added
        self.changed = changed
        self.vanished = vanished
        self.keywords = keywords
    }
}

/// What APPEND tells (RFC 4315 §3 APPENDUID).
public struct AppendResult: Sendable, Hashable {
    public var uidValidity: UInt32
    public var uids: [UInt32]
    public init(uidValidity: UInt32, uids: [UInt32]) {
        self.uidValidity = uidValidity
        self.uids = uids
    }
}

/// What became of a STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
public struct FlagChangeResult: Sendable, Hashable {
    /// The messages after the change, by UID; also those that had the flags already.
    public var messages: [MessageEntry]
    /// The MODSEQ of each of `messages` before: who knows of that one knows all that is new in the flags.
    public var previousModSeqs: [ModSeq]
    /// UIDs left alone because of UNCHANGEDSINCE.
    public var modified: [UInt32]
    public var highestModSeq: ModSeq
    /// Whether `highestModSeq` is this change's own. When nothing changed it is that of somebody else's last change.
    public var raisedModSeq: Bool
    public var keywords: [String]
    public init(
        messages: [MessageEntry], previousModSeqs: [ModSeq], modified: [UInt32], highestModSeq: ModSeq,
        raisedModSeq: Bool, keywords: [String]
    ) {
        self.messages = messages
        self.previousModSeqs = previousModSeqs
        self.modified = modified
        self.highestModSeq = highestModSeq
        self.raisedModSeq = raisedModSeq
        self.keywords = keywords
    }
}

/// What COPY and MOVE tell (RFC 4315 §3 COPYUID).
public struct CopyResult: Sendable, Hashable {
    public var uidValidity: UInt32
    /// UIDs in the source that existed, ascending, and their new UIDs in the same order (RFC 4315 COPYUID).
    public var sourceUIDs: [UInt32]
    public var destinationUIDs: [UInt32]
    public init(uidValidity: UInt32, sourceUIDs: [UInt32], destinationUIDs: [UInt32]) {
        self.uidValidity = uidValidity
        self.sourceUIDs = sourceUIDs
        self.destinationUIDs = destinationUIDs
    }
}

/// What became of an EXPUNGE.
public struct ExpungeResult: Sendable, Hashable {
    /// The messages that are gone now. When there are none, nothing has changed.
    public var uids: [UInt32]
    /// The mailbox's after the call: the MODSEQ of `uids`' going unless there are none.
    public var highestModSeq: ModSeq
    public init(uids: [UInt32], highestModSeq: ModSeq) {
        self.uids = uids
        self.highestModSeq = highestModSeq
    }
}

/// A message that was expunged and can be brought back.
public struct ExpungedMessage: Sendable, Hashable {
    public var mailboxName: String
    public var mailbox: MailboxID
    public var uid: UInt32
    public var expungedAt: Instant
    public var size: Int
    public var subject: String
    public var from: String
    public init(
        mailboxName: String, mailbox: MailboxID, uid: UInt32, expungedAt: Instant, size: Int, subject: String,
        from: String
    ) {
        self.mailboxName = mailboxName
        self.mailbox = mailbox
        self.uid = uid
        self.expungedAt = expungedAt
        self.size = size
        self.subject = subject
        self.from = from
    }
}
