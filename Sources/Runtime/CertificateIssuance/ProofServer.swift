public import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
public import NetworkTransport

/// What an authority looks at: files over HTTP at port 80, certificates at port 443. Others get 404, or no handshake. Every
/// connection carries one answer and ends soon.
public final class ProofServer: Sendable {
    /// How long a connection may last.
    private static let patience = TimeAmount.seconds(15)
    private static let backlog: CInt = 128
    /// Connections at a time, in all and from one address: beyond these the oldest goes.
    private static let maximumConnections = 256
    package static let maximumConnectionsPerAddress = 32

    private let channels: [any Channel]

    private init(channels: [any Channel]) { self.channels = channels }

    /// Where it listens.
    package var addresses: [SocketAddress] { channels.compactMap(\.localAddress) }

    /// Files for http-01 (RFC 8555 §8.3).
    /// - Parameters:
    ///   - boundSocket: as in `Listener.Options`.
    /// - Throws: `BindError` naming the endpoint that could not be bound.
    public static func files(
        _ book: ProofBook, on endpoints: [Listener.Endpoint], group: any EventLoopGroup,
        boundSocket: (@Sendable (Listener.Endpoint) -> CInt?)?
    ) async throws -> ProofServer {
        try await start(on: endpoints, group: group, boundSocket: boundSocket) { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
            try channel.pipeline.syncOperations.addHandler(ProofFileHandler(book: book))
        }
    }

    /// Certificates for tls-alpn-01, shown to a client that asks for a name that is to be proven and speaks `acme-tls/1`, nothing
    /// else (RFC 8737 §3); others are closed before the handshake.
    /// - Throws: `BindError` naming the endpoint that could not be bound.
    public static func certificates(
        _ book: ProofBook, on endpoints: [Listener.Endpoint], group: any EventLoopGroup,
        boundSocket: (@Sendable (Listener.Endpoint) -> CInt?)?
    ) async throws -> ProofServer {
        try await start(on: endpoints, group: group, boundSocket: boundSocket) { channel in
            let loop = channel.eventLoop
            let reader = SNIHandler { [weak channel] result in
                loop.makeCompletedFuture {
                    guard let channel else { return }
                    let sync = channel.pipeline.syncOperations
                    let capture = try sync.handler(type: ClientHelloCapture.self)
                    let protocols = ClientHello.applicationProtocols(in: capture.octets)
                    guard protocols == [ProofBook.applicationProtocol], case .hostname(let name) = result,
                        let context = book.context(for: name)
                    else { return channel.close(promise: nil) }
                    sync.removeHandler(capture, promise: nil)
                    let reader = try sync.handler(type: ByteToMessageHandler<SNIHandler>.self)
                    let end = EndAfterHandshake()
                    try sync.addHandler(end, position: .after(reader))
                    try sync.addHandler(NIOSSLServerHandler(context: context), position: .after(reader))
                }
            }
            try channel.pipeline.syncOperations.addHandlers(ClientHelloCapture(), ByteToMessageHandler(reader))
        }
    }

    private static func start(
        on endpoints: [Listener.Endpoint], group: any EventLoopGroup,
        boundSocket: (@Sendable (Listener.Endpoint) -> CInt?)?,
        setUp: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> ProofServer {
        let connections = RecentConnections(
            limit: maximumConnections, limitPerAddress: maximumConnectionsPerAddress)
        var channels: [any Channel] = []
        for endpoint in endpoints {
            let bootstrap = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let address = channel.remoteAddress?.ipAddress ?? "local"
                        let number = connections.opened(address: address) { channel.close(promise: nil) }
                        let end = channel.eventLoop.assumeIsolated().scheduleTask(in: patience) {
                            channel.close(promise: nil)
                        }
                        channel.closeFuture.whenComplete { _ in
                            connections.closed(number)
                            end.cancel()
                        }
                        try setUp(channel)
                    }
                }
            do {
                channels.append(try await endpoint.bind(bootstrap, boundSocket: boundSocket, backlog: backlog))
            } catch {
                for channel in channels { try? await channel.close() }
                throw error
            }
        }
        return ProofServer(channels: channels)
    }

    /// Takes no more connections; those that stand end by themselves.
    public func close() async { for channel in channels { try? await channel.close() } }
}

/// One file, or 404; then the end.
private final class ProofFileHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let book: ProofBook
    private var isAnswered = false
    private static let directory = "/.well-known/acme-challenge/"

    init(book: ProofBook) { self.book = book }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !isAnswered else { return }
        isAnswered = true
        let path = head.uri.prefix { $0 != "?" }
        var content: String?
        if path.hasPrefix(ProofFileHandler.directory), head.method == .GET || head.method == .HEAD {
            content = book.file(String(path.dropFirst(ProofFileHandler.directory.count)))
        }
        let body = ByteBuffer(string: content ?? "Only certificate authorities find something here.\n")
        let headers: HTTPHeaders = [
            "Content-Type": content == nil ? "text/plain; charset=utf-8" : "application/octet-stream",
            "Content-Length": "\(body.readableBytes)", "Connection": "close", "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        ]
        let status = content == nil ? HTTPResponseStatus.notFound : .ok
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// The handshake is the whole answer (RFC 8737 §3).
private final class EndAfterHandshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
