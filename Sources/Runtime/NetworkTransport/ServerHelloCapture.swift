internal import NIOCore

/// Reads the cipher suite out of our own ServerHello as it leaves (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3): the TLS library
/// does not tell it, and `Received` and the record want it. Sits between the TLS handler and the socket until the handshake is done.
final class ServerHelloCapture: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var cipher: UInt16?

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if cipher == nil { cipher = ServerHelloCapture.cipher(in: unwrapOutboundIn(data)) }
        context.write(data, promise: promise)
    }

    /// Record type 22, version, length; handshake type 2, length; version, random, session id, cipher suite.
    static func cipher(in buffer: ByteBuffer) -> UInt16? {
        let start = buffer.readerIndex
        guard buffer.getInteger(at: start, as: UInt8.self) == 22, buffer.getInteger(at: start + 5, as: UInt8.self) == 2,
            let sessionLength = buffer.getInteger(at: start + 43, as: UInt8.self)
        else { return nil }
        return buffer.getInteger(at: start + 44 + Int(sessionLength), as: UInt16.self)
    }

    /// The suite's IANA name; the number in hexadecimal for one that we do not offer by default.
    static func name(of cipher: UInt16) -> String { names[cipher] ?? "0x" + String(cipher, radix: 16) }

    var cipherName: String { cipher.map { ServerHelloCapture.name(of: $0) } ?? "unknown" }

    private static let names: [UInt16: String] = [
        0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256",
        0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xC02F: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ]
}
