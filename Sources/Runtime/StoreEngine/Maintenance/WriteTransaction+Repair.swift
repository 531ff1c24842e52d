internal import MailStore
internal import MartletCore

// Each repair finds again what is wrong: it may have changed since a reader saw it.
extension WriteTransaction {
    /// Counts a mailbox anew, and raises UIDNEXT and HIGHESTMODSEQ above all that its rows have. Returns what was so in words;
    /// nil when all is right.
    func recount(_ key: MailboxKey) throws -> String? {
        var row: MailboxRow
        do { row = try self.row(key) } catch StoreError.noSuchMailbox { return nil }
        let found = try connection(.recountMailbox).add(key.account.value).add(key.mailbox.value)
        guard try found.step() else { return nil }
        let (messages, unseen, deleted, size) = (found.int(0), found.int(1), found.int(2), found.int(3))
        var (highestUID, highestModSeq) = (found.int(4), found.int(5))
        found.finish()
        let expunged = try connection(.highestExpunged).add(key.account.value).add(key.mailbox.value)
        if try expunged.step() {
            highestUID = max(highestUID, expunged.int(0))
            highestModSeq = max(highestModSeq, expunged.int(1))
        }
        expunged.finish()
        var told: [String] = []
        if row.messages != messages { told.append("\(messages) messages instead of \(row.messages)") }
        if row.unseen != unseen { told.append("\(unseen) unseen instead of \(row.unseen)") }
        if row.deleted != deleted { told.append("\(deleted) deleted instead of \(row.deleted)") }
        if row.size != size { told.append("\(size) octets instead of \(row.size)") }
        count(key.account, messages: messages - row.messages, bytes: size &- row.size)
        (row.messages, row.unseen, row.deleted, row.size) = (messages, unseen, deleted, size)
        if Int64(row.uidNext) <= highestUID, highestUID < Int64(UInt32.max) {
            told.append("UIDNEXT \(highestUID + 1) instead of \(row.uidNext)")
            row.uidNext = UInt32(highestUID + 1)
        }
        if row.highestModSeq < highestModSeq, highestModSeq < .max / 2 {
            told.append("HIGHESTMODSEQ \(highestModSeq) instead of \(row.highestModSeq)")
            row.highestModSeq = highestModSeq
        }
        guard !told.isEmpty else { return nil }
        put(row)
        return told.joined(separator: ", ")
    }

    /// Sets a message's size to that of its prefix and blob. Returns it; nil when it is right, or the blob's own row is damaged.
    func correctSize(of uid: UInt32, in key: MailboxKey) throws -> Int? {
        guard let message = try message(uid, in: key), let location = try connection.location(of: message.blob) else {
            return nil
        }
        let size = message.prefix.count + location.length
        guard size != message.entry.size else { return nil }
        let statement = try writing(.setMessageSize).add(size)
        try statement.add(key.account.value).add(key.mailbox.value).add(uid).run()
        return size
    }

    /// Returns whether it was missing and the message is still there.
    func insertMissing(_ summary: StoredSummary, uid: UInt32, in key: MailboxKey) throws -> Bool {
        guard try message(uid, in: key) != nil else { return false }
        try insert(summary, uid: uid, in: key, .insertMissingSummary)
        return connection.changes == 1
    }

    /// Expunges a message whose octets are lost; it cannot be brought back.
    func removeDamaged(_ uid: UInt32, in key: MailboxKey, _ blob: BlobID) throws {
        do {
            guard try message(uid, in: key)?.blob == blob else { return }
            _ = try expunge([uid], in: key, isRestorable: false)
            try reference(blob, length: 0, count: -1)
            try writing(.removeSummary).add(key.account.value).add(key.mailbox.value).add(uid).run()
        } catch StoreError.noSuchMailbox {
            // Its mailbox was deleted meanwhile.
        }
    }

    /// An expunged message whose octets are lost cannot be brought back any more.
    func forgetDamaged(_ uid: UInt32, in key: MailboxKey, _ blob: BlobID) throws {
        let row = try connection(.expungedRow).add(key.account.value).add(key.mailbox.value).add(uid)
        let isThere = try row.step() && row.bytes(3) == blob.bytes
        row.finish()
        guard isThere else { return }
        try writing(.setNotRestorable).add(key.account.value).add(key.mailbox.value).add(uid).run()
        try reference(blob, length: 0, count: -1)
        try writing(.removeSummary).add(key.account.value).add(-key.mailbox.value).add(uid).run()
    }

    // MARK: Queue

    /// Counts the recipients of a lane anew. Returns how many they are.
    func recount(_ lane: QueueLane) throws -> Int64 {
        let rows = try connection(.recountLane).add(Schema.shard).add(lane.destination).add(lane.lane)
        let found = try rows.step() ? rows.int(0) : 0
        rows.finish()
        let row = try connection(.lane).add(Schema.shard).add(lane.destination).add(lane.lane)
        let counted = try row.step() ? row.int(2) : 0
        row.finish()
        pending.lanes[lane, default: 0] += found - counted
        return found
    }

    /// Puts a recipient into its message's lane, and sees to it that the lane has a row. Returns the lane; nil when the recipient
    /// is gone or has no message, which nothing can be made of.
    func putInPlace(_ code: Int64, _ number: Int64) throws -> QueueLane? {
        let message = try connection(.laneOfMessage).add(Schema.shard).add(code)
        let wanted = try message.step() ? message.text(0) : nil
        message.finish()
        let recipient = try connection(.queuedRecipient).add(Schema.shard).add(code).add(number)
        let present = try recipient.step() ? QueueLane(destination: recipient.text(0), lane: recipient.text(1)) : nil
        recipient.finish()
        guard let wanted, let present else { return nil }
        let lane = QueueLane(destination: present.destination, lane: wanted)
        if lane != present {
            try writing(.moveToLane).add(wanted).add(Schema.shard).add(code).add(number).run()
            _ = try recount(present)
        }
        _ = try recount(lane)
        return lane
    }

    /// Removes a queued message that nobody is to get any more. Returns whether there was one.
    func removeQueuedIfEmpty(_ code: Int64) throws -> Bool {
        let rest = try connection(.anyQueuedRecipient).add(Schema.shard).add(code)
        let isEmpty = !(try rest.step())
        rest.finish()
        guard isEmpty, let message = try connection.queuedMessage(code) else { return false }
        try writing(.removeQueuedMessage).add(Schema.shard).add(code).run()
        try reference(message.blob, length: 0, count: -1)
        return true
    }
}
