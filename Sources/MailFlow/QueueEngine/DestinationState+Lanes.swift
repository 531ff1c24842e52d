/// The buffer and the turns of a destination's lanes. Whoever calls keeps the engine's totals.
extension DestinationState {
    /// The lane has something due in the store. Returns whether that is news.
    mutating func noteReady(_ lane: String) -> Bool {
        if lanes[lane]?.isClaimed ?? false {
            lanes[lane]?.hasArrivals = true
        } else {
            claimTurns.append(lane)
        }
        guard !(lanes[lane]?.isReady ?? false) else { return false }
        lanes[lane, default: Lane()].isReady = true
        readyLanes += 1
        return true
    }

    /// The next lane to claim of; its claim is on the way from now on.
    mutating func takeClaimTurn() -> String? {
        while let lane = claimTurns.popFirst() {
            guard let state = lanes[lane], state.isReady, !state.isClaimed else { continue }
            lanes[lane]?.isClaimed = true
            return lane
        }
        return nil
    }

    /// Returns whether the lane is no longer ready.
    mutating func claimEnded(_ lane: String, isDrained: Bool) -> Bool {
        guard let state = lanes[lane] else { return false }
        lanes[lane]?.isClaimed = false
        lanes[lane]?.hasArrivals = false
        defer { forgetIfIdle(lane) }
        guard state.isReady else { return false }
        if isDrained, !state.hasArrivals {
            lanes[lane]?.isReady = false
            readyLanes -= 1
            return true
        }
        claimTurns.append(lane)
        return false
    }

    mutating func addToBuffer(_ id: AttemptID, lane: String) {
        lanes[lane, default: Lane()].buffer.append(id)
        buffered += 1
        startTurns.append(lane)
    }

    /// The next work to start: lanes take turns.
    mutating func takeTurn() -> AttemptID? {
        while let lane = startTurns.popFirst() {
            guard let index = lanes.index(forKey: lane), !lanes.values[index].buffer.isEmpty else { continue }
            let id = lanes.values[index].buffer.removeFirst()
            buffered -= 1
            if lanes.values[index].buffer.isEmpty { forgetIfIdle(lane) } else { startTurns.append(lane) }
            return id
        }
        return nil
    }

    /// Returns whether it was there.
    mutating func removeFromBuffer(_ id: AttemptID, lane: String) -> Bool {
        guard let place = lanes[lane]?.buffer.firstIndex(of: id) else { return false }
        lanes[lane]?.buffer.remove(at: place)
        buffered -= 1
        forgetIfIdle(lane)
        return true
    }

    /// Empties the buffer.
    mutating func takeBuffer() -> [AttemptID] {
        var all: [AttemptID] = []
        while let id = takeTurn() { all.append(id) }
        return all
    }

    /// Forgets which lanes have something due. Returns how many those were.
    mutating func forgetReadyLanes() -> Int {
        let count = readyLanes
        readyLanes = 0
        for lane in Array(lanes.keys) {
            lanes[lane]?.isReady = false
            lanes[lane]?.hasArrivals = false
            forgetIfIdle(lane)
        }
        mayHaveMore = false
        return count
    }

    private mutating func forgetIfIdle(_ lane: String) {
        if lanes[lane]?.isIdle ?? false { lanes.removeValue(forKey: lane) }
    }
}
