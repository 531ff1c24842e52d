internal import MartletCore
internal import Records

extension InMemoryStore {
    /// The queue's rows, with what is due first at hand: a lane's recipients stand in the order of their time.
    struct Queue: Sendable {
        struct Row: Sendable {
            var message: QueuedMessage
            /// By number, ascending. `state` is that of the row when no lease is on it.
            var recipients: [Recipient]
        }

        struct Recipient: Sendable {
            var value: QueuedRecipient
            /// Its owner; 0 for none. While it lasts, `value.nextAttempt` is its end.
            var lease: Int64 = 0

            /// As it is told.
            var told: QueuedRecipient {
                var told = value
                told.state = lease != 0 ? .leased : told.nextAttempt == Queue.never ? .held : .waiting
                return told
            }
        }

        struct Place: Sendable, Comparable {
            var due: Instant
            var code: LookupCode
            var number: Int
            static func < (left: Place, right: Place) -> Bool {
                (left.due, left.code, left.number) < (right.due, right.code, right.number)
            }
        }

        struct Lane: Sendable {
            var places: [Place] = []
            var notBefore = Instant(microseconds: 0)
            var nextDue: Instant { max(places.first?.due ?? Queue.never, notBefore) }

            mutating func insert(_ place: Place) { places.insert(place, at: index(of: place)) }

            mutating func remove(_ place: Place) {
                let index = index(of: place)
                if index < places.count, places[index] == place { places.remove(at: index) }
            }

            /// Where the first place that is not below `place` stands.
            private func index(of place: Place) -> Int {
                var low = 0
                var high = places.count
                while low < high {
                    let middle = low + (high - low) / 2
                    if places[middle] < place { low = middle + 1 } else { high = middle }
                }
                return low
            }
        }

        static let never = Instant(microseconds: .max)

        var rows: [LookupCode: Row] = [:]
        var lanes: [QueueLane: Lane] = [:]
        /// Bytes of queued messages.
        var blobs: [BlobID: [UInt8]] = [:]
        /// Codes of messages by destination, for what has outlived its time.
        var destinations: [String: Set<LookupCode>] = [:]
    }
}

extension InMemoryStore.Queue {
    mutating func add(_ delivery: QueuedDelivery, lease: AcceptedMessage.OutboundLease?, bytes: [UInt8]) {
        let code = delivery.message.code
        var row = Row(message: delivery.message, recipients: [])
        for recipient in delivery.recipients.sorted(by: { $0.number < $1.number }) {
            var value = recipient
            if value.state == .held { value.nextAttempt = InMemoryStore.Queue.never }
            var recipientLease: Int64 = 0
            if value.state == .leased, let lease {
                recipientLease = lease.owner
                value.nextAttempt = lease.until
            }
            row.recipients.append(Recipient(value: value, lease: recipientLease))
            let lane = QueueLane(destination: value.destination, lane: delivery.message.lane)
            if lanes[lane] == nil {
                // A new lane of a destination that is postponed is so too.
                let other = lanes.filter { $0.key.destination == lane.destination }.min { $0.key.lane < $1.key.lane }
                lanes[lane] = Lane(notBefore: other?.value.notBefore ?? Instant(microseconds: 0))
            }
            lanes[lane]?.insert(Place(due: value.nextAttempt, code: code, number: value.number))
            destinations[value.destination, default: []].insert(code)
        }
        rows[code] = row
        blobs[delivery.message.blob] = bytes
    }

    func recipient(_ code: LookupCode, _ number: Int) -> Recipient? {
        rows[code]?.recipients.first { $0.value.number == number }
    }

    func lane(_ code: LookupCode, _ recipient: QueuedRecipient) -> QueueLane {
        QueueLane(destination: recipient.destination, lane: rows[code]?.message.lane ?? "")
    }

    /// Changes a recipient that is there, and keeps its lane in order.
    mutating func change(_ code: LookupCode, _ number: Int, _ body: (inout Recipient) -> Void) {
        guard let index = rows[code]?.recipients.firstIndex(where: { $0.value.number == number }),
            var recipient = rows[code]?.recipients[index]
        else { return }
        let lane = lane(code, recipient.value)
        lanes[lane]?.remove(Place(due: recipient.value.nextAttempt, code: code, number: number))
        body(&recipient)
        lanes[lane]?.insert(Place(due: recipient.value.nextAttempt, code: code, number: number))
        rows[code]?.recipients[index] = recipient
    }

    mutating func move(_ code: LookupCode, _ number: Int, to instant: Instant) {
        change(code, number) { recipient in
            recipient.lease = 0
            recipient.value.nextAttempt = instant
        }
    }

    /// Takes a recipient off the queue; the message goes with its last one.
    mutating func remove(_ code: LookupCode, _ number: Int) {
        guard let recipient = recipient(code, number) else { return }
        let lane = lane(code, recipient.value)
        lanes[lane]?.remove(Place(due: recipient.value.nextAttempt, code: code, number: number))
        if lanes[lane]?.places.isEmpty == true { lanes[lane] = nil }
        rows[code]?.recipients.removeAll { $0.value.number == number }
        let rest = rows[code]?.recipients ?? []
        if !rest.contains(where: { $0.value.destination == lane.destination }) {
            destinations[lane.destination]?.remove(code)
            if destinations[lane.destination]?.isEmpty == true { destinations[lane.destination] = nil }
        }
        guard rest.isEmpty, let gone = rows.removeValue(forKey: code) else { return }
        if !rows.values.contains(where: { $0.message.blob == gone.message.blob }) { blobs[gone.message.blob] = nil }
    }

    mutating func lease(
        _ recipients: inout [QueuedRecipient], of message: QueuedMessage, owner: Int64, until: Instant
    ) {
        for index in recipients.indices {
            change(message.code, recipients[index].number) { recipient in
                recipient.lease = owner
                recipient.value.nextAttempt = until
            }
            recipients[index].state = .leased
        }
    }
}
