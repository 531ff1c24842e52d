import ACMEProtocol
import CertificateIssuance
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import NetworkTransport
import Synchronization
import Testing

/// Whether this machine has ::1.
private let hasIPv6Loopback =
    (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?.contains(
        String(repeating: "0", count: 31) + "1")
    == true

@Suite("What answers an authority", .timeLimit(.minutes(1))) struct ProofServerTests {
    private let group = MultiThreadedEventLoopGroup.singleton

    @Test("files, on IPv6 where ::1 is all there is of it", .enabled(if: hasIPv6Loopback))
    func addresses() async throws {
        let hosts = ["127.0.0.1", "::1"]
        let server = try await ProofServer.files(
            ProofBook(), on: hosts.map { .internet(host: $0, port: 0) }, group: group, boundSocket: nil)
        #expect(server.addresses.map(\.ipAddress) == hosts)
        for address in server.addresses { #expect(try await answer(address).hasPrefix("HTTP/1.1 404 ")) }
        await server.close()
    }

    @Test("an address that cannot be had is told, with its name")
    func taken() async throws {
        let first = try await ProofServer.files(
            ProofBook(), on: [.internet(host: "127.0.0.1", port: 0)], group: group, boundSocket: nil)
        let port = try #require(first.addresses.first?.port)
        await #expect(throws: BindError.self) {
            _ = try await ProofServer.files(
                ProofBook(), on: [.internet(host: "127.0.0.1", port: port)], group: group, boundSocket: nil)
        }
        await first.close()
    }

    @Test("who holds as many connections as one may, loses the oldest to a new one, which has its answer")
    func held() async throws {
        // One loop, so that they come in order.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ProofServer.files(
            ProofBook(), on: [.internet(host: "127.0.0.1", port: 0)], group: group, boundSocket: nil)
        let address = try #require(server.addresses.first)
        var channels: [any Channel] = []
        for _ in 0..<ProofServer.maximumConnectionsPerAddress {
            channels.append(try await ClientBootstrap(group: self.group).connect(to: address).get())
        }
        #expect(try await answer(address).hasPrefix("HTTP/1.1 404 "))
        try await channels[0].closeFuture.get()
        let kept = channels.dropFirst().filter { $0.isActive }
        #expect(kept.count == channels.count - 1)
        for channel in channels.dropFirst() { try? await channel.close() }
        await server.close()
        try await group.shutdownGracefully()
    }

    @Test("a certificate, to a client that asks for the name and speaks acme-tls/1 alone; nothing to others")
    func certificates() async throws {
        let book = ProofBook()
        try book.add(
            ACMEProof(kind: .tlsALPN, name: "mail.example.test", token: "token", keyAuthorization: "token.thumbprint"))
        let server = try await ProofServer.certificates(
            book, on: [.internet(host: "127.0.0.1", port: 0)], group: group, boundSocket: nil)
        let address = try #require(server.addresses.first)
        for name in ["mail.example.test", "MAIL.example.test"] {
            let (agreed, octets) = try await handshake(address, name: name, protocols: ["acme-tls/1"])
            #expect(agreed == "acme-tls/1" && octets > 0)
        }
        let refused: [(String?, [String])] = [
            ("mail.example.test", []), ("mail.example.test", ["h2"]), ("mail.example.test", ["acme-tls/1", "h2"]),
            ("other.example.test", ["acme-tls/1"]), (nil, ["acme-tls/1"]),
        ]
        for (name, protocols) in refused {
            let (agreed, octets) = try await handshake(address, name: name, protocols: protocols)
            #expect(agreed == nil && octets == 0, "\(name ?? "-") \(protocols)")
        }
        await server.close()
    }

    /// What comes for a file that is not there.
    private func answer(_ address: SocketAddress) async throws -> String {
        let watch = Watch(group.any().makePromise(of: String?.self))
        let channel = try await ClientBootstrap(group: group).channelInitializer { $0.pipeline.addHandler(watch) }
            .connect(to: address).get()
        try await channel.writeAndFlush(ByteBuffer(string: "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"))
        _ = try await watch.promise.futureResult.get()
        return watch.text
    }

    /// The protocol that was agreed on, nil when there was no handshake; and how many octets came.
    private func handshake(
        _ address: SocketAddress, name: String?, protocols: [String]
    ) async throws -> (agreed: String?, octets: Int) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = protocols
        let context = try NIOSSLContext(configuration: configuration)
        let raw = Watch(group.any().makePromise(of: String?.self))
        let secure = Watch(group.any().makePromise(of: String?.self))
        let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    raw, try NIOSSLClientHandler(context: context, serverHostname: name), secure)
            }
        }.connect(to: address).get()
        let agreed = try await secure.promise.futureResult.get()
        try? await channel.close()
        return (agreed, raw.text.utf8.count)
    }
}

/// Sees what comes, until the end or a handshake.
private final class Watch: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The protocol that a handshake agreed on; nil at the end.
    let promise: EventLoopPromise<String?>
    private let seen = Mutex("")
    var text: String { seen.withLock { $0 } }

    init(_ promise: EventLoopPromise<String?>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: unwrapInboundIn(data))
        seen.withLock { $0 += text }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let agreed)? = event as? TLSUserEvent { promise.succeed(agreed ?? "none") }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        promise.succeed(nil)
        context.fireChannelInactive()
    }
}
