internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import Synchronization

/// A connection to another server: octets out, octets in when they are asked for, TLS from the start or later. Not read from while
/// much of what came is not taken yet.
final class ClientChannel: Sendable {
    private let channel: any Channel
    private let inbox: Inbox

    /// How long the server may say nothing when something is waited for.
    static let patience = TimeAmount.seconds(120)
    static let connectPatience = TimeAmount.seconds(30)

    private init(channel: any Channel, inbox: Inbox) {
        self.channel = channel
        self.inbox = inbox
    }

    static func connect(
        host: String, port: Int, tls: NIOSSLContext?, group: any EventLoopGroup
    ) async throws(TransferError) -> ClientChannel {
        let inbox = Inbox()
        do {
            let channel = try await ClientBootstrap(group: group)
                .connectTimeout(connectPatience)
                .channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(try Self.handler(tls, host))
                        }
                        try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
                    }
                }
                .connect(host: host, port: port).get()
            let connection = ClientChannel(channel: channel, inbox: inbox)
            if tls != nil { try await connection.handshake() }
            return connection
        } catch let error as TransferError {
            throw error
        } catch {
            throw TransferError(.unreachable, "cannot connect to \(host), port \(port): \(Self.told(error))")
        }
    }

    private static func handler(_ tls: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
        // A numeric address is no name for SNI.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }

    /// Begins TLS on a plain connection. What the server sent before it and nobody asked for is an error (RFC 9051 §11.1).
    func startTLS(_ tls: NIOSSLContext, host: String) async throws(TransferError) {
        let inbox = self.inbox
        let channel = self.channel
        do {
            try await channel.eventLoop.submit {
                guard inbox.isEmpty else {
                    throw TransferError(
                        .unreachable, "the server sent something before TLS began: somebody may be in between")
                }
                try channel.pipeline.syncOperations.addHandler(try Self.handler(tls, host), position: .first)
            }.get()
            try await handshake()
        } catch let error as TransferError {
            throw error
        } catch {
            throw TransferError(.unreachable, "TLS failed: \(Self.told(error))")
        }
    }

    private func handshake() async throws(TransferError) {
        try await wait { $0.isSecure }
    }

    func send(_ bytes: [UInt8]) async throws(TransferError) {
        do { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() } catch {
            throw TransferError(.unreachable, inbox.failure ?? "the connection broke: \(Self.told(error))")
        }
    }

    /// What has come; waits until something has.
    func receive() async throws(TransferError) -> [UInt8] {
        try await wait { !$0.bytes.isEmpty }
        let (bytes, resumes) = inbox.take()
        if resumes { _ = channel.setOption(ChannelOptions.autoRead, value: true) }
        return bytes
    }

    private func wait(_ condition: @escaping @Sendable (Inbox.Content) -> Bool) async throws(TransferError) {
        let inbox = self.inbox
        let timer = channel.eventLoop.scheduleTask(in: Self.patience) {
            inbox.fail("the server has not answered for \(Self.patience.nanoseconds / 1_000_000_000) seconds")
        }
        defer { timer.cancel() }
        guard await inbox.wait(condition) else {
            throw TransferError(.unreachable, inbox.failure ?? "the server closed the connection")
        }
    }

    func close() async { try? await channel.close().get() }

    /// An error of the transport in words.
    static func told(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("unableToValidateCertificate") {
            return
                "its certificate is not trusted or is for another name; --ca FILE trusts another authority, --insecure trusts anybody"
        }
        if text.contains("noDNSRecords") || text.contains("Name or service not known") {
            return "there is no such host"
        }
        if text.contains("Connection refused") { return "connection refused" }
        return String(text.prefix(300))
    }
}

/// What has come over a connection and is not taken yet.
private final class Inbox: Sendable {
    struct Content: Sendable {
        var bytes: [UInt8] = []
        var isSecure = false
        var failure: String?
        var isPaused = false
        var waiter: (condition: @Sendable (Content) -> Bool, continuation: CheckedContinuation<Bool, Never>)?
    }

    /// Octets after which no more is read, and those from which on it is again.
    static let high = 1 << 20
    private let content = Mutex(Content())

    var isEmpty: Bool { content.withLock { $0.bytes.isEmpty } }
    var failure: String? { content.withLock { $0.failure } }

    /// Changes the content, then wakes who waits for that. Returns whether reading is to stop.
    @discardableResult
    func change(_ body: (inout Content) -> Void) -> Bool {
        let (woken, isDone, pauses) = content.withLock { content in
            body(&content)
            let pauses = !content.isPaused && content.bytes.count >= Self.high
            if pauses { content.isPaused = true }
            guard let waiter = content.waiter else { return (nil as CheckedContinuation<Bool, Never>?, false, pauses) }
            let isDone = waiter.condition(content)
            guard isDone || content.failure != nil else { return (nil, false, pauses) }
            content.waiter = nil
            return (waiter.continuation, isDone, pauses)
        }
        woken?.resume(returning: isDone)
        return pauses
    }

    func fail(_ reason: String) { change { $0.failure = $0.failure ?? reason } }

    /// False when the connection ended first.
    func wait(_ condition: @escaping @Sendable (Content) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = content.withLock { content in
                if condition(content) { return true }
                if content.failure != nil { return false }
                content.waiter = (condition, continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    func take() -> (bytes: [UInt8], resumes: Bool) {
        content.withLock { content in
            defer {
                content.bytes = []
                content.isPaused = false
            }
            return (content.bytes, content.isPaused)
        }
    }
}

private final class InboxHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if inbox.change({ $0.bytes += buffer.readableBytesView }) {
            _ = context.channel.setOption(ChannelOptions.autoRead, value: false)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event { inbox.change { $0.isSecure = true } }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A peer that closes TLS without its goodbye has closed.
        if case NIOSSLError.uncleanShutdown = error {
            inbox.fail("the server closed the connection")
        } else {
            inbox.fail("the connection failed: \(ClientChannel.told(error))")
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.fail("the server closed the connection") }
}
