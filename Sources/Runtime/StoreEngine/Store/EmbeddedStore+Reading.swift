public import MailStore
internal import MartletCore
internal import Synchronization

// Index, summaries and messages.
extension EmbeddedStore {
    /// Octets of a message that are read along with its row, so that reading it costs one wait and not two.
    static let prefetchLimit = 128 << 10
    /// Rows that are read before the caller is asked whether it wants more.
    private static let scanBatch = 256

    public func index(of key: MailboxKey) async throws(StoreError) -> MailboxIndex {
        // A load is repeated when more happened during it than the cache keeps track of.
        for _ in 0..<4 {
            // What a session was told of counters comes from the row: the index is never older.
            let row = try await row(key)
            if let index = indexes.index(of: key), index.highestModSeq.value >= row.highestModSeq { return index }
            let index = try await readers.read { [indexes] connection -> MailboxIndex? in
                indexes.beginLoad(key)
                var loaded: (index: MailboxIndex, row: MailboxRow)?
                do {
                    loaded = try connection.reading { try MailboxIndex.read(key, on: connection) }
                } catch {
                    _ = indexes.endLoad(key, nil)
                    throw error
                }
                if loaded == nil { throw StoreError.noSuchMailbox }
                return indexes.endLoad(key, loaded)
            }
            if let index { return index }
        }
        throw .unavailable(reason: "the mailbox changes faster than it can be read")
    }

    public func changes(in key: MailboxKey, since modSeq: ModSeq, knownUIDNext: UInt32) async throws(StoreError)
        -> MailboxChanges
    {
        if let changes = indexes.changes(in: key, since: modSeq.value, knownUIDNext: knownUIDNext) { return changes }
        // From far back: what is there comes from the index, what is gone from its rows.
        let index = try await index(of: key)
        let row = try await row(key)
        var changes = MailboxChanges(
            highestModSeq: index.highestModSeq, uidNext: index.uidNext, messages: index.count, keywords: index.keywords)
        for position in index.uids.indices where index.modSeqs[position] > modSeq.value {
            if index.uids[position] >= knownUIDNext {
                changes.added.append(index[position])
            } else {
                changes.changed.append(index[position])
            }
        }
        if modSeq.value < row.purgedModSeq {
            // Expunges of that time have been forgotten: whatever is not there is gone (RFC 7162 §3.2.5.2 allows to say more).
            var position = 0
            for uid in 1..<max(1, index.uidNext) {
                if position < index.count, index.uids[position] == uid {
                    position += 1
                } else {
                    changes.vanished.append(uid)
                }
            }
            return changes
        }
        let highest = index.highestModSeq.value
        changes.vanished = try await readers.read { connection in
            let statement = try connection(.expungedSince)
            statement.add(key.account.value).add(key.mailbox.value).add(modSeq.value).add(highest)
            var uids: [UInt32] = []
            while try statement.step() { uids.append(UInt32(clamping: statement.int(0))) }
            return uids
        }
        return changes
    }

