public import MailStore
public import MartletCore
internal import QueueEngine
internal import Records

/// Ends what waits in the queue by an administrator's word, with the notices that its senders are owed.
public struct QueueCanceller: Sendable {
    private let store: any OutboundQueue.Store
    private let notices: NoticeMaker
    /// Not that of any queue engine: what is being cancelled is nobody else's meanwhile.
    private static let owner: Int64 = -1
    private static let lease = Duration.seconds(60)

    public init(store: any OutboundQueue.Store, notices: NoticeMaker) {
        self.store = store
        self.notices = notices
    }

    /// Cancels at most `query.limit` messages; what is being tried at this moment is left alone. Returns how many recipients
    /// were taken off the queue.
    public func cancel(_ query: QueueQuery, notifies: Bool, now: Instant) async throws(StoreError) -> Int {
        let claimed = try await store.claim(
            query, owner: QueueCanceller.owner, leaseUntil: now + QueueCanceller.lease, now: now)
        var settlements: [QueueSettlement] = []
        var count = 0
        for delivery in claimed {
            var plan = QueueCanceller.plan(delivery, notifies: notifies)
            let made = try await notices.make(plan, of: delivery, attempt: nil, from: store)
            if made.isEmpty { plan = plan.untold(rule: "cancelled") }
            let settlement = QueueSettlement(
                code: plan.code, outcomes: plan.outcomes,
                attempt: DeliveryAttempt(
                    at: now, duration: .zero, destination: delivery.recipients.first?.destination ?? "",
                    decisions: [
                        Decision(
                            check: "queue", outcome: .discard,
                            summary: "An administrator took the message off the queue.")
                    ], recipients: DeliveryAttempt.Recipient.all(plan, of: delivery)), notices: made)
            settlements.append(settlement)
            count += delivery.recipients.count
        }
        if !settlements.isEmpty { try await store.settle(settlements, owner: QueueCanceller.owner) }
        return count
    }

    private static func plan(_ delivery: QueuedDelivery, notifies: Bool) -> SettlementPlan {
        let reply = "cancelled by the administrator"
        var told: [Int] = []
        let recipients = delivery.recipients.map { recipient -> SettlementPlan.Recipient in
            let isTold = notifies && recipient.sender != nil && recipient.notify.contains(.failure)
            if isTold { told.append(recipient.number) }
            return SettlementPlan.Recipient(
                number: recipient.number,
                outcome: isTold ? .failed(reply: reply) : .discarded(reply: reply, rule: "cancelled"))
        }
        return SettlementPlan(
            code: delivery.message.code, recipients: recipients,
            notices: told.isEmpty ? [] : [SettlementPlan.Notice(kind: .failure, recipients: told)],
            isWithoutAttempt: true)
    }
}
