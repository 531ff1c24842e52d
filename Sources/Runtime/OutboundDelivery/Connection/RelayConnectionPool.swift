public import MailStore
internal import NIOCore
public import SMTPProtocol
internal import Synchronization

/// Connections that have done a transaction and may do another, by target. A lock around a small table; the connections themselves know
/// when they have ended.
public final class RelayConnectionPool: Sendable {
    public struct Limits: Sendable, Hashable {
        /// How long a connection is kept without work. Servers do not like more (RFC 5321 §4.5.3.2.7 gives 5 minutes at most).
        public var idle = Duration.seconds(5)
        /// Transactions of one connection; the server may tell fewer (RFC 9422).
        public var transactions = 100
        /// Connections that are kept at once; what is more is closed.
        public var connections = 200
        public init() {}
    }

    private struct State {
        var idle: [RelayTarget: [RelayConnection]] = [:]
        var count = 0
        var isClosing = false

        mutating func takeLast(_ target: RelayTarget) -> RelayConnection? {
            guard let connection = idle[target]?.popLast() else { return nil }
            count -= 1
            if idle[target]?.isEmpty == true { idle[target] = nil }
            return connection
        }

        mutating func remove(_ connection: RelayConnection) {
            guard let index = idle[connection.target]?.firstIndex(where: { $0 === connection }) else { return }
            idle[connection.target]?.remove(at: index)
            count -= 1
            if idle[connection.target]?.isEmpty == true { idle[connection.target] = nil }
        }
    }

    private let limits: Limits
    private let services: RelayServices
    private let state = Mutex(State())

    public init(services: RelayServices, limits: Limits = Limits()) {
        self.services = services
        self.limits = limits
    }

    /// Connections that are kept now.
    public var count: Int { state.withLock { $0.count } }

    /// One that was kept and still stands; nil when there is none.
    public func idleConnection(to target: RelayTarget) async -> RelayConnection? {
        // Each round takes one out.
        while let connection = state.withLock({ $0.takeLast(target) }) {
            if await connection.claim() { return connection }
        }
        return nil
    }

    /// One that was kept, or a new one.
    /// - Throws: as `RelayConnection.connect`.
    public func connection(to target: RelayTarget) async throws(RelayFailure) -> RelayConnection {
        if let connection = await idleConnection(to: target) { return connection }
        return try await newConnection(to: target)
    }

    private func newConnection(to target: RelayTarget) async throws(RelayFailure) -> RelayConnection {
        let connection = try await RelayConnection.connect(to: target, services: services)
        connection.channel.closeFuture.whenComplete { [weak self] _ in self?.forget(connection) }
        return connection
    }

    /// Hands a message over on a connection that was kept, or on a new one; it is kept again when it is still of use.
    /// - Throws: as `RelayConnection.connect`.
    public func deliver(
        _ transaction: SMTPClientTransaction, content: any MessageReading, to target: RelayTarget
    ) async throws(RelayFailure) -> (result: SMTPTransactionResult, info: RelayConnectionInfo) {
        // Each round takes one out.
        while let connection = state.withLock({ $0.takeLast(target) }) {
            guard let turn = await connection.turnAgain(transaction, content: content, limits) else { continue }
            keep(connection, isOfUse: turn.isOfUse)
            return (turn.result, turn.info)
        }
        let connection = try await newConnection(to: target)
        let turn = await connection.turn(transaction, content: content, limits)
        keep(connection, isOfUse: turn.isOfUse)
        return (turn.result, turn.info)
    }

    /// Keeps a connection for later when it is still of use, and closes it otherwise. Does not wait for the end of it.
    public func giveBack(_ connection: RelayConnection) async {
        keep(
            connection,
            isOfUse: await connection.rest(for: limits.idle, maximumTransactions: limits.transactions))
    }

    private func keep(_ connection: RelayConnection, isOfUse: Bool) {
        let isKept =
            isOfUse
            && state.withLock { state in
                // When it ends from here on, `forget` finds it.
                guard connection.isOpen, !state.isClosing, state.count < limits.connections else { return false }
                state.idle[connection.target, default: []].append(connection)
                state.count += 1
                return true
            }
        if !isKept { Task { await connection.close() } }
    }

    private func forget(_ connection: RelayConnection) { state.withLock { $0.remove(connection) } }

    /// Says QUIT on all that are kept, and keeps no more.
    public func close() async {
        let connections = state.withLock { state in
            state.isClosing = true
            defer { state.idle = [:] }
            state.count = 0
            return state.idle.values.flatMap { $0 }
        }
        await withTaskGroup(of: Void.self) { group in
            for connection in connections { group.addTask { await connection.close() } }
        }
    }
}