    public func summaries(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, summary: StoredSummary
    )] {
        _ = try await row(key)
        return try await readers.read { connection in
            var result: [(uid: UInt32, summary: StoredSummary)] = []
            result.reserveCapacity(uids.count)
            let statement = try connection(.summaryOfMessage)
            defer { statement.finish() }
            for uid in uids {
                statement.add(key.account.value).add(key.mailbox.value).add(uid)
                if try statement.step() { result.append((uid, StoredSummary(row: statement))) }
                statement.finish()
            }
            return result
        }
    }

    public func scanSummaries(
        in key: MailboxKey, range: ClosedRange<UInt32>,
        _ body: @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool
    ) async throws(StoreError) {
        _ = try await row(key)
        var next = range.lowerBound
        while true {
            let first = next
            let batch = try await readers.read { connection in
                let statement = try connection(.scanSummaries)
                statement.add(key.account.value).add(key.mailbox.value).add(first).add(range.upperBound).add(
                    EmbeddedStore.scanBatch)
                var batch: [(uid: UInt32, summary: StoredSummary)] = []
                batch.reserveCapacity(EmbeddedStore.scanBatch)
                while try statement.step() {
                    batch.append((UInt32(clamping: statement.int(0)), StoredSummary(textOf: statement)))
                }
                return batch
            }
            guard let last = batch.last else { return }
            guard body(batch), batch.count == EmbeddedStore.scanBatch, last.uid < range.upperBound else { return }
            next = last.uid + 1
        }
    }

    public func message(in key: MailboxKey, uid: UInt32) async throws(StoreError) -> any MessageReading {
        let found = try await readers.read { [segments, readers] connection in
            try StoredMessageReader(key, uid, on: connection, segments, readers)
        }
        guard let found else {
            _ = try await row(key)
            throw .noSuchMessage
        }
        return found
    }

    public func messages(in key: MailboxKey, uids: [UInt32]) async throws(StoreError) -> [(
        uid: UInt32, message: any MessageReading
    )] {
        try await readers.read { [segments, readers] connection in
            var found: [(uid: UInt32, message: any MessageReading)] = []
            for uid in uids {
                do {
                    guard let message = try StoredMessageReader(key, uid, on: connection, segments, readers) else {
                        continue
                    }
                    found.append((uid, message))
                } catch StoreError.corrupt { continue }
            }
            return found
        }
    }

    public func expunged(of account: AccountID, limit: Int) async throws(StoreError) -> [ExpungedMessage] {
        guard directory.account(account) != nil else { throw .noSuchAccount }
        return try await readers.read { connection in
            let statement = try connection(.expungedOfAccount).add(account.value).add(max(0, limit))
            var messages: [ExpungedMessage] = []
            while try statement.step() {
                messages.append(
                    ExpungedMessage(
                        mailboxName: statement.text(6), mailbox: MailboxID(statement.int(0)),
                        uid: UInt32(clamping: statement.int(1)),
                        expungedAt: Instant(microseconds: statement.int(2)), size: Int(statement.int(3)),
                        subject: statement.text(4),
                        from: statement.text(5)))
            }
            return messages
        }
    }
}

extension MailboxIndex {
    /// Reads index and row of a mailbox. Within one read transaction; nil when there is no such mailbox.
    static func read(_ key: MailboxKey, on connection: SQLiteConnection) throws -> (
        index: MailboxIndex, row: MailboxRow
    )? {
        guard let row = try AccountMailboxes.read(key.account, on: connection)?.rows[key.mailbox], row.deletedAt == 0
        else { return nil }
        var index = MailboxIndex(uidNext: row.uidNext, highestModSeq: ModSeq(row.highestModSeq), keywords: row.keywords)
        // A damaged counter must not take all memory.
        let count = min(max(0, Int(clamping: row.messages)), 1 << 20)
        index.uids.reserveCapacity(count)
        index.flags.reserveCapacity(count)
        index.modSeqs.reserveCapacity(count)
        index.internalDates.reserveCapacity(count)
        index.sizes.reserveCapacity(count)
        let statement = try connection(.indexOfMailbox).add(key.account.value).add(key.mailbox.value)
        while try statement.step() {
            index.uids.append(UInt32(clamping: statement.int(0)))
            index.flags.append(UInt64(bitPattern: statement.int(1)))
            index.modSeqs.append(statement.int(2))
            index.internalDates.append(statement.int(3))
            index.sizes.append(UInt32(clamping: statement.int(4)))
        }
        return (index, row)
    }
}

extension StoredSummary {
    /// From the present row of `SQL.summaryOfMessage`.
    init(row: Statement) {
        self.init(textOf: row)
        envelope = row.bytes(10)
        bodyStructure = row.bytes(11)
    }

    /// From the present row of `SQL.scanSummaries` or `SQL.summaryOfMessage`: without envelope and body structure.
    init(textOf row: Statement) {
        self.init(
            envelope: [], bodyStructure: [], subject: row.text(1), from: row.text(2), to: row.text(3), cc: row.text(4),
            bcc: row.text(5), messageID: row.optionalText(6),
            sentDate: row.optionalInt(7).map { Instant(microseconds: $0) }, sentZoneMinutes: Int(row.int(8)),
            preview: row.text(9))
    }
}

/// A message for reading: prefix, then blob. A small blob is in memory already; of a large one the parts that are asked for are
/// read and verified.
final class StoredMessageReader: MessageReading {
    private let prefix: [UInt8]
    private let blob: BlobID
    private let location: BlobLocation
    /// Of a large blob: compaction may move it and remove the file while it is being read.
    private let file: (any StoreFile)?
    private let whole: [UInt8]?
    private let segments: SegmentFiles
    private let readers: ReaderPool
    private let checksums = Mutex<[UInt32]?>(nil)

