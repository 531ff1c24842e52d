internal import MartletCore
internal import Synchronization

/// Counts a service's connections and says when one is too many. Shared by all loops. All addresses of one `PeerNetwork`
/// count as one address.
public final class ConnectionGate: Sendable {
    public struct Limits: Sendable, Hashable {
        public var connections: Int
        public var connectionsPerAddress: Int
        public init(connections: Int, connectionsPerAddress: Int) {
            self.connections = connections
            self.connectionsPerAddress = connectionsPerAddress
        }
    }

    /// Why a connection was refused.
    public enum Refusal: Sendable, Hashable {
        case tooMany(limit: Int)
        case tooManyFromAddress(limit: Int)
        case closing
    }

    private struct State {
        var byNetwork: [PeerNetwork: Int] = [:]
        var count = 0
        var closers: [UInt64: @Sendable () -> Void] = [:]
        var isClosing = false
    }

    private let limits: Limits
    private let state = Mutex(State())

    public init(limits: Limits) { self.limits = limits }

    /// Open connections now.
    public var count: Int { state.withLock { $0.count } }

    package func admit(address: String) -> Refusal? {
        let network = PeerNetwork(address)
        return state.withLock { state in
            if state.isClosing { return .closing }
            if state.count >= limits.connections { return .tooMany(limit: limits.connections) }
            let fromAddress = state.byNetwork[network, default: 0]
            if fromAddress >= limits.connectionsPerAddress {
                return .tooManyFromAddress(limit: limits.connectionsPerAddress)
            }
            state.count += 1
            state.byNetwork[network] = fromAddress + 1
            return nil
        }
    }

    func opened(number: UInt64, closer: @escaping @Sendable () -> Void) {
        state.withLock { $0.closers[number] = closer }
    }

    package func closed(number: UInt64, address: String) {
        let network = PeerNetwork(address)
        state.withLock { state in
            state.closers[number] = nil
            state.count -= 1
            let left = state.byNetwork[network, default: 1] - 1
            state.byNetwork[network] = left > 0 ? left : nil
        }
    }

    /// Admits nobody from now on and tells every session that the server closes.
    func closeAll() {
        let closers = state.withLock { state in
            state.isClosing = true
            return Array(state.closers.values)
        }
        for closer in closers { closer() }
    }
}
