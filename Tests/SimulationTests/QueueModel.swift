import MailStore
import MartletCore
import QueueEngine
import Records

/// The queue's contract (`QueueStore`) without waiting, disk or SQL: rows, lanes, leases, and the ledger.
struct QueueModel {
    enum Final: Hashable {
        case relayed
        case bounced
        case discarded
    }

    struct Row {
        var message: Int
        var number: Int
        var lane: Int
        var due: Instant
        var attempts = 0
        var hasDelayNotice = false
        var owner: Int64 = 0
        var leaseUntil: Instant?
        var isHeld = false
        var final: Final?
        var endedAt: Instant?
        var failureNotices = 0
        var delayNotices = 0
        var relayedNotices = 0
    }

    struct Lane {
        var key: QueueLane
        /// Rows by when they, or their leases, become due. An entry that no longer tells the truth is passed over.
        var waiting = DueHeap()
        /// As it stands in `lanesByDue`.
        var due: Instant?
    }

    private(set) var messages: [QueuedMessage] = []
    private var firstRows: [Int] = []
    private(set) var rows: [Row] = []
    private var recipients: [QueuedRecipient] = []
    private var lanes: [Lane] = []
    private var laneNumbers: [QueueLane: Int] = [:]
    private var lanesByDue = DueHeap()
    private var lanesOf: [String: [Int]] = [:]
    private var notBefore: [String: Instant] = [:]
    private var rowsOf: [String: (rows: [Int], head: Int)] = [:]
    private(set) var ledger = Ledger()
    /// Leases that ran out and were taken up by somebody.
    private(set) var takeovers = 0

    // MARK: - Writing

    /// Commits a message; - owner: who has its leases from the beginning, 0 for nobody.
    mutating func accept(
        _ message: QueuedMessage, _ recipients: [QueuedRecipient], owner: Int64 = 0, leaseUntil: Instant? = nil
    ) -> Int {
        let index = messages.count
        messages.append(message)
        firstRows.append(rows.count)
        for recipient in recipients {
            let key = QueueLane(destination: recipient.destination, lane: message.lane)
            let lane = laneNumber(key)
            let row = rows.count
            rows.append(
                Row(
                    message: index, number: recipient.number, lane: lane, due: recipient.nextAttempt, owner: owner,
                    leaseUntil: leaseUntil, isHeld: recipient.state == .held))
            self.recipients.append(recipient)
            rowsOf[recipient.destination, default: ([], 0)].rows.append(row)
            if recipient.state != .held { lanes[lane].waiting.add(leaseUntil ?? recipient.nextAttempt, row) }
            refresh(lane)
            ledger[.accepted] += 1
            ledger[.queued] += 1
        }
        return index
    }

    static func code(_ message: Int) -> LookupCode {
        guard let code = LookupCode(value: Int64(message) + 1) else {
            preconditionFailure("positive numbers are codes")
        }
        return code
    }

    func row(_ code: LookupCode, _ number: Int) -> Int { firstRows[Int(code.value) - 1] + number }

    private mutating func laneNumber(_ key: QueueLane) -> Int {
        if let known = laneNumbers[key] { return known }
        lanes.append(Lane(key: key))
        laneNumbers[key] = lanes.count - 1
        lanesOf[key.destination, default: []].append(lanes.count - 1)
        return lanes.count - 1
    }

    /// When a row may be taken; nil when it is gone or held.
    private func dueTime(_ row: Row) -> Instant? {
        row.final != nil || row.isHeld ? nil : row.leaseUntil ?? row.due
    }

    /// Brings a lane's place up to date.
    private mutating func refresh(_ lane: Int) {
        while let top = lanes[lane].waiting.first, dueTime(rows[top.item]) != top.at {
            lanes[lane].waiting.removeFirst()
        }
        var due = lanes[lane].waiting.first?.at
        if let at = due, let postponed = notBefore[lanes[lane].key.destination] { due = max(at, postponed) }
        guard due != lanes[lane].due else { return }
        lanes[lane].due = due
        if let due { lanesByDue.add(due, lane) }
    }

