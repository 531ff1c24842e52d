internal import MailStore
internal import MartletCore

extension QueueEngine {
    /// Keeps in mind that a lane has something due in the store.
    mutating func note(_ lane: QueueLane, now: Instant, _ actions: inout [QueueAction]) {
        guard case .running = phase else { return }
        // A paused destination is found again by the look after its pause.
        if destinations[lane.destination]?.isPaused(now) ?? false { return }
        guard readyLanes < configuration.maximumLanes else {
            mayHaveDue = true
            return
        }
        addDestination(lane.destination)
        guard let index = destinations.index(forKey: lane.destination) else { return }
        if destinations.values[index].readyLanes >= configuration.maximumLanesPerDestination,
            destinations.values[index].lanes[lane.lane] == nil
        {
            destinations.values[index].mayHaveMore = true
            return
        }
        if destinations.values[index].noteReady(lane.lane) { readyLanes += 1 }
        review(lane.destination)
    }

    mutating func addDestination(_ destination: String) {
        if destinations[destination] == nil {
            destinations[destination] = DestinationState(
                window: max(1, min(configuration.initialWindow, configuration.maximumWindow)))
        }
    }

    /// After a change: gives a destination the turns that it can use, and forgets it when nothing is to be remembered.
    mutating func review(_ destination: String) {
        guard let index = destinations.index(forKey: destination) else { return }
        let isSuspect = destinations.values[index].isSuspect
        if destinations.values[index].buffered > 0,
            destinations.values[index].inFlight < min(destinations.values[index].window, configuration.maximumWindow)
        {
            startTurns.append(destination, isSuspect: isSuspect)
        }
        if destinations.values[index].readyLanes > 0,
            destinations.values[index].wanted(maximum: configuration.maximumWindow) > 0
        {
            claimTurns.append(destination, isSuspect: isSuspect)
        }
        if destinations.values[index].mayHaveMore, !destinations.values[index].isBeingPostponed,
            destinations.values[index].readyLanes <= configuration.manyLanes / 2
        {
            destinations.values[index].mayHaveMore = false
            mayHaveDue = true
        }
        if destinations.values[index].isForgettable { destinations.remove(at: index) }
    }

    // MARK: - Dead destinations

    /// Leaves a destination alone: gives back what waits for it, and looks for what has no more time.
    mutating func pause(
        _ destination: String, now: Instant, _ actions: inout [QueueAction],
        using generator: inout some RandomNumberGenerator
    ) {
        guard let index = destinations.index(forKey: destination) else { return }
        let factor = configuration.pauses.drawFactor(using: &generator)
        let until =
            now + configuration.pauses.delay(afterFailures: destinations.values[index].pauses, factor: factor)
        destinations.values[index].pause(until: until)
        readyLanes -= destinations.values[index].forgetReadyLanes()
        for id in destinations.values[index].takeBuffer() {
            buffered -= 1
            turnAway(id, now: now, &actions)
        }
        postpone(destination, until: until, &actions)
        sweepTurns.append(destination)
        remember(destination, now: now)
    }

    mutating func postpone(_ destination: String, until: Instant, _ actions: inout [QueueAction]) {
        dueAt = min(dueAt ?? until, until)
        guard let index = destinations.index(forKey: destination), !destinations.values[index].isBeingPostponed else {
            return
        }
        destinations.values[index].isBeingPostponed = true
        actions.append(.postpone(destination: destination, until: until))
    }

    /// Ends or gives back leased work of a destination that is left alone.
    mutating func turnAway(_ id: AttemptID, now: Instant, _ actions: inout [QueueAction]) {
        guard let item = work[id], let state = destinations[item.destination] else { return }
        if item.delivery.message.expiresAt <= now {
            settle(id, SettlementRule.expiry(of: item.delivery, reply: state.lastFailure), &actions)
        } else {
            settle(id, SettlementRule.giveBack(item.delivery, at: state.pausedUntil ?? now), &actions)
        }
    }

    /// Bounds the memory of failing destinations: the one that has been failing for the longest time is forgotten first.
    private mutating func remember(_ destination: String, now: Instant) {
        failing.append(destination)
        guard failing.count > configuration.maximumFailing, let oldest = failing.popFirst() else { return }
        guard let state = destinations[oldest] else { return }
        if state.lanes.isEmpty, state.inFlight == 0, !state.isBeingPostponed {
            destinations.removeValue(forKey: oldest)
        } else {
            failing.append(oldest)
        }
    }
}
