internal import MailStore
internal import MartletCore
internal import Synchronization

/// Which messages a mailbox has: looked at once, and kept up with what is added. Used within a turn (`MailboxTurns`).
///
/// About 20 octets a message are held. What may be the same is read and compared by its SHA-256.
actor DuplicateTable {
    private let store: any MailboxStore
    private let key: MailboxKey
    /// Messages that others added: the first of each likeness, and others like it.
    private var known: [UInt64: UInt32] = [:]
    private var others: [UInt64: [UInt32]] = [:]
    /// First half of the digests of what was stored since.
    private var stored: Set<UInt64> = []
    /// Messages below this UID are known.
    private var seenUIDNext: UInt32 = 1

    /// Messages of one likeness that are read and compared.
    static let maximumAlike = 32

    init(store: any MailboxStore, key: MailboxKey) {
        self.store = store
        self.key = key
    }

    /// For each message, whether the mailbox has it, or one before it in `messages` is the same.
    func areKnown(_ messages: [(blob: BlobID, likeness: MessageLikeness)]) async throws(StoreError) -> [Bool] {
        try await lookAtNew()
        var result: [Bool] = []
        result.reserveCapacity(messages.count)
        var batch: Set<UInt64> = []
        for message in messages {
            let mark = Self.mark(message.blob)
            if stored.contains(mark) || batch.contains(mark) {
                result.append(true)
                continue
            }
            let isKnown = try await isThere(message.blob, message.likeness)
            if !isKnown { batch.insert(mark) }
            result.append(isKnown)
        }
        return result
    }

    /// These are in the mailbox now, with these UIDs.
    func note(_ blobs: [BlobID], _ uids: [UInt32]) {
        for blob in blobs { stored.insert(Self.mark(blob)) }
        if let last = uids.last { seenUIDNext = max(seenUIDNext, last &+ 1) }
    }

    private static func mark(_ blob: BlobID) -> UInt64 { blob.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    private func isThere(_ blob: BlobID, _ likeness: MessageLikeness) async throws(StoreError) -> Bool {
        guard let first = known[likeness.value] else { return false }
        for uid in [first] + (others[likeness.value] ?? []) {
            do throws(StoreError) {
                let message = try await store.message(in: key, uid: uid)
                if try await message.digest() == blob {
                    stored.insert(Self.mark(blob))
                    return true
                }
            } catch .noSuchMessage {
                continue
            } catch .corrupt {
                // Damaged bytes are no copy.
                continue
            }
        }
        return false
    }

    /// Summaries of what was added by others since the last time; at first, of all.
    private func lookAtNew() async throws(StoreError) {
        let next = try await store.mailbox(key).uidNext
        guard next > seenUIDNext else { return }
        let index = try await store.index(of: key)
        let found = Found()
        try await store.scanSummaries(in: key, range: seenUIDNext...(next - 1)) { batch in
            found.content.withLock { content in
                for (uid, summary) in batch {
                    guard let place = index.position(of: uid) else { continue }
                    let likeness = MessageLikeness(summary, size: Int(index.sizes[place])).value
                    if content.first[likeness] == nil {
                        content.first[likeness] = uid
                    } else if content.others[likeness, default: []].count < Self.maximumAlike {
                        content.others[likeness, default: []].append(uid)
                    }
                }
            }
            return true
        }
        let (first, more) = found.content.withLock { ($0.first, $0.others) }
        if known.isEmpty {
            (known, others) = (first, more)
        } else {
            for (likeness, uid) in first { add([uid], likeness) }
            for (likeness, uids) in more { add(uids, likeness) }
        }
        seenUIDNext = next
    }

    private func add(_ uids: [UInt32], _ likeness: UInt64) {
        for uid in uids {
            if known[likeness] == nil {
                known[likeness] = uid
            } else if others[likeness, default: []].count < Self.maximumAlike {
                others[likeness, default: []].append(uid)
            }
        }
    }

    private final class Found: Sendable {
        let content = Mutex<(first: [UInt64: UInt32], others: [UInt64: [UInt32]])>(([:], [:]))
    }
}
