import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A small SMTP server on loopback that does what a test tells it: for each command a reply, a dropped connection, or nothing.
final class ScriptedServer: Sendable {
    enum Reaction: Sendable {
        /// Lines with their CRLF, or parts of them.
        case say(String)
        case sayAndDrop(String)
        case drop
        case silence
    }

    struct Script: Sendable {
        var greeting = Reaction.say("220 mx.test ESMTP\r\n")
        var extensions = ["PIPELINING", "8BITMIME", "SIZE 10000000"]
        /// By command word; `CONTENT` is the end of DATA, `CHUNK` one of BDAT that is the last.
        var reactions: [String: Reaction] = [:]
        /// With a certificate STARTTLS is offered.
        var tls: NIOSSLContext?
        /// What comes in the place of a handshake.
        var insteadOfHandshake: Reaction?
        /// Reads nothing of the content.
        var readsContent = true
    }

    private let channel: any Channel
    fileprivate let log = Mutex(Log())
    private let children = Mutex<[any Channel]>([])

    fileprivate struct Log {
        var connections = 0
        var commands: [String] = []
        var messages: [[UInt8]] = []
        var serverNames: [String?] = []
    }

    /// Of loopback; the system's choice.
    let port: Int

    private init(channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    var connections: Int { log.withLock { $0.connections } }
    /// The first words of all commands of all connections.
    var commands: [String] { log.withLock { $0.commands } }
    var messages: [[UInt8]] { log.withLock { $0.messages } }

    static func start(
        _ script: Script = Script(), on group: any EventLoopGroup = NIOSingletons.posixEventLoopGroup
    ) async throws -> ScriptedServer {
        let box = Mutex<ScriptedServer?>(nil)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let server = box.withLock({ $0 }) else { return }
                    server.children.withLock { $0.append(channel) }
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script, server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(channel: channel)
        box.withLock { $0 = server }
        return server
    }

    /// Closes the connections that stand, as a server's restart does.
    func dropConnections() async {
        for child in children.withLock({ $0 }) { try? await child.close() }
    }

    func stop() async {
        try? await channel.close()
        await dropConnections()
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Mode {
        case commands
        case content
        case chunk(left: Int, isLast: Bool)
        case deaf
    }

    private let script: ScriptedServer.Script
    private let server: ScriptedServer
    private var input: [UInt8] = []
    private var message: [UInt8] = []
    private var mode = Mode.commands
    private var isEncrypted = false

    init(_ script: ScriptedServer.Script, _ server: ScriptedServer) {
        self.script = script
        self.server = server
    }

    func channelActive(context: ChannelHandlerContext) {
        server.log.withLock { $0.connections += 1 }
        react(script.greeting, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        input += unwrapInboundIn(data).readableBytesView
        while step(context) {}
    }

    private func step(_ context: ChannelHandlerContext) -> Bool {
        switch mode {
        case .deaf: return false
        case .content:
            let end = Array("\r\n.\r\n".utf8)
            if input.starts(with: end.dropFirst(2)) {
                // Content for nobody.
                input.removeSubrange(..<3)
                mode = .commands
                react("CONTENT", "554 5.5.1 no valid recipients\r\n", context)
                return true
            }
            guard input.count >= end.count else { return false }
            let from = max(0, input.count - 70_000)
            guard
                let index = (from...(input.count - end.count)).first(where: { input[$0..<($0 + 5)].elementsEqual(end) })
            else { return false }
            let content = Array(input[..<(index + 2)])
            server.log.withLock { $0.messages.append(content) }
            input.removeSubrange(..<(index + 5))
            mode = .commands
            react("CONTENT", "250 2.0.0 stored\r\n", context)
            return true
        case .chunk(let left, let isLast):
            let taken = min(left, input.count)
            message += input[..<taken]
            input.removeSubrange(..<taken)
            mode = .chunk(left: left - taken, isLast: isLast)
            guard left == taken else { return false }
            mode = .commands
            if isLast {
                let content = message
                server.log.withLock { $0.messages.append(content) }
                message = []
            }
            react(isLast ? "CONTENT" : "CHUNK", "250 2.0.0 stored\r\n", context)
            return true
        case .commands:
            guard let end = input.firstIndex(of: 0x0A) else { return false }
            let line = String(decoding: input[..<end], as: UTF8.self).trimmingCarriageReturn
            input.removeSubrange(...end)
            command(line, context)
            return true
        }
    }

    private func command(_ line: String, _ context: ChannelHandlerContext) {
        let words = line.split(separator: " ")
        let verb = words.first.map(String.init) ?? ""
        server.log.withLock { $0.commands.append(line) }
        switch verb {
        case "EHLO", "LHLO":
            let offered = script.extensions + (script.tls != nil && !isEncrypted ? ["STARTTLS"] : [])
            let lines = ["mx.test"] + offered
            let text = lines.enumerated().map { "250\($0 == lines.count - 1 ? " " : "-")\($1)\r\n" }.joined()
            react(isEncrypted ? "EHLO-TLS" : "EHLO", text, context)
        case "STARTTLS":
            if case .say(let text)? = script.reactions["STARTTLS"] { return react(.say(text), context) }
            guard let tls = script.tls, script.reactions["STARTTLS"] == nil else {
                return react("STARTTLS", "454 4.7.0 no\r\n", context)
            }
            if let reaction = script.insteadOfHandshake {
                mode = .deaf
                react(.say("220 go\r\n"), context)
                return react(reaction, context)
            }
            react(.say("220 go\r\n"), context)
            isEncrypted = true
            try? context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls), position: .first)
        case "DATA":
            if script.reactions["DATA"] == nil { mode = script.readsContent ? .content : .deaf }
            react("DATA", "354 go\r\n", context)
            if !script.readsContent { _ = context.channel.setOption(.autoRead, value: false) }
        case "BDAT":
            mode = .chunk(left: Int(words[1]) ?? 0, isLast: words.count > 2)
        case "QUIT": react("QUIT", .sayAndDrop("221 2.0.0 bye\r\n"), context)
        case "RCPT":
            let name =
                line.contains("<bad")
                ? "550 5.1.1 no such user\r\n" : line.contains("<later") ? "450 4.2.1 later\r\n" : "250 2.1.5 ok\r\n"
            react("RCPT", name, context)
        default: react(verb, "250 2.0.0 ok\r\n", context)
        }
    }

    private func react(_ key: String, _ otherwise: String, _ context: ChannelHandlerContext) {
        react(key, .say(otherwise), context)
    }

    private func react(_ key: String, _ otherwise: ScriptedServer.Reaction, _ context: ChannelHandlerContext) {
        react(script.reactions[key] ?? otherwise, context)
    }

    private func react(_ reaction: ScriptedServer.Reaction, _ context: ChannelHandlerContext) {
        switch reaction {
        case .say(let text): context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        case .sayAndDrop(let text):
            mode = .deaf
            let channel = context.channel
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
        case .drop:
            mode = .deaf
            context.close(promise: nil)
        case .silence: mode = .deaf
        }
    }
}

extension String {
    fileprivate var trimmingCarriageReturn: String { hasSuffix("\r") ? String(dropLast()) : self }
}
