internal import NIOCore
internal import NIOPosix
internal import Synchronization

extension RelayConnection {
    /// Connects, greets and takes TLS as the target's policy says.
    /// - Throws: `RelayFailure`. With `.opportunistic` and `isTLSFailure`, the same with `.none` may do.
    public static func connect(
        to target: RelayTarget, services: RelayServices
    ) async throws(RelayFailure) -> RelayConnection {
        let connection = try await reach(target, services)
        do throws(RelayFailure) {
            try await withTaskCancellation(of: connection) { () async throws(RelayFailure) in
                try await connection.opened()
            }
        } catch {
            await connection.abandon()
            throw error
        }
        return connection
    }

    private static func withTaskCancellation(
        of connection: RelayConnection, _ body: () async throws(RelayFailure) -> Void
    ) async throws(RelayFailure) {
        let result: Result<Void, RelayFailure> = await withTaskCancellationHandler {
            do throws(RelayFailure) { return .success(try await body()) } catch { return .failure(error) }
        } onCancel: {
            Task { await connection.abandon() }
        }
        try result.get()
    }

    private static func reach(
        _ target: RelayTarget, _ services: RelayServices
    ) async throws(RelayFailure) -> RelayConnection {
        func unreachable(_ reason: String) -> RelayFailure {
            RelayFailure(
                target: target, cause: .unreachable(reason),
                transcript: ["* \(target.address) port \(target.port): \(reason)"])
        }
        guard let address = try? SocketAddress(ipAddress: target.address, port: target.port) else {
            throw unreachable("\(target.address) is no address")
        }
        var bootstrap = ClientBootstrap(group: services.group)
            .connectTimeout(TimeAmount(bounded: services.timeouts.connect))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 65_536)
            )
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelOption(.writeBufferWaterMark, value: .init(low: 32 * 1024, high: 128 * 1024))
        if let local = target.localAddress {
            guard let source = try? SocketAddress(ipAddress: local, port: 0) else {
                throw unreachable("\(local) is no address to connect from")
            }
            bootstrap = bootstrap.bind(to: source)
        }
        let pending = Mutex<(any Channel)?>(nil)
        do {
            return try await withTaskCancellationHandler {
                try await bootstrap.connect(to: address) { channel in
                    pending.withLock { $0 = channel }
                    return channel.eventLoop.makeCompletedFuture {
                        let connection = RelayConnection(channel: channel, target: target, services: services)
                        try channel.pipeline.syncOperations.addHandler(RelayChannelHandler(connection))
                        return connection
                    }
                }
            } onCancel: {
                pending.withLock { $0 }?.close(promise: nil)
            }
        } catch {
            throw unreachable(Task.isCancelled ? "given up here" : TransportErrorText.of(error))
        }
    }
}
