internal import MailStore
internal import MartletCore

extension QueueEngine {
    /// Renews the leases of what is in flight from half their time on, gives back what has waited that long for a turn, and
    /// cancels what could not be renewed before others may take it.
    mutating func checkLeases(_ now: Instant, _ actions: inout [QueueAction]) {
        leaseCheckAt = nil
        var renewals: [AttemptID: QueueLease] = [:]
        for id in work.keys.sorted() {
            guard let item = work[id] else { continue }
            let left = item.leaseUntil - now
            guard left <= configuration.lease / 2 else { continue }
            switch item.state {
            case .waiting:
                leaveBuffer(id)
                settle(id, SettlementRule.giveBack(item.delivery, at: now), &actions)
                review(item.destination)
            case .attempting:
                if left <= configuration.lease / 8 {
                    leaseLost(id, &actions)
                } else if !item.isLost {
                    renewals[id] = item.lease(of: configuration.owner)
                }
            case .settling:
                if !item.isLost { renewals[id] = item.lease(of: configuration.owner) }
            }
        }
        if !renewals.isEmpty { actions.append(.renew(renewals, until: now + configuration.lease)) }
    }

    /// Others may have it from now on. An attempt is cancelled; what it has already handed over is still told to the store.
    mutating func leaseLost(_ id: AttemptID, _ actions: inout [QueueAction]) {
        guard let item = work[id] else { return }
        work[id]?.isLost = true
        switch item.state {
        case .waiting:
            leaveBuffer(id)
            release(id)
            review(item.destination)
        case .attempting:
            guard !item.isCancelled else { return }
            work[id]?.isCancelled = true
            actions.append(.cancel(id))
        case .settling: break
        }
    }

    private mutating func leaveBuffer(_ id: AttemptID) {
        guard let item = work[id] else { return }
        if destinations[item.destination]?.removeFromBuffer(id, lane: item.delivery.message.lane) ?? false {
            buffered -= 1
        }
    }

    /// Gives back all that has not begun. What is in flight is waited for.
    mutating func stop(_ now: Instant, _ actions: inout [QueueAction]) {
        switch phase {
        case .stopping, .stopped: return
        case .created, .running: phase = .stopping
        }
        for id in work.keys.sorted() {
            guard let item = work[id], case .waiting = item.state else { continue }
            leaveBuffer(id)
            settle(id, SettlementRule.giveBack(item.delivery, at: now), &actions)
        }
    }
}
