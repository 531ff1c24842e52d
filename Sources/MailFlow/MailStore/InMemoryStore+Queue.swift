public import MartletCore
internal import Records

extension InMemoryStore: QueueStore {
    public func dueLanes(now: Instant, excluding excluded: QueueExclusion, limit: Int) async throws(StoreError)
        -> [QueueLane]
    {
        state.withLock { state in
            let due = state.queue.lanes.filter { $0.value.nextDue <= now && !excluded.contains($0.key) }
            let ordered = due.sorted { left, right in
                (left.value.nextDue, left.key.destination, left.key.lane)
                    < (right.value.nextDue, right.key.destination, right.key.lane)
            }
            return ordered.prefix(max(0, limit)).map(\.key)
        }
    }

    public func nextDue(excluding excluded: QueueExclusion) async throws(StoreError) -> Instant? {
        state.withLock { state in
            let next = state.queue.lanes.filter { !excluded.contains($0.key) }.values.map(\.nextDue).min()
            return next == Queue.never ? nil : next
        }
    }

    public func claim(_ requests: [QueueClaim], now: Instant) async throws(StoreError) -> [QueuedDelivery] {
        state.withLock { state in
            requests.flatMap { request in
                request.isForExpired
                    ? state.queue.claimExpired(request, now: now) : state.queue.claim(request, now: now)
            }
        }
    }

    public func claim(_ query: QueueQuery, owner: Int64, leaseUntil: Instant, now: Instant) async throws(StoreError)
        -> [QueuedDelivery]
    {
        state.withLock { state in
            state.queue.found(query) { $0.isFree(now) || $0.state == .held }.map { found in
                var delivery = found
                state.queue.lease(&delivery.recipients, of: delivery.message, owner: owner, until: leaseUntil)
                return delivery
            }
        }
    }

    public func renew(_ leases: [QueueLease], until instant: Instant) async throws(StoreError) -> [QueueLease] {
        state.withLock { state in
            leases.filter { lease in
                let isKept = lease.numbers.allSatisfy { state.queue.recipient(lease.code, $0)?.lease == lease.owner }
                guard isKept else { return false }
                for number in lease.numbers {
                    state.queue.change(lease.code, number) { $0.value.nextAttempt = instant }
                }
                return true
            }
        }
    }

    public func settle(_ settlements: [QueueSettlement], owner: Int64) async throws(StoreError) {
        let changed = state.withLock { state in
            var changed: [MailboxKey] = []
            for settlement in settlements { state.settle(settlement, owner: owner, &changed) }
            return changed
        }
        notify(changed)
    }

    public func postpone(destination: String, until instant: Instant) async throws(StoreError) {
        state.withLock { state in
            for (key, lane) in state.queue.lanes where key.destination == destination && lane.notBefore < instant {
                state.queue.lanes[key]?.notBefore = instant
            }
        }
    }

    public func endLeases(exceptOf owner: Int64, now: Instant) async throws(StoreError) {
        state.withLock { state in
            for (code, row) in state.queue.rows {
                for recipient in row.recipients where recipient.lease != 0 && recipient.lease != owner {
                    state.queue.move(code, recipient.value.number, to: now)
                }
            }
        }
    }

    public func queued(_ query: QueueQuery) async throws(StoreError) -> [QueuedDelivery] {
        state.withLock { $0.queue.found(query) { _ in true } }
    }

    public func queueStatistics() async throws(StoreError) -> QueueStatistics {
        state.withLock { state in
            let queue = state.queue
            let recipients = queue.rows.values.flatMap(\.recipients)
            var destinations: [String: QueueStatistics.Destination] = [:]
            for (key, lane) in queue.lanes {
                let name = key.destination
                var destination =
                    destinations[name]
                    ?? QueueStatistics.Destination(destination: name, recipients: 0, nextDue: nil)
                destination.recipients += Int64(lane.places.count)
                if lane.nextDue != Queue.never {
                    destination.nextDue = min(destination.nextDue ?? lane.nextDue, lane.nextDue)
                }
                destinations[name] = destination
            }
            let ordered = destinations.values.sorted { left, right in
                (-left.recipients, left.destination) < (-right.recipients, right.destination)
            }
            return QueueStatistics(
                messages: Int64(queue.rows.count), recipients: Int64(recipients.count),
                held: Int64(recipients.count { $0.told.state == .held }),
                oldest: queue.rows.min { $0.key < $1.key }?.value.message.queuedAt,
                destinations: Array(ordered.prefix(100)))
        }
    }

    public func change(_ change: QueueChange, of query: QueueQuery, now: Instant) async throws(StoreError) -> Int {
        state.withLock { state in
            var query = query
            query.limit = .max
            var changed = 0
            for delivery in state.queue.found(query, { _ in true }) {
                for recipient in delivery.recipients where state.queue.change(change, recipient, of: delivery, now) {
                    changed += 1
                }
            }
            return changed
        }
    }

