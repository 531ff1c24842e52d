internal import MartletCore
internal import Synchronization

/// How many records of refusals a stranger can cause: each network so many a minute, all together so many. What is more is
/// refused all the same and counted, and the next record of that network tells the number.
final class RefusalBudget: Sendable {
    static let interval = Duration.seconds(60)
    /// Records a minute of one network. A sender with a list of a hundred dead addresses is told in full.
    static let recordsPerNetwork = 120
    /// Records a minute of all networks.
    static let recordsPerInterval = 6_000
    /// Networks whose refusals without a record are counted each by itself.
    static let maximumNetworks = 16_384

    /// Whether a refusal gets a record.
    enum Admission: Equatable {
        /// It does; `before` refusals of this network had none since the last, and `elsewhere` of networks that were forgotten.
        case recorded(before: Int, elsewhere: Int)
        case counted
    }

    private struct State {
        var since = Instant(microseconds: 0)
        var total = 0
        var recorded: [PeerNetwork: Int] = [:]
        var unrecorded: [PeerNetwork: Int] = [:]
        /// Of networks that are not counted each by itself any more.
        var unrecordedElsewhere = 0
    }

    private let state = Mutex(State())

    func admit(_ network: PeerNetwork, now: Instant) -> Admission {
        state.withLock { state in
            if now < state.since || now - state.since >= RefusalBudget.interval {
                state.since = now
                state.total = 0
                state.recorded.removeAll(keepingCapacity: true)
            }
            guard state.total < RefusalBudget.recordsPerInterval,
                state.recorded[network, default: 0] < RefusalBudget.recordsPerNetwork
            else {
                if state.unrecorded.count >= RefusalBudget.maximumNetworks, state.unrecorded[network] == nil {
                    state.unrecordedElsewhere += state.unrecorded.values.reduce(0, +)
                    state.unrecorded = [:]
                }
                state.unrecorded[network, default: 0] += 1
                return .counted
            }
            state.total += 1
            state.recorded[network, default: 0] += 1
            defer { state.unrecordedElsewhere = 0 }
            return .recorded(
                before: state.unrecorded.removeValue(forKey: network) ?? 0, elsewhere: state.unrecordedElsewhere)
        }
    }
}
