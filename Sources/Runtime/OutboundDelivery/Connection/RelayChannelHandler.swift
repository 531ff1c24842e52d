internal import NIOCore
internal import NIOTLS

/// The last handler of a channel's pipeline: hands events to the connection, which runs on the same loop.
final class RelayChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: RelayConnection

    init(_ connection: RelayConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) { connection.assumeIsolated { $0.attached() } }

    func channelActive(context: ChannelHandlerContext) {
        connection.assumeIsolated { $0.connected() }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        connection.assumeIsolated { $0.received(buffer) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.assumeIsolated { $0.writabilityChanged() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            connection.assumeIsolated { $0.handshakeCompleted() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.assumeIsolated { $0.failed(error) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.assumeIsolated { $0.closed() }
        context.fireChannelInactive()
    }
}