    /// An administrator lets a message go that was held. Returns its lanes.
    mutating func release(message: Int) -> [QueueLane] {
        let end = message + 1 < firstRows.count ? firstRows[message + 1] : rows.count
        for row in firstRows[message]..<end {
            rows[row].isHeld = false
            lanes[rows[row].lane].waiting.add(rows[row].due, row)
            refresh(rows[row].lane)
        }
        return (firstRows[message]..<end).map { lanes[rows[$0].lane].key }
    }

    // MARK: - Looking and claiming

    mutating func dueLanes(now: Instant, excluding: QueueExclusion, limit: Int) -> (lanes: [QueueLane], next: Instant?)
    {
        var found: [QueueLane] = []
        var aside: [(at: Instant, item: Int)] = []
        var seen: Set<Int> = []
        var next: Instant?
        while let top = lanesByDue.first {
            guard lanes[top.item].due == top.at, seen.insert(top.item).inserted else {
                lanesByDue.removeFirst()
                continue
            }
            if top.at > now || found.count == limit {
                if !excluding.contains(lanes[top.item].key) {
                    next = top.at
                    break
                }
            } else if !excluding.contains(lanes[top.item].key) {
                found.append(lanes[top.item].key)
            }
            lanesByDue.removeFirst()
            aside.append(top)
        }
        for entry in aside { lanesByDue.add(entry.at, entry.item) }
        return (found, found.count < limit ? next : nil)
    }

    mutating func claim(_ claims: [QueueClaim], now: Instant) -> [QueuedDelivery] {
        claims.flatMap { $0.isForExpired ? claimExpired($0, now: now) : claimDue($0, now: now) }
    }

    private mutating func claimDue(_ claim: QueueClaim, now: Instant) -> [QueuedDelivery] {
        guard let lane = laneNumbers[claim.lane] else { return [] }
        refresh(lane)
        var deliveries: [QueuedDelivery] = []
        while let top = lanes[lane].waiting.first {
            guard dueTime(rows[top.item]) == top.at else {
                lanes[lane].waiting.removeFirst()
                continue
            }
            guard top.at <= now else { break }
            let isSame = deliveries.last.map { $0.message.code == messages[rows[top.item].message].code } ?? false
            if isSame, (deliveries.last?.recipients.count ?? 0) < claim.recipients {
                deliveries[deliveries.count - 1].recipients.append(take(top.item, claim))
            } else if deliveries.count < claim.messages {
                deliveries.append(
                    QueuedDelivery(message: messages[rows[top.item].message], recipients: [take(top.item, claim)]))
            } else {
                break
            }
            lanes[lane].waiting.removeFirst()
            lanes[lane].waiting.add(claim.leaseUntil, top.item)
        }
        refresh(lane)
        return deliveries
    }

    private mutating func claimExpired(_ claim: QueueClaim, now: Instant) -> [QueuedDelivery] {
        guard var known = rowsOf[claim.lane.destination] else { return [] }
        while known.head < known.rows.count, rows[known.rows[known.head]].final != nil { known.head += 1 }
        rowsOf[claim.lane.destination]?.head = known.head
        var deliveries: [QueuedDelivery] = []
        for row in known.rows[known.head...] {
            guard messages[rows[row].message].expiresAt <= now else { break }
            guard let at = dueTime(rows[row]), rows[row].leaseUntil == nil || at <= now else { continue }
            guard deliveries.count < claim.messages else { break }
            deliveries.append(QueuedDelivery(message: messages[rows[row].message], recipients: [take(row, claim)]))
            lanes[rows[row].lane].waiting.add(claim.leaseUntil, row)
            refresh(rows[row].lane)
        }
        return deliveries
    }

    private mutating func take(_ row: Int, _ claim: QueueClaim) -> QueuedRecipient {
        if rows[row].leaseUntil != nil { takeovers += 1 }
        rows[row].owner = claim.owner
        rows[row].leaseUntil = claim.leaseUntil
        return recipient(row)
    }

    func recipient(_ row: Int) -> QueuedRecipient {
        var recipient = recipients[row]
        recipient.state = .leased
        recipient.nextAttempt = rows[row].due
        recipient.attempts = rows[row].attempts
        recipient.hasDelayNotice = rows[row].hasDelayNotice
        return recipient
    }

