internal import MailStore
internal import MartletCore

extension QueueEngine {
    // MARK: - Leased work comes in

    mutating func claimed(
        _ claims: [QueueClaim], _ deliveries: [QueuedDelivery], now: Instant, _ actions: inout [QueueAction]
    ) {
        isClaiming = false
        var taken: [QueueLane: (messages: Int, isCut: Bool)] = [:]
        var ofDestination: [String: Int] = [:]
        let leaseUntil = claims.map(\.leaseUntil).min() ?? now
        for delivery in deliveries {
            guard let destination = delivery.recipients.first?.destination else { continue }
            let isCut = delivery.recipients.count >= configuration.recipientsPerAttempt
            let lane = QueueLane(destination: destination, lane: delivery.message.lane)
            let before = taken[lane] ?? (0, false)
            taken[lane] = (before.messages + 1, before.isCut || isCut)
            if delivery.message.expiresAt <= now { ofDestination[destination, default: 0] += 1 }
            admit(delivery, leaseUntil: leaseUntil, now: now, &actions)
        }
        for claim in claims {
            let destination = claim.lane.destination
            if claim.isForExpired {
                if ofDestination[destination, default: 0] >= claim.messages { sweepTurns.append(destination) }
            } else {
                let (messages, isCut) = taken[claim.lane] ?? (0, false)
                let isDrained = messages < claim.messages && !isCut
                claimEnded(claim.lane, isDrained: isDrained)
                // When the rest of the lane is due is the store's to say.
                if isDrained {
                    let soon = now + configuration.lookSpacing
                    dueAt = min(dueAt ?? soon, soon)
                }
            }
            review(destination)
        }
    }

    mutating func claimFailed(_ claims: [QueueClaim], now: Instant) {
        isClaiming = false
        claimsFrom = now + configuration.storeRetry
        for claim in claims {
            if claim.isForExpired {
                sweepTurns.append(claim.lane.destination)
            } else {
                claimEnded(claim.lane, isDrained: false)
            }
            review(claim.lane.destination)
        }
    }

    private mutating func claimEnded(_ lane: QueueLane, isDrained: Bool) {
        if destinations[lane.destination]?.claimEnded(lane.lane, isDrained: isDrained) ?? false { readyLanes -= 1 }
    }

    /// Work that its commit leased to us: taken where it can soon start, otherwise the store has it back.
    mutating func admitFresh(
        _ delivery: QueuedDelivery, leaseUntil: Instant, now: Instant, _ actions: inout [QueueAction]
    ) {
        guard let destination = delivery.recipients.first?.destination else { return }
        if canTakeLeased(destination, now: now) || destinations[destination]?.isPaused(now) ?? false {
            admit(delivery, leaseUntil: leaseUntil, now: now, &actions)
        } else {
            let id = hold(delivery, destination: destination, leaseUntil: leaseUntil)
            settle(id, SettlementRule.giveBack(delivery, at: now), &actions)
            dueAt = min(dueAt ?? now, now)
        }
    }

    /// Fresh work that may wait for a destination. None passes what waits in the store.
    func freshRoom(_ state: DestinationState) -> Int {
        state.readyLanes > 0 || state.mayHaveMore ? 0 : max(configuration.messagesPerClaim, 2 * state.window)
    }

    private mutating func admit(
        _ delivery: QueuedDelivery, leaseUntil: Instant, now: Instant, _ actions: inout [QueueAction]
    ) {
        guard let destination = delivery.recipients.first?.destination else { return }
        var recipients: [QueuedRecipient] = []
        for recipient in delivery.recipients where recipient.state != .held {
            if let other = held[RecipientKey(code: delivery.message.code, number: recipient.number)] {
                // Its lease had run out, and is ours again: it is still one attempt.
                work[other]?.leaseUntil = leaseUntil
                let isCancelled = work[other]?.isCancelled ?? false
                work[other]?.isLost = isCancelled
            } else {
                recipients.append(recipient)
            }
        }
        while !recipients.isEmpty {
            let part = QueuedDelivery(
                message: delivery.message, recipients: Array(recipients.prefix(configuration.recipientsPerAttempt)))
            recipients.removeFirst(part.recipients.count)
            let id = hold(part, destination: destination, leaseUntil: leaseUntil)
            if destinations[destination]?.isPaused(now) ?? false {
                turnAway(id, now: now, &actions)
            } else if case .running = phase {
                addDestination(destination)
                destinations[destination]?.addToBuffer(id, lane: delivery.message.lane)
                buffered += 1
                review(destination)
            } else {
                settle(id, SettlementRule.giveBack(part, at: now), &actions)
            }
        }
    }

