internal import MailStore
internal import MartletCore

extension QueueEngine {
    /// After every event: what can start is started, what can be claimed is claimed, and the store is looked at when it may
    /// have more.
    mutating func schedule(_ now: Instant, _ actions: inout [QueueAction]) {
        switch phase {
        case .created, .stopped: return
        case .running:
            startAttempts(now, &actions)
            requestClaims(now, &actions)
            look(now, &actions)
        case .stopping:
            if work.isEmpty, !isClaiming {
                phase = .stopped
                actions.append(.stopped)
                return
            }
        }
        setTimer(now, &actions)
    }

    private var takesSuspects: Bool { suspectsInFlight < configuration.suspectAttempts }

    // MARK: - Starting

    private mutating func startAttempts(_ now: Instant, _ actions: inout [QueueAction]) {
        while inFlight + settling < configuration.totalAttempts {
            guard let destination = startTurns.popFirst(takesSuspects: takesSuspects) else { return }
            start(destination, now, &actions)
        }
    }

    private mutating func start(_ destination: String, _ now: Instant, _ actions: inout [QueueAction]) {
        guard let index = destinations.index(forKey: destination), destinations.values[index].buffered > 0,
            !destinations.values[index].isPaused(now)
        else { return }
        let isSuspect = destinations.values[index].isSuspect
        if isSuspect, !takesSuspects {
            startTurns.append(destination, isSuspect: true)
            return
        }
        // A destination at its bound comes back when one of its attempts ends.
        guard destinations.values[index].inFlight < allowance(destinations.values[index].window) else { return }
        guard let id = destinations.values[index].takeTurn() else { return }
        buffered -= 1
        destinations.values[index].inFlight += 1
        inFlight += 1
        if isSuspect { suspectsInFlight += 1 }
        work[id]?.state = .attempting(since: now)
        work[id]?.isAttempt = true
        work[id]?.isSuspect = isSuspect
        if let delivery = work[id]?.delivery { actions.append(.attempt(id, delivery)) }
        review(destination)
    }

    /// Attempts that a destination may have now; less than its window while others wait for a turn.
    private func allowance(_ window: Int) -> Int {
        let bound = min(window, configuration.maximumWindow)
        return startTurns.isEmpty ? bound : min(bound, configuration.destinationShare)
    }

    // MARK: - Claiming

    private mutating func requestClaims(_ now: Instant, _ actions: inout [QueueAction]) {
        guard !isClaiming, claimsFrom.map({ $0 <= now }) ?? true else { return }
        var claims: [QueueClaim] = []
        let leaseUntil = now + configuration.lease
        while claims.count < 4, let destination = sweepTurns.popFirst() {
            claims.append(
                QueueClaim(
                    lane: QueueLane(destination: destination, lane: ""), messages: configuration.messagesPerClaim * 5,
                    recipients: configuration.recipientsPerAttempt, owner: configuration.owner, leaseUntil: leaseUntil,
                    isForExpired: true))
        }
        var room = configuration.maximumBuffered - buffered
        while room > 0, claims.count < configuration.claimsAtOnce {
            guard let destination = claimTurns.popFirst(takesSuspects: takesSuspects) else { break }
            guard let index = destinations.index(forKey: destination), !destinations.values[index].isPaused(now) else {
                continue
            }
            var wanted = min(room, destinations.values[index].wanted(maximum: configuration.maximumWindow))
            while wanted > 0, claims.count < configuration.claimsAtOnce,
                let lane = destinations.values[index].takeClaimTurn()
            {
                // What is wanted is spread over the lanes that wait.
                let share = wanted / (destinations.values[index].claimTurns.count + 1)
                let messages = min(max(1, share), configuration.messagesPerClaim)
                wanted -= messages
                room -= messages
                claims.append(
                    QueueClaim(
                        lane: QueueLane(destination: destination, lane: lane), messages: messages,
                        recipients: configuration.recipientsPerAttempt, owner: configuration.owner,
                        leaseUntil: leaseUntil))
            }
        }
        guard !claims.isEmpty else { return }
        claimsFrom = nil
        isClaiming = true
        actions.append(.claim(claims))
    }

    // MARK: - Looking

    private mutating func look(_ now: Instant, _ actions: inout [QueueAction]) {
        // No more than can soon be used; suspects that wait for each other do not keep others from being found.
        guard mayHaveDue, !isLooking, buffered < configuration.maximumBuffered,
            claimTurns.goodCount < configuration.claimsAtOnce, readyLanes < configuration.maximumLanes / 2
        else { return }
        var exclusion = QueueExclusion()
        for index in destinations.indices {
            let destination = destinations.keys[index]
            if isPassedOver(destinations.values[index]) {
                exclusion.destinations.insert(destination)
                destinations.values[index].mayHaveMore = true
            } else if destinations.values[index].readyLanes > 0 {
                for (lane, state) in destinations.values[index].lanes where state.isReady {
                    exclusion.lanes.insert(QueueLane(destination: destination, lane: lane))
                }
            }
        }
        isLooking = true
        mayHaveDue = false
        dueAt = nil
        lastLook = now
        actions.append(.lookForDue(excluding: exclusion, limit: configuration.lanesPerLook))
    }

    func isPassedOver(_ state: DestinationState) -> Bool {
        state.isBeingPostponed || state.readyLanes >= configuration.manyLanes
    }

    mutating func looked(_ lanes: [QueueLane], next: Instant?, now: Instant, _ actions: inout [QueueAction]) {
        isLooking = false
        if lanes.count >= configuration.lanesPerLook { mayHaveDue = true }
        if let next { dueAt = min(dueAt ?? next, next) }
        for lane in lanes {
            if let state = destinations[lane.destination], state.isPaused(now), let until = state.pausedUntil {
                // It came after the destination was postponed.
                postpone(lane.destination, until: until, &actions)
            } else {
                note(lane, now: now, &actions)
            }
        }
    }

    // MARK: - Time

    mutating func timeCame(_ now: Instant, _ actions: inout [QueueAction]) {
        if let at = dueAt, at <= now {
            dueAt = nil
            mayHaveDue = true
        }
        if let lastLook, lastLook + configuration.pollInterval <= now { mayHaveDue = true }
        if let at = leaseCheckAt, at <= now { checkLeases(now, &actions) }
        if let at = settleRetryAt, at <= now { retrySettlements(now, &actions) }
    }

    private mutating func setTimer(_ now: Instant, _ actions: inout [QueueAction]) {
        if work.isEmpty {
            leaseCheckAt = nil
        } else if leaseCheckAt == nil {
            leaseCheckAt = now + configuration.lease / 8
        }
        var earliest = leaseCheckAt
        func consider(_ instant: Instant?) {
            guard let instant else { return }
            earliest = min(earliest ?? instant, instant)
        }
        if case .running = phase {
            let base = lastLook ?? now
            if !isLooking {
                consider(dueAt.map { max($0, base + configuration.lookSpacing) })
                consider(max(now, base) + configuration.pollInterval)
            }
            consider(claimsFrom)
        }
        consider(settleRetryAt)
        // One that is set for too early costs an idle event; only an earlier one has to be told.
        guard let earliest, timer.map({ earliest < $0 }) ?? true else { return }
        timer = earliest
        actions.append(.wake(at: earliest))
    }
}