    // MARK: - Settling

    /// Returns the rows for which a failure notice was committed.
    mutating func settle(_ plan: SettlementPlan, owner: Int64, now: Instant) -> [Int] {
        var told: [Int] = []
        for planned in plan.recipients {
            let row = row(plan.code, planned.number)
            // Somebody else has taken it up: it is left out whole.
            guard rows[row].final == nil, rows[row].owner == owner, rows[row].leaseUntil != nil else { return [] }
        }
        for planned in plan.recipients {
            let row = row(plan.code, planned.number)
            switch planned.outcome {
            case .relayed:
                end(row, .relayed, now)
            case .failed:
                end(row, .bounced, now)
            case .discarded:
                end(row, .discarded, now)
            case .retry(let at, _, let hasDelayNotice):
                rows[row].attempts += 1
                rows[row].hasDelayNotice = hasDelayNotice
                giveBack(row, at)
            case .returned(let at):
                giveBack(row, at)
            }
            for notice in plan.notices where notice.recipients.contains(planned.number) {
                switch notice.kind {
                case .failure:
                    rows[row].failureNotices += 1
                    told.append(row)
                case .delay: rows[row].delayNotices += 1
                case .relayed: rows[row].relayedNotices += 1
                }
            }
            refresh(rows[row].lane)
        }
        return told
    }

    private mutating func giveBack(_ row: Int, _ at: Instant) {
        rows[row].due = at
        rows[row].leaseUntil = nil
        rows[row].owner = 0
        lanes[rows[row].lane].waiting.add(at, row)
    }

    private mutating func end(_ row: Int, _ final: Final, _ now: Instant) {
        rows[row].final = final
        rows[row].endedAt = now
        rows[row].leaseUntil = nil
        ledger[.queued] -= 1
        switch final {
        case .relayed: ledger[.relayed] += 1
        case .bounced: ledger[.bounced] += 1
        case .discarded: ledger[.discarded] += 1
        }
    }

    mutating func postpone(_ destination: String, until: Instant) {
        notBefore[destination] = max(notBefore[destination] ?? until, until)
        for lane in lanesOf[destination] ?? [] { refresh(lane) }
    }

    /// Returns those that are still their owner's.
    mutating func renew(_ leases: [AttemptID: QueueLease], until: Instant) -> (kept: [AttemptID], lost: [AttemptID]) {
        var kept: [AttemptID] = []
        var lost: [AttemptID] = []
        for (id, lease) in leases.sorted(by: { $0.key < $1.key }) {
            let all = lease.numbers.map { row(lease.code, $0) }
            guard
                all.allSatisfy({ rows[$0].owner == lease.owner && rows[$0].leaseUntil != nil && rows[$0].final == nil })
            else {
                lost.append(id)
                continue
            }
            kept.append(id)
            for row in all {
                rows[row].leaseUntil = until
                lanes[rows[row].lane].waiting.add(until, row)
                refresh(rows[row].lane)
            }
        }
        return (kept, lost)
    }
}

/// Numbers by when they are due.
struct DueHeap {
    private var entries: [(at: Instant, item: Int)] = []
    var first: (at: Instant, item: Int)? { entries.first }

    private static func isBefore(_ a: (at: Instant, item: Int), _ b: (at: Instant, item: Int)) -> Bool {
        a.at != b.at ? a.at < b.at : a.item < b.item
    }

    mutating func add(_ at: Instant, _ item: Int) {
        entries.append((at, item))
        var index = entries.count - 1
        while index > 0, DueHeap.isBefore(entries[index], entries[(index - 1) / 2]) {
            entries.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var index = 0
        while true {
            var least = index
            let left = 2 * index + 1
            if left < entries.count, DueHeap.isBefore(entries[left], entries[least]) { least = left }
            if left + 1 < entries.count, DueHeap.isBefore(entries[left + 1], entries[least]) { least = left + 1 }
            if least == index { return }
            entries.swapAt(index, least)
            index = least
        }
    }
}