    public func content(of blob: BlobID) async throws(StoreError) -> any MessageReading {
        try state.withLock { state throws(StoreError) in
            guard let bytes = state.queue.blobs[blob] else { throw .noSuchMessage }
            return InMemoryMessage(prefix: [], blob: bytes)
        }
    }
}

extension InMemoryStore.Queue {
    /// The oldest messages that match, with those of their recipients that match and are wanted.
    func found(_ query: QueueQuery, _ isWanted: (QueuedRecipient) -> Bool) -> [QueuedDelivery] {
        var found: [QueuedDelivery] = []
        for code in query.code.map({ [$0] }) ?? rows.keys.sorted() where found.count < query.limit {
            guard let row = rows[code] else { continue }
            let recipients = row.recipients.map(\.told).filter { query.matches($0) && isWanted($0) }
            if !recipients.isEmpty { found.append(QueuedDelivery(message: row.message, recipients: recipients)) }
        }
        return found
    }

    mutating func claim(_ claim: QueueClaim, now: Instant) -> [QueuedDelivery] {
        var codes: [LookupCode] = []
        for place in lanes[claim.lane]?.places ?? [] {
            guard place.due <= now, codes.count < claim.messages else { break }
            if !codes.contains(place.code) { codes.append(place.code) }
        }
        return lease(codes, for: claim) { recipient in recipient.nextAttempt <= now }
    }

    mutating func claimExpired(_ claim: QueueClaim, now: Instant) -> [QueuedDelivery] {
        let codes = (destinations[claim.lane.destination] ?? []).filter { code in
            rows[code].map { $0.message.expiresAt <= now } ?? false
        }
        return lease(codes.sorted(), for: claim) { recipient in recipient.isFree(now) }
    }

    private mutating func lease(
        _ codes: [LookupCode], for claim: QueueClaim, _ isWanted: (QueuedRecipient) -> Bool
    ) -> [QueuedDelivery] {
        var deliveries: [QueuedDelivery] = []
        for code in codes where deliveries.count < claim.messages {
            guard let row = rows[code] else { continue }
            var groups = RecipientGroups(claim, room: claim.messages - deliveries.count)
            for recipient in row.recipients.map(\.told)
            where recipient.destination == claim.lane.destination && isWanted(recipient) {
                groups.add(recipient)
            }
            for var recipients in groups.groups {
                lease(&recipients, of: row.message, owner: claim.owner, until: claim.leaseUntil)
                deliveries.append(QueuedDelivery(message: row.message, recipients: recipients))
            }
        }
        return deliveries
    }

    /// Returns whether it changed.
    mutating func change(
        _ change: QueueChange, _ recipient: QueuedRecipient, of delivery: QueuedDelivery, _ now: Instant
    ) -> Bool {
        let code = delivery.message.code
        switch (change, recipient.state) {
        case (_, .leased), (.hold, .held), (.release, .waiting), (.retry, .held): return false
        case (.hold, .waiting): move(code, recipient.number, to: InMemoryStore.Queue.never)
        case (.release, .held): move(code, recipient.number, to: now)
        case (.retry, .waiting):
            lanes[lane(code, recipient)]?.notBefore = Instant(microseconds: 0)
            move(code, recipient.number, to: now)
        }
        return true
    }
}

extension InMemoryStore.State {
    mutating func settle(_ settlement: QueueSettlement, owner: Int64, _ changed: inout [MailboxKey]) {
        let code = settlement.code
        let isOwned = settlement.outcomes.allSatisfy { queue.recipient(code, $0.number)?.lease == owner }
        guard owner == 0 || isOwned else { return }
        var counts = Ledger()
        for (number, outcome) in settlement.outcomes where queue.recipient(code, number) != nil {
            switch outcome {
            case .relayed: counts[.relayed] += 1
            case .failed: counts[.bounced] += 1
            case .discarded: counts[.discarded] += 1
            case .retry(let at, let reply, let hasDelayNotice):
                queue.change(code, number) { recipient in
                    recipient.value.attempts += 1
                    recipient.value.lastReply = reply
                    recipient.value.hasDelayNotice = hasDelayNotice
                }
                queue.move(code, number, to: at)
                continue
            case .returned(let at):
                queue.move(code, number, to: at)
                continue
            }
            queue.remove(code, number)
            ledger[.queued] -= 1
        }
        count(counts, of: code)
        if let attempt = settlement.attempt { records[code]?.attempts.append(attempt) }
        for notice in settlement.notices { _ = deliver(notice, &changed) }
    }
}
