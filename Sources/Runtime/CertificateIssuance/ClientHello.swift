package import NIOCore

/// The first words of a TLS client (RFC 8446 §4.1.2), as far as they tell an authority from others.
package enum ClientHello {
    private static let handshakeRecord: UInt8 = 22
    private static let clientHello: UInt8 = 1
    /// RFC 7301 §3.1
    private static let applicationProtocolNegotiation: UInt16 = 16

    /// The application protocols that it offers; none when it offers none, or is cut off or no ClientHello. A record has at most
    /// 65,535 octets, which bounds the work.
    /// - Parameter record: a TLS record from its first octet on; what follows it is not looked at.
    package static func applicationProtocols(in record: ByteBuffer) -> [String] {
        var record = record
        // Type, version, length; then type, length, version, random, session, cipher suites, compression.
        guard record.readInteger(as: UInt8.self) == handshakeRecord, record.readInteger(as: UInt16.self) != nil,
            var hello = record.readLengthPrefixedSlice(as: UInt16.self),
            hello.readInteger(as: UInt8.self) == clientHello, hello.readSlice(length: 3) != nil,
            hello.readSlice(length: 2 + 32) != nil, hello.readLengthPrefixedSlice(as: UInt8.self) != nil,
            hello.readLengthPrefixedSlice(as: UInt16.self) != nil, hello.readLengthPrefixedSlice(as: UInt8.self) != nil,
            var extensions = hello.readLengthPrefixedSlice(as: UInt16.self)
        else { return [] }
        while let kind = extensions.readInteger(as: UInt16.self),
            var content = extensions.readLengthPrefixedSlice(as: UInt16.self)
        {
            guard kind == applicationProtocolNegotiation else { continue }
            guard var list = content.readLengthPrefixedSlice(as: UInt16.self) else { return [] }
            var names: [String] = []
            while let name = list.readLengthPrefixedSlice(as: UInt8.self) { names.append(String(buffer: name)) }
            return names
        }
        return []
    }
}

/// Keeps what a client says first, while something behind it reads it too.
final class ClientHelloCapture: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private(set) var octets = ByteBuffer()
    /// A record with its header.
    private static let maximum = 5 + 65_535

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if octets.readableBytes < ClientHelloCapture.maximum { octets.writeBuffer(&buffer) }
        context.fireChannelRead(data)
    }
}
