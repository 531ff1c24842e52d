internal import Glibc
internal import MartletCore
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// The last handler of a connection's pipeline: hands events to the session, which runs on the same loop.
final class ConnectionChannelHandler<Session: ConnectionSession>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: Connection
    private let session: Session
    private let gate: ConnectionGate
    private let usesImplicitTLS: Bool
    private var isOpened = false
    private var failure: CloseReason?
    /// The peer has closed its side.
    private var isInputEnded = false
    /// The session knows.
    private var isInputEndTold = false

    init(connection: Connection, session: Session, gate: ConnectionGate, usesImplicitTLS: Bool) {
        self.connection = connection
        self.session = session
        self.gate = gate
        self.usesImplicitTLS = usesImplicitTLS
        connection.deadlinePassed = { [unowned self] in
            self.session.assumeIsolated { $0.deadlinePassed() }
            self.connection.flush()
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        gate.opened(number: connection.number) { [weak session] in
            guard let session else { return }
            Task { await session.serverIsClosing() }
        }
        guard !usesImplicitTLS else {
            // A handshake that never ends must not keep the connection: the session sets its own deadlines once it is opened.
            connection.setDeadline(after: ConnectionChannelHandler.handshakeLimit)
            return
        }
        open()
    }

    private static var handshakeLimit: Duration { .seconds(30) }

    private func open() {
        isOpened = true
        connection.setDeadline(after: nil)
        session.assumeIsolated { $0.opened() }
        connection.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes here before TLS is below the session is a ClientHello that was cut off: in plain, and nobody's input.
        guard !connection.isClosing, !connection.isAwaitingServerName else { return }
        let buffer = unwrapInboundIn(data)
        guard buffer.readableBytes > 0 else { return }
        connection.metrics.receivedBytes.add(buffer.readableBytes)
        guard !connection.mustHoldInput else { return connection.holdInput(buffer) }
        give(buffer)
    }

    /// Octets of answers that gather from one read before they are sent.
    private static var flushBytes: Int { 65_536 }

    private func give(_ buffer: ByteBuffer) {
        session.assumeIsolated { $0.received(buffer) }
        if connection.pendingBytes >= ConnectionChannelHandler.flushBytes { connection.flush() }
    }

    func channelReadComplete(context: ChannelHandlerContext) { connection.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.writabilityChanged()
        guard !connection.isOutputFull, connection.mustHoldInput || isInputEnded else { return }
        // Not from here: the session may be in the middle of the very write that made room.
        context.eventLoop.assumeIsolated().execute { self.giveHeldInput() }
    }

    private func giveHeldInput() {
        while let buffer = connection.takeHeldInput() { give(buffer) }
        tellInputEnd()
        connection.flush()
    }

    /// Once, behind all input that waits.
    private func tellInputEnd() {
        guard isInputEnded, isOpened, !isInputEndTold, !connection.mustHoldInput else { return }
        isInputEndTold = true
        session.assumeIsolated { $0.inputEnded() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, case .inputClosed = event {
            isInputEnded = true
            failure = failure ?? .byPeer
            tellInputEnd()
            connection.flush()
            // A handshake that the peer has left has nothing to answer.
            if !isOpened { context.close(promise: nil) }
            return context.fireUserInboundEventTriggered(event)
        }
        guard let event = event as? TLSUserEvent else { return context.fireUserInboundEventTriggered(event) }
        guard case .handshakeCompleted = event else { return }
        connection.handshakeCompleted()
        if isOpened {
            session.assumeIsolated { $0.tlsEstablished() }
            connection.flush()
        } else {
            open()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOSSLError:
            // A peer that closes without close_notify is no failure: mail protocols frame their own ends.
            if case .uncleanShutdown = error { break }
            failure = failure ?? .tlsFailed("\(error)")
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            failure = failure ?? .byPeer
        default:
            failure = failure ?? .failed("\(error)")
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason: CloseReason = failure ?? (connection.isClosing ? .byUs : .byPeer)
        connection.setDeadline(after: nil)
        connection.deadlinePassed = nil
        connection.releaseWaiters()
        connection.dropHeldInput()
        session.assumeIsolated { $0.closed(reason) }
    }
}
