internal import IMAPProtocol
internal import MailStore
internal import MartletCore

/// What the client of one session knows of its selected mailbox.
///
/// SELECT takes numbers from the mailbox's row only, so that it costs the same for a million messages. The UIDs behind the
/// sequence numbers are loaded when a command first needs them; they are then what they were at the moment of the last
/// announcement, whatever has happened in the store since. The view changes in `apply` alone, and what `apply` returns must be
/// sent: so client and server never disagree about a sequence number (RFC 9051 §7.5.1).
struct SelectedMailbox {
    let key: MailboxKey
    let uidValidity: UInt32
    let isReadOnly: Bool
    /// Messages that the client knows: the last EXISTS less the EXPUNGEs since.
    private(set) var count: Int
    /// UIDs below this are known or gone.
    private(set) var knownUIDNext: UInt32
    /// Everything up to this modification has been announced, or stands in `pendingExpunges`.
    private(set) var synced: ModSeq
    private(set) var keywords: [String]
    /// Sorted. nil until a command needs sequence numbers or UIDs.
    private(set) var uids: [UInt32]?
    /// UIDs in the view that are gone and could not be announced yet, ascending.
    private(set) var pendingExpunges: [UInt32] = []
    /// `$` (RFC 5182): UIDs, ascending.
    var savedResult: [UInt32] = []
    /// Kept so that the store tells of changes; ended when the mailbox is left.
    var watch: (any StoreWatch)?

    init(_ info: MailboxInfo, isReadOnly: Bool) {
        key = info.key
        uidValidity = info.uidValidity
        self.isReadOnly = isReadOnly
        count = info.messages
        knownUIDNext = info.uidNext
        synced = info.highestModSeq
        keywords = info.keywords
    }

    // MARK: Loading

    /// Loads the UIDs of the view from `index`, the store's present state, and `changes` since `synced`, asked for afterwards:
    /// what is known is what is there below `knownUIDNext`, and what has gone since.
    mutating func load(from index: MailboxIndex, changes: MailboxChanges?) {
        guard uids == nil else { return }
        var known = index.uids
        if let last = known.last, last >= knownUIDNext {
            known.removeSubrange(firstPosition(in: known, atLeast: knownUIDNext)..<known.count)
        }
        if let changes {
            let gone = changes.vanished.filter { $0 < knownUIDNext }
            if !gone.isEmpty { known = merged(known, gone) }
        }
        count = known.count
        uids = known
    }

    /// The sequence number of `uid`, when the UIDs are loaded and it is known.
    func sequenceNumber(of uid: UInt32) -> Int? {
        guard let uids else { return nil }
        let position = firstPosition(in: uids, atLeast: uid)
        return position < uids.count && uids[position] == uid ? position + 1 : nil
    }

    /// The positions that `set` means, once the UIDs are loaded. nil: a sequence number is none of a message (BAD).
    func positions(of set: SequenceSet, areUIDs: Bool) -> PositionSet? {
        guard let uids else { return nil }
        return areUIDs
            ? set.positions(ofUIDsIn: uids, saved: savedResult) : set.positions(ofSequencesIn: uids, saved: savedResult)
    }

    // MARK: Changes

    /// What has to be sent after `apply`, in this order.
    struct Announcement {
        /// Sequence numbers, each valid after the ones before it: descending.
        var expunged: [Int] = []
        var exists: Int?
        var keywordsChanged = false
        var flags: [(sequenceNumber: Int, entry: MessageEntry)] = []
        var isEmpty: Bool { expunged.isEmpty && exists == nil && !keywordsChanged && flags.isEmpty }
    }

    /// Whether `changes` can be applied without the UIDs.
    func needsUIDs(for changes: MailboxChanges) -> Bool {
        uids == nil && !(changes.changed.isEmpty && changes.vanished.isEmpty)
    }

    /// Takes changes into the view. Expunges wait in `pendingExpunges` unless they may be announced now.
    /// - Parameter known: modifications that the client has been told of in answer to its own command, by UID.
    mutating func apply(_ changes: MailboxChanges, announcesExpunges: Bool, known: [UInt32: ModSeq] = [:])
        -> Announcement
    {
        var announcement = Announcement()
        synced = max(synced, changes.highestModSeq)
        if changes.keywords != keywords {
            keywords = changes.keywords
            announcement.keywordsChanged = true
        }
        let gone = changes.vanished.filter { $0 < knownUIDNext && sequenceNumber(of: $0) != nil }
        if !gone.isEmpty { pendingExpunges = merged(pendingExpunges, gone) }
        if announcesExpunges { announcement.expunged = takePendingExpunges() }
        if !changes.added.isEmpty {
            count += changes.added.count
            uids?.append(contentsOf: changes.added.lazy.map(\.uid))
            announcement.exists = count
        }
        knownUIDNext = max(knownUIDNext, changes.uidNext)
        for entry in changes.changed where known[entry.uid] != entry.modSeq {
            guard let number = sequenceNumber(of: entry.uid) else { continue }
            announcement.flags.append((number, entry))
        }
        return announcement
    }

    /// Removes what is gone from the view. Returns the sequence numbers to announce.
    mutating func takePendingExpunges() -> [Int] {
        guard !pendingExpunges.isEmpty, var uids else { return [] }
        self.uids = nil
        var numbers: [Int] = []
        numbers.reserveCapacity(pendingExpunges.count)
        for uid in pendingExpunges.reversed() {
            let position = firstPosition(in: uids, atLeast: uid)
            if position < uids.count, uids[position] == uid { numbers.append(position + 1) }
        }
        if numbers.count <= 8 {
            for number in numbers { uids.remove(at: number - 1) }
        } else {
            // One pass, whatever the number.
            let gone = pendingExpunges
            var next = 0
            uids.removeAll { uid in
                while next < gone.count, gone[next] < uid { next += 1 }
                return next < gone.count && gone[next] == uid
            }
        }
        if !savedResult.isEmpty {
            let gone = Set(pendingExpunges)
            savedResult.removeAll { gone.contains($0) }
        }
        pendingExpunges = []
        count = uids.count
        self.uids = uids
        return numbers
    }

    /// Takes a change of flags of our own of which the client has been told: nothing else has happened when its MODSEQ is the
    /// next one after the last that is known. A MODSEQ that the change found and did not make is somebody else's.
    /// Returns false when `changes` must be asked for.
    mutating func skip(_ own: FlagChangeResult) -> Bool {
        if own.highestModSeq == synced { return true }
        guard own.raisedModSeq, own.highestModSeq.value == synced.value &+ 1, own.keywords == keywords else {
            return false
        }
        synced = own.highestModSeq
        return true
    }
}

/// The first position of `sorted` whose element is `bound` or more; `sorted.count` when there is none. O(log n).
func firstPosition(in sorted: [UInt32], atLeast bound: UInt32) -> Int {
    sorted.withUnsafeBufferPointer { elements in
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if elements[middle] < bound { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The union of two sorted arrays.
func merged(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
    guard let firstRight = right.first else { return left }
    guard let lastLeft = left.last else { return right }
    if lastLeft < firstRight { return left + right }
    var union: [UInt32] = []
    union.reserveCapacity(left.count + right.count)
    var i = 0
    var j = 0
    while i < left.count || j < right.count {
        if j == right.count || (i < left.count && left[i] < right[j]) {
            union.append(left[i])
            i += 1
        } else {
            if i < left.count, left[i] == right[j] { i += 1 }
            union.append(right[j])
            j += 1
        }
    }
    return union
}
