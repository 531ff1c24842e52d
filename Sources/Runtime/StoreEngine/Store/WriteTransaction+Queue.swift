internal import MailStore
internal import MartletCore
internal import Records

// Rows of the queue. A lane's row is brought up to date once a batch, when all of its recipients have changed.
extension WriteTransaction {
    /// `next_attempt` of what an administrator holds.
    static let never = Instant(microseconds: .max)

    /// Writes a message for other servers; the reference to its blob is the caller's.
    func queue(_ delivery: QueuedDelivery, lease: AcceptedMessage.OutboundLease?) throws {
        let message = delivery.message
        let statement = try writing(.insertQueuedMessage)
        statement.add(Schema.shard).add(message.code.value).add(message.blob.bytes).add(message.size)
        statement.add(message.body.rawValue).add(message.needsSMTPUTF8).add(message.envelopeID)
        statement.add(message.returnContent?.rawValue).add(message.lane).add(message.queuedAt.microseconds)
        try statement.add(message.expiresAt.microseconds).run()
        for recipient in delivery.recipients {
            let row = try writing(.insertQueuedRecipient)
            row.add(Schema.shard).add(message.code.value).add(recipient.number).add(recipient.address.description)
            row.add(recipient.original).add(recipient.originalRecipient).add(Int(recipient.notify.rawValue))
            row.add(recipient.reversePath?.description).add(recipient.sender?.description)
            row.add(recipient.deliveredTo?.description).add(recipient.destination).add(message.lane)
            switch recipient.state {
            case .leased where lease != nil:
                row.add(lease?.owner ?? 0).add(lease?.until.microseconds ?? recipient.nextAttempt.microseconds)
            case .waiting, .leased: row.add(Int64(0)).add(recipient.nextAttempt.microseconds)
            case .held: row.add(Int64(0)).add(WriteTransaction.never.microseconds)
            }
            try row.add(recipient.attempts).add(recipient.lastReply).add(recipient.hasDelayNotice).run()
            touch(QueueLane(destination: recipient.destination, lane: message.lane), 1)
        }
    }

    private func touch(_ lane: QueueLane, _ change: Int64) { pending.lanes[lane, default: 0] += change }

    /// Brings the lane's row up to date with its recipients.
    func refresh(_ lane: QueueLane, _ change: Int64) throws {
        let row = try connection(.lane).add(Schema.shard).add(lane.destination).add(lane.lane)
        var notBefore: Int64 = 0
        var recipients: Int64 = 0
        if try row.step() {
            notBefore = row.int(1)
            recipients = row.int(2)
        }
        row.finish()
        if recipients == 0, change > 0 {
            // A new lane of a destination that is postponed is so too.
            let others = try connection(.postponementOfDestination).add(Schema.shard).add(lane.destination)
            if try others.step() { notBefore = others.int(0) }
            others.finish()
        }
        recipients += change
        guard recipients > 0 else {
            try writing(.removeLane).add(Schema.shard).add(lane.destination).add(lane.lane).run()
            return
        }
        let first = try connection(.firstDueInLane).add(Schema.shard).add(lane.destination).add(lane.lane)
        let due = try first.step() ? first.int(0) : .max
        first.finish()
        let statement = try writing(.putLane).add(Schema.shard).add(lane.destination).add(lane.lane)
        try statement.add(max(due, notBefore)).add(notBefore).add(recipients).run()
    }

    // MARK: Leases

