public import MailStore
public import MartletCore
internal import MessageSpool

/// Takes messages into an account of a store: spools and hashes them as they come, summarises a batch while the one before it is
/// being committed, and leaves out what the mailbox has already.
public final class StoreImporter: ImportTarget {
    private let store: any MailboxStore
    private let account: AccountID
    private let clock: any WallClock
    private let skipsDuplicates: Bool

    private var mailbox: MailboxKey?
    private var tables: [MailboxKey: DuplicateTable] = [:]
    private var writer: (any SpoolWriter)?
    private var gathered: [SpooledImport] = []
    /// Batches whose outcome is not told, the oldest first.
    private var onTheWay: [Task<Result<BatchOutcome, TransferError>, Never>] = []
    private var last: Task<Result<BatchOutcome, TransferError>, Never>?

    /// Mailboxes whose messages are remembered at a time.
    static let maximumTables = 16

    /// - Parameter skipsDuplicates: leave out messages that the mailbox has, by their content.
    public init(
        store: any MailboxStore, account: AccountID, clock: any WallClock, skipsDuplicates: Bool = true
    ) {
        self.store = store
        self.account = account
        self.clock = clock
        self.skipsDuplicates = skipsDuplicates
    }

    deinit {
        writer?.discard()
        for message in gathered { message.content.removeFile() }
    }

    /// Batches that are being committed.
    public var batchesOnTheWay: Int { onTheWay.count }

    public func mailboxes() async throws(TransferError) -> [TransferMailbox] {
        do {
            return try await store.mailboxes(of: account).map {
                TransferMailbox(name: $0.name, use: $0.specialUse, messages: $0.messages, size: $0.size)
            }
        } catch {
            throw TransferError(error)
        }
    }

    public func select(_ mailbox: TransferMailbox) async throws(TransferError) {
        do throws(StoreError) {
            self.mailbox = try await existingOrNew(mailbox).key
        } catch {
            throw TransferError(.target, "“\(mailbox.name)”: \(TransferError(error).description)")
        }
    }

    private func existingOrNew(_ mailbox: TransferMailbox) async throws(StoreError) -> MailboxInfo {
        do throws(StoreError) { return try await store.mailbox(named: mailbox.name, of: account) } catch .noSuchMailbox
        {
            let made: MailboxInfo
            do throws(StoreError) {
                made = try await store.createMailbox(named: mailbox.name, of: account, use: mailbox.use)
            } catch .mailboxExists {
                return try await store.mailbox(named: mailbox.name, of: account)
            }
            try await store.setSubscribed(true, name: made.name, of: account)
            return made
        }
    }

    public func append(_ bytes: [UInt8]) async throws(TransferError) {
        do throws(StoreError) {
            let writer: any SpoolWriter
            if let begun = self.writer { writer = begun } else { writer = try store.makeSpool() }
            self.writer = writer
            let result: Result<Void, StoreError> = bytes.withUnsafeBytes { buffer in
                do throws(StoreError) { return .success(try writer.append(buffer)) } catch { return .failure(error) }
            }
            try result.get()
        } catch {
            throw TransferError(error)
        }
    }

    public func endMessage(_ head: MessageHead) async throws(TransferError) {
        guard let writer else { return }
        self.writer = nil
        do { gathered.append(SpooledImport(content: try writer.finish(), head: head)) } catch {
            throw TransferError(error)
        }
    }

    public func discardMessage() async throws(TransferError) {
        writer?.discard()
        writer = nil
    }

    public func endBatch() async throws(TransferError) {
        guard let mailbox else { throw TransferError(.target, "no mailbox was chosen") }
        var table: DuplicateTable?
        if skipsDuplicates {
            if tables.count >= Self.maximumTables, tables[mailbox] == nil { tables = [:] }
            let known = tables[mailbox] ?? DuplicateTable(store: store, key: mailbox)
            tables[mailbox] = known
            table = known
        }
        let batch = ImportBatch(
            store: store, mailbox: mailbox, messages: gathered, table: table, now: clock.now())
        gathered = []
        let task = Task.detached { [last] in await batch.commit(after: last) }
        last = task
        onTheWay.append(task)
    }

    public func outcome() async throws(TransferError) -> BatchOutcome {
        precondition(!onTheWay.isEmpty, "each batch has one outcome")
        return try await onTheWay.removeFirst().value.get()
    }
}

/// A message that is complete in the spool.
struct SpooledImport: Sendable {
    let content: SpooledMessage
    let head: MessageHead
}

/// The messages of one batch on their way into the store.
private struct ImportBatch: Sendable {
    let store: any MailboxStore
    let mailbox: MailboxKey
    let messages: [SpooledImport]
    let table: DuplicateTable?
    let now: Instant

    /// Summaries are made while the batch before is still being committed; rows are written after it.
    func commit(after previous: Task<Result<BatchOutcome, TransferError>, Never>?) async
        -> Result<BatchOutcome, TransferError>
    {
        do throws(StoreError) {
            var new: [AppendedMessage] = []
            new.reserveCapacity(messages.count)
            for message in messages {
                let summary = try await message.content.summary()
                new.append(
                    AppendedMessage(
                        content: message.content, summary: summary, flags: message.head.named,
                        internalDate: message.head.date ?? summary.sentDate ?? now))
            }
            if let previous, case .failure(let error) = await previous.value {
                removeFiles()
                return .failure(error)
            }
            guard table != nil else { return .success(try await store(new)) }
            await MailboxTurns.shared.begin(mailbox)
            defer { MailboxTurns.shared.end(mailbox) }
            return .success(try await store(new))
        } catch {
            removeFiles()
            return .failure(TransferError(error))
        }
    }

    private func store(_ all: [AppendedMessage]) async throws(StoreError) -> BatchOutcome {
        var new = all
        if let table {
            let known = try await table.areKnown(
                all.map { ($0.content.blob, MessageLikeness($0.summary, size: $0.content.size)) })
            new = zip(all, known).filter { !$0.1 }.map(\.0)
            for (message, isKnown) in zip(all, known) where isKnown { message.content.removeFile() }
        }
        if !new.isEmpty {
            let result = try await store.append(new, to: mailbox)
            await table?.note(new.map(\.content.blob), result.uids)
        }
        return BatchOutcome(
            stored: new.count, duplicates: all.count - new.count,
            octets: new.reduce(0) { $0 + Int64($1.content.size) })
    }

    private func removeFiles() { for message in messages { message.content.removeFile() } }
}
