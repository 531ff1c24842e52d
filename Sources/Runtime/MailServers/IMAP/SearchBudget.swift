internal import Synchronization

/// Bounds the octets of messages that SEARCH holds at once over all connections: who comes when there is no room waits for its
/// turn, in the order of coming.
package final class SearchBudget: Sendable {
    private struct State {
        var used = 0
        /// A queue: the ones before `next` have had their turn.
        var waiting: [(octets: Int, turn: CheckedContinuation<Void, Never>)] = []
        var next = 0

        mutating func takeNext(limit: Int) -> CheckedContinuation<Void, Never>? {
            guard next < waiting.count, waiting[next].octets <= limit - used else { return nil }
            let (octets, turn) = waiting[next]
            used += octets
            next += 1
            if next == waiting.count {
                waiting = []
                next = 0
            } else if next >= 64, next * 2 > waiting.count {
                waiting.removeFirst(next)
                next = 0
            }
            return turn
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: octets, at least 1. A larger message has all of them, alone.
    package init(limit: Int) { self.limit = max(limit, 1) }

    /// Octets that are taken now.
    package var used: Int { state.withLock { $0.used } }
    /// How many wait for their turn.
    package var waiting: Int { state.withLock { $0.waiting.count - $0.next } }

    /// What a message of `octets` takes. The same value is given back.
    private func share(_ octets: Int) -> Int { min(max(octets, 0), limit) }

    /// Waits until there is room for `octets` and takes it. Each call is followed by one `giveBack` with the same number.
    package func take(_ octets: Int) async {
        let octets = share(octets)
        await withCheckedContinuation { turn in
            let isFree = state.withLock { state in
                guard state.next == state.waiting.count, octets <= limit - state.used else {
                    state.waiting.append((octets, turn))
                    return false
                }
                state.used += octets
                return true
            }
            if isFree { turn.resume() }
        }
    }

    package func giveBack(_ octets: Int) {
        state.withLock { $0.used -= share(octets) }
        while let turn = state.withLock({ $0.takeNext(limit: limit) }) { turn.resume() }
    }
}