    init(
        prefix: [UInt8], blob: BlobID, location: BlobLocation, file: (any StoreFile)?, whole: [UInt8]?,
        segments: SegmentFiles, readers: ReaderPool
    ) {
        self.prefix = prefix
        self.blob = blob
        self.location = location
        self.file = file
        self.whole = whole
        self.segments = segments
        self.readers = readers
    }

    /// Looks the message up, and reads its bytes when they are few. nil when there is no such message.
    convenience init?(
        _ key: MailboxKey, _ uid: UInt32, on connection: SQLiteConnection, _ segments: SegmentFiles,
        _ readers: ReaderPool
    ) throws {
        let message = try connection(.messageRow).add(key.account.value).add(key.mailbox.value).add(uid)
        guard try message.step() else { return nil }
        let size = message.int(3)
        let blob = BlobID(message.bytes(4))
        let prefix = message.bytes(5)
        message.finish()
        guard let blob else { throw StoreError.corrupt(reason: "message \(key)/\(uid) names no blob") }
        do {
            try self.init(blob: blob, prefix: prefix, on: connection, segments, readers)
        } catch StoreError.noSuchMessage {
            throw StoreError.corrupt(reason: "message \(key)/\(uid) names a blob that is not there")
        }
        guard Int64(self.size) == size else {
            throw StoreError.corrupt(reason: "message \(key)/\(uid) has another size than its blob")
        }
    }

    /// Finds a blob, and reads it when it is small.
    convenience init(
        blob: BlobID, prefix: [UInt8], on connection: SQLiteConnection, _ segments: SegmentFiles, _ readers: ReaderPool
    ) throws {
        guard var location = try connection.location(of: blob) else { throw StoreError.noSuchMessage }
        while true {
            do {
                var checksums: [UInt32]?
                var whole: [UInt8]?
                var file: (any StoreFile)?
                if location.length <= EmbeddedStore.prefetchLimit {
                    whole = try segments.read(0..<location.length, of: blob, at: location, checksums: &checksums)
                } else {
                    file = try? segments.file(location.segment)
                    // One that is not there is told when its octets are asked for.
                    if file == nil, let present = try connection.location(of: blob), present != location {
                        location = present
                        continue
                    }
                }
                self.init(
                    prefix: prefix, blob: blob, location: location, file: file, whole: whole, segments: segments,
                    readers: readers)
                return
            } catch {
                // Compaction may have moved it since its row was read.
                guard let present = try connection.location(of: blob), present != location else { throw error }
                location = present
            }
        }
    }

    var size: Int { prefix.count + location.length }

    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<size)
        let ofPrefix = range.clamped(to: 0..<prefix.count)
        let ofBlob = max(0, range.lowerBound - prefix.count)..<max(0, range.upperBound - prefix.count)
        if ofBlob.isEmpty { return Array(prefix[ofPrefix]) }
        if let whole {
            if ofPrefix.isEmpty, ofBlob.count == whole.count { return whole }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(range.count)
            bytes += prefix[ofPrefix]
            bytes += whole[ofBlob]
            return bytes
        }
        let bytes = try await readers.read { [self] _ in
            var known = checksums.withLock { $0 }
            let bytes = try segments.read(ofBlob, of: blob, at: location, in: file, checksums: &known)
            let found = known
            checksums.withLock { $0 = found }
            return bytes
        }
        return ofPrefix.isEmpty ? bytes : Array(prefix[ofPrefix]) + bytes
    }
}

extension SQLiteConnection {
    /// Where a blob is; nil when there is no such blob.
    func location(of blob: BlobID) throws -> BlobLocation? {
        let row = try self(.getBlob).add(Schema.shard).add(blob.bytes)
        defer { row.finish() }
        guard try row.step() else { return nil }
        guard let location = BlobLocation(segment: row.int(0), place: row.int(1), length: row.int(2)) else {
            throw StoreError.corrupt(reason: "the place of blob \(blob.hexadecimal) makes no sense")
        }
        return location
    }
}
