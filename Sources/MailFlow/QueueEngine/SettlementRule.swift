internal import MailStore
internal import MartletCore

/// Turns results into outcomes and notices (RFC 5321 §4.5.4.1, RFC 3461 §5.2).
struct SettlementRule {
    var retries: RetrySchedule
    var delayNoticeAfter: Duration

    /// - Parameters:
    ///   - pausedUntil: the destination is left alone until then; nothing is tried sooner.
    ///   - factor: jitter of this attempt; one for all its recipients, so that they stay together.
    ///   - returnDelay: before what was not tried is due again.
    func plan(
        for delivery: QueuedDelivery, report: AttemptReport, now: Instant, pausedUntil: Instant?, factor: Double,
        returnDelay: Duration
    ) -> SettlementPlan {
        let message = delivery.message
        var notices: [SettlementPlan.Notice.Kind: [Int]] = [:]
        var recipients: [SettlementPlan.Recipient] = []
        for recipient in delivery.recipients {
            let number = recipient.number
            switch report.result(for: number) {
            case .relayed(let reply, let announcesDSN):
                recipients.append(.init(number: number, outcome: .relayed(reply: reply)))
                if !announcesDSN, SettlementRule.wants(.success, recipient) {
                    notices[.relayed, default: []].append(number)
                }
            case .permanent(let reply):
                recipients.append(.init(number: number, outcome: SettlementRule.failure(of: recipient, reply)))
                if SettlementRule.wants(.failure, recipient) { notices[.failure, default: []].append(number) }
            case .temporary(let reply) where message.expiresAt <= now:
                recipients.append(
                    .init(number: number, outcome: SettlementRule.failure(of: recipient, reply), isExpired: true))
                if SettlementRule.wants(.failure, recipient) { notices[.failure, default: []].append(number) }
            case .temporary(let reply):
                let isLate =
                    !recipient.hasDelayNotice && message.queuedAt + delayNoticeAfter <= now
                    && SettlementRule.wants(.delay, recipient)
                if isLate { notices[.delay, default: []].append(number) }
                let next = now + retries.delay(afterFailures: recipient.attempts, factor: factor)
                recipients.append(
                    .init(
                        number: number,
                        outcome: .retry(
                            at: latest(min(next, message.expiresAt), pausedUntil), reply: reply,
                            hasDelayNotice: recipient.hasDelayNotice || isLate)))
            case .notTried:
                recipients.append(.init(number: number, outcome: .returned(at: latest(now + returnDelay, pausedUntil))))
            }
        }
        return SettlementPlan(
            code: message.code, recipients: recipients, notices: SettlementRule.inOrder(notices))
    }

    /// Ends what is past its time although nobody asked for it: its destination has just been found unreachable.
    static func expiry(of delivery: QueuedDelivery, reply: String) -> SettlementPlan {
        let told = delivery.recipients.filter { wants(.failure, $0) }.map(\.number)
        return SettlementPlan(
            code: delivery.message.code,
            recipients: delivery.recipients.map {
                .init(number: $0.number, outcome: failure(of: $0, reply), isExpired: true)
            },
            notices: told.isEmpty ? [] : [.init(kind: .failure, recipients: told)], isWithoutAttempt: true)
    }

    /// Gives leases back.
    static func giveBack(_ delivery: QueuedDelivery, at instant: Instant) -> SettlementPlan {
        SettlementPlan(
            code: delivery.message.code,
            recipients: delivery.recipients.map { .init(number: $0.number, outcome: .returned(at: instant)) },
            isWithoutAttempt: true)
    }

    /// NOTIFY allows it, and there is somebody to tell: a notice is never answered by a notice (RFC 5321 §4.5.5).
    static func wants(_ condition: NotifyConditions, _ recipient: QueuedRecipient) -> Bool {
        recipient.notify.contains(condition) && recipient.reversePath != nil && recipient.sender != nil
    }

    /// Failed with a notice, or without one by a rule.
    private static func failure(of recipient: QueuedRecipient, _ reply: String) -> QueueSettlement.Outcome {
        if wants(.failure, recipient) { return .failed(reply: reply) }
        if recipient.reversePath == nil || recipient.sender == nil {
            return .discarded(reply: reply, rule: "null sender")
        }
        let rule = recipient.notify.isEmpty ? "NOTIFY=NEVER" : "NOTIFY without FAILURE"
        return .discarded(reply: reply, rule: rule)
    }

    private static func inOrder(_ notices: [SettlementPlan.Notice.Kind: [Int]]) -> [SettlementPlan.Notice] {
        guard !notices.isEmpty else { return [] }
        return SettlementPlan.Notice.Kind.allCases.compactMap { kind in
            notices[kind].map { .init(kind: kind, recipients: $0) }
        }
    }

    private func latest(_ instant: Instant, _ other: Instant?) -> Instant { max(instant, other ?? instant) }
}
