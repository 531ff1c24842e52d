internal import MartletCore
internal import Synchronization

/// The open connections of a service that gives one answer each, counted. Of those that are too many the oldest is closed, and the
/// new one is taken: whoever holds connections keeps nobody out. All addresses of one `PeerNetwork` count as one address.
package final class RecentConnections: Sendable {
    private struct Entry: Sendable {
        let number: UInt64
        let network: PeerNetwork
        let close: @Sendable () -> Void
    }

    private struct State {
        /// The oldest first.
        var entries: [Entry] = []
        var lastNumber: UInt64 = 0
    }

    private let limit: Int
    private let limitPerAddress: Int
    private let state = Mutex(State())

    package init(limit: Int, limitPerAddress: Int) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
    }

    /// Open connections now.
    package var count: Int { state.withLock { $0.entries.count } }

    /// Takes a connection, and closes the oldest one from its address, or of all, when there is one too many. O(connections).
    /// - Parameters:
    ///   - address: numeric, without port.
    ///   - close: closes it; called at most once, by another connection's `opened`.
    /// - Returns: its number, for `closed`.
    package func opened(address: String, close: @escaping @Sendable () -> Void) -> UInt64 {
        let network = PeerNetwork(address)
        let (number, surplus) = state.withLock { state -> (UInt64, Entry?) in
            state.lastNumber &+= 1
            let number = state.lastNumber
            state.entries.append(Entry(number: number, network: network, close: close))
            let fromAddress = state.entries.count(where: { $0.network == network })
            if fromAddress > limitPerAddress, let oldest = state.entries.firstIndex(where: { $0.network == network }) {
                return (number, state.entries.remove(at: oldest))
            }
            return (number, state.entries.count > limit ? state.entries.removeFirst() : nil)
        }
        surplus?.close()
        return number
    }

    /// A connection has ended, by whomever.
    package func closed(_ number: UInt64) {
        state.withLock { state in state.entries.removeAll { $0.number == number } }
    }
}
