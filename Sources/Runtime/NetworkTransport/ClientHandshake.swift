package import MartletCore
package import NIOCore
internal import NIOSSL

/// One handshake of a client: what it agreed on, and what the certificate was worth. Every member is used on the event loop only.
///
/// Sits between the TLS handler and the socket until the server has said which cipher it takes, since the TLS library does not tell
/// (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3).
package final class ClientHandshake: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer

    /// What SNI said.
    package let serverName: String?
    /// nil until the certificate came and was looked at.
    package internal(set) var check: CertificateCheck?
    private var cipher: UInt16?
    private var beginning = ByteBuffer()

    init(serverName: String?) { self.serverName = serverName }

    /// Octets in which the server's hello begins: record, handshake and hello headers, session id, cipher.
    private static var maximumBeginning: Int { 128 }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if cipher == nil, beginning.readableBytes < Self.maximumBeginning {
            let buffer = unwrapInboundIn(data)
            let room = Self.maximumBeginning - beginning.readableBytes
            beginning.writeImmutableBuffer(
                buffer.getSlice(at: buffer.readerIndex, length: min(room, buffer.readableBytes)) ?? ByteBuffer())
            cipher = ServerHelloCapture.cipher(in: beginning)
        }
        context.fireChannelRead(data)
    }

    /// What was agreed on, when the handshake is done; leaves the channel's pipeline.
    package func finish(on channel: any Channel) -> TLSParameters {
        let sync = channel.pipeline.syncOperations
        let version = (try? sync.handler(type: NIOSSLClientHandler.self))?.versionName ?? "unknown"
        sync.removeHandler(self, promise: nil)
        return TLSParameters(
            version: version, cipher: cipher.map { ServerHelloCapture.name(of: $0) } ?? "unknown",
            serverName: serverName)
    }
}
