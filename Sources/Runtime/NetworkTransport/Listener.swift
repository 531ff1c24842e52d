internal import Glibc
public import NIOCore
internal import NIOPosix
internal import Synchronization

/// A socket that takes connections and gives each one a session.
public final class Listener: Sendable {
    public struct Options: Sendable {
        /// `smtp`, `imaps` …
        public var service: String
        /// TLS before the first byte (RFC 8314 §3).
        public var usesImplicitTLS: Bool
        public var limits: ConnectionGate.Limits
        /// Sent in plain to a connection that is refused, before it is closed. Empty for a service with implicit TLS.
        public var refusalGreeting: @Sendable (ConnectionGate.Refusal) -> [UInt8]
        /// Writes the record of a refusal and gives its code, which then stands behind the greeting.
        public var recordRefusal: (@Sendable (_ address: String, ConnectionGate.Refusal) -> String?)?
        /// The descriptor of a socket that was bound to an endpoint before, and is the listener's from then on; nil: it binds
        /// one itself. For a process that gave up the right to do so.
        public var boundSocket: (@Sendable (Endpoint) -> CInt?)?
        /// Whether a peer that has closed its side still gets its answers: the session hears `inputEnded`. Otherwise the
        /// connection ends with its input.
        public var allowsHalfClosure = false
        /// How long a connection that we close stays for a peer that does not read what was written last.
        public var closePatience = Duration.seconds(10)

        public init(
            service: String, usesImplicitTLS: Bool, limits: ConnectionGate.Limits,
            refusalGreeting: @escaping @Sendable (ConnectionGate.Refusal) -> [UInt8] = { _ in [] }
        ) {
            self.service = service
            self.usesImplicitTLS = usesImplicitTLS
            self.limits = limits
            self.refusalGreeting = refusalGreeting
        }
    }

    /// Where to listen.
    public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// `host` is a numeric address, IPv6 without brackets.
        case internet(host: String, port: Int)
        case unix(path: String)
        public var description: String {
            switch self {
            case .internet(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): path
            }
        }
    }

    /// As in the options.
    public let service: String
    public let metrics: ConnectionMetrics
    private let channels: [any Channel]
    private let gate: ConnectionGate
    /// Connections that wait to be accepted.
    private static let backlog: CInt = 1024
    private static let connectionNumbers = Atomic<UInt64>(0)

    private init(service: String, metrics: ConnectionMetrics, channels: [any Channel], gate: ConnectionGate) {
        self.service = service
        self.metrics = metrics
        self.channels = channels
        self.gate = gate
    }

    /// Open connections now.
    public var connections: Int { gate.count }

    /// Binds all of `endpoints`, or none.
    /// - Throws: `BindError` naming the endpoint that could not be bound.
    public static func start<Session: ConnectionSession>(
        _ options: Options, on endpoints: [Endpoint], group: any EventLoopGroup, tls: TLSContextBox?,
        makeSession: @escaping @Sendable (Connection) -> Session
    ) async throws -> Listener {
        precondition(!options.usesImplicitTLS || tls != nil, "a listener with implicit TLS has a certificate")
        let gate = ConnectionGate(limits: options.limits)
        let metrics = ConnectionMetrics()
        var channels: [any Channel] = []
        for endpoint in endpoints {
            var bootstrap = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: Listener.backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 65_536)
                )
                .childChannelOption(.maxMessagesPerRead, value: 4)
                .childChannelOption(.allowRemoteHalfClosure, value: options.allowsHalfClosure)
                .childChannelOption(.writeBufferWaterMark, value: .init(low: 32 * 1024, high: 128 * 1024))
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Listener.setUp(
                            channel, options: options, gate: gate, metrics: metrics, tls: tls, makeSession: makeSession)
                    }
                }
            if case .internet = endpoint {
                bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            }
            do {
                channels.append(
                    try await endpoint.bind(bootstrap, boundSocket: options.boundSocket, backlog: Listener.backlog))
            } catch {
                for channel in channels { try? await channel.close() }
                throw error
            }
        }
        return Listener(service: options.service, metrics: metrics, channels: channels, gate: gate)
    }

    private static func setUp<Session: ConnectionSession>(
        _ channel: any Channel, options: Options, gate: ConnectionGate, metrics: ConnectionMetrics, tls: TLSContextBox?,
        makeSession: @Sendable (Connection) -> Session
    ) throws {
        let number = connectionNumbers.wrappingAdd(1, ordering: .relaxed).newValue
        let connection = Connection(
            channel: channel, number: number, service: options.service, tlsContext: tls,
            closePatience: options.closePatience, metrics: metrics)
        if let refusal = gate.admit(address: connection.peerAddress) {
            metrics.refused.add(to: ConnectionMetrics.Refusal(refusal))
            var greeting = options.refusalGreeting(refusal)
            if let code = options.recordRefusal?(connection.peerAddress, refusal),
                greeting.suffix(2) == [0x0D, 0x0A]
            {
                greeting = greeting.dropLast(2) + Array(" (record \(code))\r\n".utf8)
            }
            try channel.pipeline.syncOperations.addHandler(RefusalHandler(greeting: greeting))
            return
        }
        let address = connection.peerAddress
        metrics.opened.add()
        channel.closeFuture.whenComplete { _ in
            gate.closed(number: number, address: address)
            metrics.closed.add()
        }
        let session = makeSession(connection)
        let handler = ConnectionChannelHandler(
            connection: connection, session: session, gate: gate, usesImplicitTLS: options.usesImplicitTLS)
        try channel.pipeline.syncOperations.addHandler(handler)
        if options.usesImplicitTLS, let tls { try connection.addTLS(tls) }
    }

    /// Takes no more connections, asks every session to say goodbye, and waits for them at most `patience`.
    public func close(patience: Duration) async {
        for channel in channels { try? await channel.close() }
        gate.closeAll()
        let end = ContinuousClock.now + patience
        while gate.count > 0, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(10)) }
    }
}

/// A listener could not be bound.
public struct BindError: Error, Sendable, CustomStringConvertible {
    public let endpoint: Listener.Endpoint
    public let reason: String
    public var description: String { "cannot listen on \(endpoint): \(reason)" }

    init(endpoint: Listener.Endpoint, reason: String) {
        self.endpoint = endpoint
        self.reason = reason
    }

    /// - Parameter errno: of `bind` or `listen`.
    public init(_ endpoint: Listener.Endpoint, errno: CInt) {
        let reason =
            switch errno {
            case EADDRINUSE: "the address is in use; is another server running there?"
            case EACCES: "permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE"
            case EADDRNOTAVAIL: "the address does not belong to this machine"
            default: String(cString: strerror(errno))
            }
        self.init(endpoint: endpoint, reason: reason)
    }
}

/// Says one line and closes.
private final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let greeting: [UInt8]

    init(greeting: [UInt8]) { self.greeting = greeting }

    func channelActive(context: ChannelHandlerContext) {
        let buffer = context.channel.allocator.buffer(bytes: greeting)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in channel.close(promise: nil) }
    }
}
