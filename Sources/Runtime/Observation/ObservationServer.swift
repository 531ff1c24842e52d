internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
public import NIOCore
public import NetworkTransport
internal import ServerMetrics

/// Where the pages come from.
public protocol ObservationSource: Sendable {
    /// In Prometheus' text format 0.0.4.
    func metricsPage() async -> String
    func readiness() async -> Readiness
}

/// The local HTTP port: `GET /metrics`, `/health/live` (200 as long as the process answers) and `/health/ready` (200, or 503 with the
/// reasons). It asks for no login and has no TLS: for loopback, or a socket in a directory of one's own.
public struct ObservationServer: Sendable {
    /// Connections at a time: there is a collector, and a probe or two.
    private static let maximumConnections = 32
    /// For how long a connection may say nothing.
    private static let idleLimit = TimeAmount.seconds(60)
    /// Octets of a request's header.
    private static let maximumHeader = 16_384

    private let tasks: [Task<Void, Never>]

    /// Listens on all of `endpoints`, or on none.
    /// - Throws: `BindError` naming the one that could not be had.
    public static func start(
        on endpoints: [Listener.Endpoint], source: any ObservationSource, group: any EventLoopGroup
    ) async throws -> ObservationServer {
        var tasks: [Task<Void, Never>] = []
        for endpoint in endpoints {
            do {
                tasks.append(try await start(endpoint, source, group))
            } catch {
                await end(tasks)
                if let error = error as? IOError { throw BindError(endpoint, errno: error.errnoCode) }
                if error is SocketAddressError { throw BindError(endpoint, errno: EADDRNOTAVAIL) }
                throw error
            }
        }
        return ObservationServer(tasks: tasks)
    }

    /// Takes no more requests and ends its connections.
    public func close() async { await ObservationServer.end(tasks) }

    private static func end(_ tasks: [Task<Void, Never>]) async {
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private static func start(
        _ endpoint: Listener.Endpoint, _ source: any ObservationSource, _ group: any EventLoopGroup
    ) async throws -> Task<Void, Never> {
        let address: BindAddress =
            switch endpoint {
            case .internet(let host, let port): .hostname(host, port: port)
            case .unix(let path): .unixDomainSocket(path: path)
            }
        let (states, state) = AsyncStream<Result<Void, any Error>>.makeStream()
        // What it has to say of its connections is of no use to anybody who runs a mail server.
        let logger = Logger(label: "metrics") { _ in SwiftLogNoOpLogHandler() }
        var limits = HTTP1Channel.Configuration.DecoderConfiguration()
        limits.maxHeaderListSize = maximumHeader
        limits.maxHeaderFieldSize = maximumHeader
        let application = Application(
            router: router(source),
            server: .http1(configuration: .init(idleTimeout: idleLimit, httpDecoderConfiguration: limits)),
            configuration: .init(
                address: address, serverName: "martlet",
                availableConnectionsDelegate: MaximumAvailableConnections(maximumConnections, logger: logger)),
            onServerRunning: { _ in state.yield(.success(())) }, eventLoopGroupProvider: .shared(group), logger: logger)
        let task = Task {
            do { try await application.run() } catch { state.yield(.failure(error)) }
            state.finish()
        }
        for await first in states {
            try first.get()
            return task
        }
        throw CancellationError()
    }

    private static func router(_ source: any ObservationSource) -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/metrics") { _, _ in
            response(.ok, MetricsPage.contentType, await source.metricsPage())
        }
        router.get("/health/live") { _, _ in response(.ok, "application/json", "{\"live\":true}\n") }
        router.get("/health/ready") { _, _ in
            let readiness = await source.readiness()
            return response(readiness.isReady ? .ok : .serviceUnavailable, "application/json", readiness.json)
        }
        router.get("/") { _, _ in
            response(.ok, "text/plain; charset=utf-8", "martlet: /metrics, /health/live, /health/ready\n")
        }
        return router
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: String) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: body)))
    }
}