    func claim(_ claim: QueueClaim, now: Instant) throws -> [QueuedDelivery] {
        let lane = claim.lane
        var codes: [Int64] = []
        // A message with many recipients stands there once for each: behind so many rows one claim does not look.
        let (most, isTooMany) = claim.messages.multipliedReportingOverflow(by: claim.recipients)
        var rest = isTooMany ? .max : most
        let due = try connection(.dueInLane).add(Schema.shard).add(lane.destination).add(lane.lane)
        due.add(now.microseconds)
        while codes.count < claim.messages, rest > 0, try due.step() {
            rest -= 1
            let code = due.int(0)
            if !codes.contains(code) { codes.append(code) }
        }
        due.finish()
        var deliveries: [QueuedDelivery] = []
        for code in codes where deliveries.count < claim.messages {
            guard let message = try connection.queuedMessage(code) else { continue }
            let rows = try connection(.dueOfMessage).add(Schema.shard).add(code).add(now.microseconds)
            rows.add(lane.destination)
            var groups = RecipientGroups(claim, room: claim.messages - deliveries.count)
            while !groups.isFull, try rows.step() { groups.add(try recipient(rows, of: code)) }
            rows.finish()
            try lease(groups, of: message, for: claim, &deliveries)
        }
        return deliveries
    }

    private func recipient(_ row: Statement, of code: Int64) throws -> QueuedRecipient {
        guard let recipient = QueuedRecipient(row: row) else {
            row.finish()
            throw StoreError.corrupt(reason: "a recipient of the queued message \(code) cannot be read")
        }
        return recipient
    }

    private func lease(
        _ groups: RecipientGroups, of message: QueuedMessage, for claim: QueueClaim,
        _ deliveries: inout [QueuedDelivery]
    ) throws {
        for var recipients in groups.groups {
            try lease(&recipients, of: message, owner: claim.owner, until: claim.leaseUntil)
            deliveries.append(QueuedDelivery(message: message, recipients: recipients))
        }
    }

    /// Messages of the destination that are looked at behind the last expired one: codes ascend with time, expiry nearly so.
    private static let expiryLookahead = 16
    /// Expired messages that a claim passes over, since all of them is held or leased.
    private static let maximumPassedOver = 1_000

    /// Leases what has outlived its time, due or not.
    func claimExpired(_ claim: QueueClaim, now: Instant) throws -> [QueuedDelivery] {
        let rows = try connection(.codesOfDestination).add(Schema.shard).add(claim.lane.destination)
        var found: [(message: QueuedMessage, groups: RecipientGroups)] = []
        var room = claim.messages
        var alive = 0
        var passedOver = 0
        var last: Int64 = -1
        while room > 0, alive < WriteTransaction.expiryLookahead,
            passedOver < WriteTransaction.maximumPassedOver, try rows.step()
        {
            let code = rows.int(0)
            guard code != last else { continue }
            last = code
            guard let message = try connection.queuedMessage(code) else { continue }
            guard message.expiresAt <= now else {
                alive += 1
                continue
            }
            var groups = RecipientGroups(claim, room: room)
            for recipient in try connection.queuedRecipients(of: code)
            where !groups.isFull && recipient.destination == claim.lane.destination && recipient.isFree(now) {
                groups.add(recipient)
            }
            if groups.groups.isEmpty { passedOver += 1 }
            room -= groups.groups.count
            found.append((message, groups))
        }
        rows.finish()
        var deliveries: [QueuedDelivery] = []
        for (message, groups) in found { try lease(groups, of: message, for: claim, &deliveries) }
        return deliveries
    }

    /// Whether all of them are still the owner's; then they are prolonged.
    func renew(_ lease: QueueLease, until instant: Instant) throws -> Bool {
        var rows: [(number: Int, lane: QueueLane)] = []
        for number in lease.numbers {
            guard let row = try leasedRow(lease.code, number), row.lease == lease.owner else { return false }
            rows.append((number, row.lane))
        }
        for (number, lane) in rows {
            let statement = try writing(.leaseRecipient).add(lease.owner).add(instant.microseconds)
            try statement.add(Schema.shard).add(lease.code.value).add(number).run()
            touch(lane, 0)
        }
        return true
    }

    func lease(
        _ recipients: inout [QueuedRecipient], of message: QueuedMessage, owner: Int64, until: Instant
    ) throws {
        for index in recipients.indices {
            let statement = try writing(.leaseRecipient).add(owner).add(until.microseconds)
            try statement.add(Schema.shard).add(message.code.value).add(recipients[index].number).run()
            recipients[index].state = .leased
            touch(QueueLane(destination: recipients[index].destination, lane: message.lane), 0)
        }
    }