    private mutating func hold(_ delivery: QueuedDelivery, destination: String, leaseUntil: Instant) -> AttemptID {
        lastID &+= 1
        let id = AttemptID(lastID)
        work[id] = Work(delivery: delivery, destination: destination, leaseUntil: leaseUntil, state: .waiting)
        for recipient in delivery.recipients {
            held[RecipientKey(code: delivery.message.code, number: recipient.number)] = id
        }
        return id
    }

    // MARK: - Attempts end

    mutating func attemptEnded(
        _ id: AttemptID, _ report: AttemptReport, now: Instant, _ actions: inout [QueueAction],
        using generator: inout some RandomNumberGenerator
    ) {
        guard let item = work[id], case .attempting(let since) = item.state else { return }
        let destination = item.destination
        inFlight -= 1
        if item.isSuspect { suspectsInFlight -= 1 }
        if let index = destinations.index(forKey: destination) {
            let bound = min(destinations.values[index].window, configuration.maximumWindow)
            let wasFull = destinations.values[index].inFlight >= bound
            destinations.values[index].inFlight -= 1
            switch report.connection {
            case .unknown: break
            case .worked:
                destinations.values[index].connectionWorked(
                    wasFull: wasFull, isSlow: now - since > configuration.slowAfter,
                    maximum: configuration.maximumWindow)
            case .unreachable(let reply), .refused(let reply):
                destinations.values[index].connectionFailed(reply: reply)
                if destinations.values[index].needsPause(now, failuresBeforePause: configuration.failuresBeforePause) {
                    pause(destination, now: now, &actions, using: &generator)
                }
            }
        }
        let rule = SettlementRule(retries: configuration.retries, delayNoticeAfter: configuration.delayNoticeAfter)
        let isStopping = if case .running = phase { false } else { true }
        var plan = rule.plan(
            for: item.delivery, report: report, now: now, pausedUntil: destinations[destination]?.pausedUntil,
            factor: configuration.retries.drawFactor(using: &generator),
            returnDelay: isStopping ? .zero : configuration.storeRetry)
        if item.isLost { plan.keepRelayed() }
        if plan.recipients.isEmpty {
            release(id)
        } else {
            settling += 1
            settle(id, plan, &actions)
        }
        review(destination)
    }

    // MARK: - Settlements

    mutating func settle(_ id: AttemptID, _ plan: SettlementPlan, _ actions: inout [QueueAction]) {
        for recipient in plan.recipients {
            switch recipient.outcome {
            case .retry(let at, _, _), .returned(let at): dueAt = min(dueAt ?? at, at)
            case .relayed, .failed, .discarded: break
            }
        }
        work[id]?.state = .settling(plan, failures: 0, retryAt: nil)
        actions.append(.settle(id, plan))
    }

    mutating func settled(_ id: AttemptID) {
        guard let item = work[id], case .settling = item.state else { return }
        if item.isAttempt { settling -= 1 }
        release(id)
    }

    mutating func settleFailed(_ id: AttemptID, now: Instant) {
        guard let item = work[id], case .settling(let plan, let failures, _) = item.state else { return }
        let at = now + configuration.storeRetry * min(failures + 1, 12)
        work[id]?.state = .settling(plan, failures: failures + 1, retryAt: at)
        settleRetryAt = min(settleRetryAt ?? at, at)
    }

    mutating func retrySettlements(_ now: Instant, _ actions: inout [QueueAction]) {
        settleRetryAt = nil
        for id in work.keys.sorted() {
            guard case .settling(let plan, let failures, let retryAt?) = work[id]?.state else { continue }
            if retryAt <= now {
                work[id]?.state = .settling(plan, failures: failures, retryAt: nil)
                actions.append(.settle(id, plan))
            } else {
                settleRetryAt = min(settleRetryAt ?? retryAt, retryAt)
            }
        }
    }

    /// Forgets work: it is no longer ours.
    mutating func release(_ id: AttemptID) {
        guard let item = work.removeValue(forKey: id) else { return }
        for recipient in item.delivery.recipients {
            held.removeValue(forKey: RecipientKey(code: item.delivery.message.code, number: recipient.number))
        }
    }
}
