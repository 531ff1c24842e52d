public import MailStore
public import MartletCore
internal import Records

extension EmbeddedStore: QueueStore {
    /// Messages that one commit of a large change looks at, so that mail does not wait.
    private static let slice = 200

    public func dueLanes(now: Instant, excluding excluded: QueueExclusion, limit: Int) async throws(StoreError)
        -> [QueueLane]
    {
        try await readers.read { connection in
            let rows = try connection(.dueLanes).add(Schema.shard).add(now.microseconds)
            defer { rows.finish() }
            var lanes: [QueueLane] = []
            while lanes.count < limit, try rows.step() {
                let lane = QueueLane(destination: rows.text(0), lane: rows.text(1))
                if !excluded.contains(lane) { lanes.append(lane) }
            }
            return lanes
        }
    }

    public func nextDue(excluding excluded: QueueExclusion) async throws(StoreError) -> Instant? {
        try await readers.read { connection in
            let rows = try connection(.nextDueLanes).add(Schema.shard)
            defer { rows.finish() }
            while try rows.step() {
                guard rows.int(2) != .max else { return nil }
                if !excluded.contains(QueueLane(destination: rows.text(0), lane: rows.text(1))) {
                    return Instant(microseconds: rows.int(2))
                }
            }
            return nil
        }
    }

    public func claim(_ requests: [QueueClaim], now: Instant) async throws(StoreError) -> [QueuedDelivery] {
        try await committer.submit { transaction in
            try requests.flatMap { request in
                try request.isForExpired
                    ? transaction.claimExpired(request, now: now) : transaction.claim(request, now: now)
            }
        }
    }

    public func claim(_ query: QueueQuery, owner: Int64, leaseUntil: Instant, now: Instant) async throws(StoreError)
        -> [QueuedDelivery]
    {
        let found = try await find(query) { $0.isFree(now) || $0.state == .held }
        return try await committer.submit { transaction in
            var claimed: [QueuedDelivery] = []
            for delivery in found {
                // What has been leased or has gone since it was found is left out.
                var recipients = try transaction.connection.queuedRecipients(of: delivery.message.code.value).filter {
                    ($0.isFree(now) || $0.state == .held) && query.matches($0)
                }
                guard !recipients.isEmpty else { continue }
                try transaction.lease(&recipients, of: delivery.message, owner: owner, until: leaseUntil)
                claimed.append(QueuedDelivery(message: delivery.message, recipients: recipients))
            }
            return claimed
        }
    }

    public func renew(_ leases: [QueueLease], until instant: Instant) async throws(StoreError) -> [QueueLease] {
        try await committer.submit { transaction in
            try leases.filter { try transaction.renew($0, until: instant) }
        }
    }

    public func settle(_ settlements: [QueueSettlement], owner: Int64) async throws(StoreError) {
        let content = settlements.flatMap { $0.notices.map(\.content) }
        defer { removeSpoolFiles(content) }
        try await committer.submit(content: content) { transaction in
            for settlement in settlements { try transaction.settle(settlement, owner: owner) }
        }
    }

    public func postpone(destination: String, until instant: Instant) async throws(StoreError) {
        try await committer.submit { transaction in
            let statement = try transaction.writing(.postponeLanes)
            statement.add(instant.microseconds).add(instant.microseconds).add(instant.microseconds)
            try statement.add(Schema.shard).add(destination).add(instant.microseconds).run()
        }
    }

    public func endLeases(exceptOf owner: Int64, now: Instant) async throws(StoreError) {
        try await committer.submit { try $0.endLeases(exceptOf: owner, now: now) }
    }

    public func queued(_ query: QueueQuery) async throws(StoreError) -> [QueuedDelivery] {
        try await find(query) { _ in true }
    }

    /// At most `query.limit` messages with those recipients that match and are wanted.
    private func find(
        _ query: QueueQuery, _ isWanted: @escaping @Sendable (QueuedRecipient) -> Bool
    ) async throws(StoreError) -> [QueuedDelivery] {
        var found: [QueuedDelivery] = []
        var after: Int64 = -1
        while found.count < query.limit {
            let start = after
            let page = try await maintenance.read { try $0.queuedDeliveries(after: start, query, EmbeddedStore.slice) }
            for var delivery in page.found where found.count < query.limit {
                delivery.recipients.removeAll { !isWanted($0) }
                if !delivery.recipients.isEmpty { found.append(delivery) }
            }
            guard let last = page.last else { break }
            after = last
        }
        return found
    }