    func endLeases(exceptOf owner: Int64, now: Instant) throws {
        let rows = try connection(.leasedLanes).add(Schema.shard).add(owner)
        while try rows.step() { touch(QueueLane(destination: rows.text(0), lane: rows.text(1)), 0) }
        try writing(.endLeases).add(now.microseconds).add(Schema.shard).add(owner).run()
    }

    /// A row as the settlement of an attempt finds it.
    private struct LeasedRow {
        var lane: QueueLane
        var lease: Int64
    }

    private func leasedRow(_ code: LookupCode, _ number: Int) throws -> LeasedRow? {
        let row = try connection(.queuedRecipient).add(Schema.shard).add(code.value).add(number)
        defer { row.finish() }
        guard try row.step() else { return nil }
        return LeasedRow(lane: QueueLane(destination: row.text(0), lane: row.text(1)), lease: row.int(2))
    }

    // MARK: Outcomes

    func settle(_ settlement: QueueSettlement, owner: Int64) throws {
        let code = settlement.code
        var rows: [LeasedRow?] = []
        for (number, _) in settlement.outcomes {
            let row = try leasedRow(code, number)
            if owner != 0 {
                // Somebody else has taken the work up: what became of it is theirs to say.
                guard let row, row.lease == owner else { return }
            }
            rows.append(row)
        }
        var counts = RecordCounts()
        var ended: Int64 = 0
        for (row, (number, outcome)) in zip(rows, settlement.outcomes) {
            guard let row else { continue }
            switch outcome {
            case .retry(let at, let reply, let hasDelayNotice):
                let statement = try writing(.retryRecipient).add(at.microseconds).add(reply).add(hasDelayNotice)
                try statement.add(Schema.shard).add(code.value).add(number).run()
                touch(row.lane, 0)
            case .returned(let at): try move(code, number, row.lane, to: at)
            case .relayed, .failed, .discarded:
                try writing(.removeQueuedRecipient).add(Schema.shard).add(code.value).add(number).run()
                guard connection.changes == 1 else { continue }
                counts.add(outcome)
                touch(row.lane, -1)
                ended += 1
            }
        }
        if ended > 0 {
            try count(counts, of: code)
            pending.ledger[.queued, default: 0] -= ended
            try removeIfEmpty(code)
        }
        if let attempt = settlement.attempt {
            let statement = try writing(.insertAttempt).add(attempt.at.microseconds)
            statement.add(settlement.outcomes.map(\.number).min() ?? 0).add(attempt.json())
            try statement.add(Schema.shard).add(code.value).run()
        }
        for notice in settlement.notices { _ = try deliver(notice) }
    }

    func move(_ code: LookupCode, _ number: Int, _ lane: QueueLane, to instant: Instant) throws {
        try writing(.moveRecipient).add(instant.microseconds).add(Schema.shard).add(code.value).add(number).run()
        touch(lane, 0)
    }

    private func count(_ counts: RecordCounts, of code: LookupCode) throws {
        for (entry, count) in counts.entries { pending.ledger[entry, default: 0] += count }
        let statement = try writing(.addRecordOutcomes).add(counts.relayed).add(counts.bounced).add(counts.discarded)
        try statement.add(Schema.shard).add(code.value).run()
        // A message may outlive its record.
        if connection.changes == 0 { try purge(counts) }
    }

    private func removeIfEmpty(_ code: LookupCode) throws {
        let statement = try writing(.removeSettledMessage).add(Schema.shard).add(code.value)
        statement.add(Schema.shard).add(code.value)
        guard try statement.step() else { return }
        let blob = BlobID(statement.bytes(0))
        try statement.run()
        guard let blob else { throw StoreError.corrupt(reason: "the queued message \(code) names no blob") }
        try reference(blob, length: 0, count: -1)
    }
}