    public func queueStatistics() async throws(StoreError) -> QueueStatistics {
        try await maintenance.read { connection in
            try connection.reading {
                func number(_ statement: Statement) throws -> Int64? {
                    defer { statement.finish() }
                    return try statement.step() ? statement.int(0) : nil
                }
                var statistics = QueueStatistics(
                    messages: try number(connection(.countQueuedMessages).add(Schema.shard)) ?? 0,
                    recipients: try number(connection(.countQueuedRecipients).add(Schema.shard)) ?? 0,
                    held: try number(connection(.countHeld).add(Schema.shard).add(Int64.max)) ?? 0,
                    oldest: try number(connection(.oldestQueued).add(Schema.shard)).map { Instant(microseconds: $0) },
                    destinations: [])
                let rows = try connection(.largestDestinations).add(Schema.shard)
                while try rows.step() {
                    let due = rows.int(2)
                    statistics.destinations.append(
                        QueueStatistics.Destination(
                            destination: rows.text(0), recipients: rows.int(1),
                            nextDue: due == .max ? nil : Instant(microseconds: due)))
                }
                return statistics
            }
        }
    }

    public func change(_ change: QueueChange, of query: QueueQuery, now: Instant) async throws(StoreError) -> Int {
        var changed = 0
        var after: Int64 = -1
        while true {
            let start = after
            let page = try await maintenance.read { try $0.queuedDeliveries(after: start, query, EmbeddedStore.slice) }
            if !page.found.isEmpty {
                changed += try await committer.submit { transaction in
                    try page.found.reduce(0) { try $0 + transaction.change(change, of: $1, query, now: now) }
                }
            }
            guard let last = page.last else { return changed }
            after = last
        }
    }

    public func content(of blob: BlobID) async throws(StoreError) -> any MessageReading {
        try await readers.read { [segments, readers] connection in
            try StoredMessageReader(blob: blob, prefix: [], on: connection, segments, readers)
        }
    }
}

extension SQLiteConnection {
    /// The next messages behind `code`, those of them that match with their matching recipients, and the last that was looked at;
    /// nil when these were all.
    fileprivate func queuedDeliveries(after code: Int64, _ query: QueueQuery, _ limit: Int) throws -> (
        found: [QueuedDelivery], last: Int64?
    ) {
        try reading {
            var messages: [QueuedMessage] = []
            if let code = query.code {
                if let message = try queuedMessage(code.value) { messages.append(message) }
            } else if let destination = query.destination {
                let rows = try self(.codesOfDestinationFrom).add(Schema.shard).add(destination.lowercased())
                rows.add(code).add(limit)
                while try rows.step() {
                    if let message = try queuedMessage(rows.int(0)) { messages.append(message) }
                }
            } else {
                let rows = try self(.queuedMessagesFrom).add(Schema.shard).add(code).add(limit)
                while try rows.step() {
                    guard let message = QueuedMessage(row: rows) else {
                        rows.finish()
                        throw StoreError.corrupt(reason: "a queued message cannot be read")
                    }
                    messages.append(message)
                }
            }
            var found: [QueuedDelivery] = []
            for message in messages {
                let recipients = try queuedRecipients(of: message.code.value).filter { query.matches($0) }
                if !recipients.isEmpty { found.append(QueuedDelivery(message: message, recipients: recipients)) }
            }
            let isLast = query.code != nil || messages.count < limit
            return (found, isLast ? nil : messages.last?.code.value)
        }
    }
}

extension WriteTransaction {
    /// Returns how many recipients changed.
    fileprivate func change(
        _ change: QueueChange, of delivery: QueuedDelivery, _ query: QueueQuery, now: Instant
    ) throws -> Int {
        var changed = 0
        let code = delivery.message.code
        for recipient in try connection.queuedRecipients(of: code.value) where query.matches(recipient) {
            let lane = QueueLane(destination: recipient.destination, lane: delivery.message.lane)
            let target: Instant
            switch (change, recipient.state) {
            case (_, .leased): continue
            case (.hold, .waiting): target = WriteTransaction.never
            case (.release, .held): target = now
            case (.retry, .waiting):
                target = now
                try wake(lane)
            case (.hold, .held), (.release, .waiting), (.retry, .held): continue
            }
            try move(code, recipient.number, lane, to: target)
            changed += 1
        }
        return changed
    }

    /// A destination that was postponed is tried all the same.
    private func wake(_ lane: QueueLane) throws {
        let statement = try writing(.wakeLane).add(Schema.shard).add(lane.destination).add(lane.lane)
        try statement.run()
    }
}
