import Authentication
import Glibc
import Logging
import MailStore
import MartletCore
import NIOPosix
import NetworkTransport
import POP3Server
import Testing

/// A server on a Unix socket with a mailbox in memory.
struct Server {
    let store = FakeMailbox()
    let listener: Listener
    let path: String

    init(_ messages: [String], configuration: POP3ServerConfiguration = POP3ServerConfiguration()) async throws {
        store.state.withLock { state in
            state.messages = messages.enumerated().map { (UInt32(11 + $0.offset), Array($0.element.utf8)) }
        }
        path = "/tmp/martlet-pop3-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        var options = Authenticator.Options()
        options.plaintextFromLoopback = true
        options.sleep = { _ in }
        let authenticator = Authenticator(
            directory: FakeDirectory(), records: nil, clock: FixedClock(), options: options)
        let service = POP3Service(
            store: store, authenticator: authenticator, configuration: configuration, logger: Logger(label: "test"))
        listener = try await Listener.start(
            Listener.Options(
                service: "pop3", usesImplicitTLS: false, limits: .init(connections: 100, connectionsPerAddress: 100)),
            on: [.unix(path: path)], group: MultiThreadedEventLoopGroup.singleton, tls: nil,
            makeSession: service.makeSession)
    }

    func client() throws -> SocketClient {
        let client = try #require(SocketClient(path: path))
        #expect(client.read(to: "\r\n") == "+OK Martlet POP3 ready\r\n")
        return client
    }

    func stop() async {
        await listener.close(patience: .seconds(5))
        unlink(path)
    }

    var removals: [[UInt32]] { store.state.withLock { $0.removals } }
}

let login = "USER anna@example.test\r\nPASS secret\r\n"

@Suite struct POP3ServerTests {
    @Test("a pipelined session with login, UIDL, RETR, DELE and QUIT gets all its answers, and QUIT removes")
    func session() async throws {
        let server = try await Server(["A: 1\r\n\r\n.one\r\n", "A: 2\r\n\r\ntwo\r\n"])
        let client = try server.client()
        client.send(login + "STAT\r\nUIDL\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\nQUIT\r\n")
        let expected =
            "+OK Password please\r\n+OK 2 messages (27 octets)\r\n+OK 2 27\r\n+OK\r\n1 7.11\r\n2 7.12\r\n.\r\n+OK 14 octets\r\nA: 1\r\n\r\n..one\r\n.\r\n"
            + "+OK 13 octets\r\nA: 2\r\n\r\n.\r\n+OK Message 1 deleted\r\n+OK Bye\r\n"
        #expect(client.readToEnd() == expected)
        #expect(server.removals == [[11]])
        await server.stop()
    }

    @Test("a session that comes a byte at a time gets the same answers")
    func dripFed() async throws {
        let server = try await Server(["A: 1\r\n\r\none\r\n"])
        let client = try server.client()
        for byte in (login + "LIST\r\nRETR 1\r\nQUIT\r\n").utf8 { client.send([byte]) }
        let expected =
            "+OK Password please\r\n+OK 1 messages (13 octets)\r\n+OK 1 messages (13 octets)\r\n1 13\r\n.\r\n+OK 13 octets\r\nA: 1\r\n\r\none\r\n.\r\n"
            + "+OK Bye\r\n"
        #expect(client.readToEnd() == expected)
        await server.stop()
    }

    @Test("a connection that drops before QUIT removes nothing")
    func drop() async throws {
        let server = try await Server(["A: 1\r\n\r\none\r\n"])
        let client = try server.client()
        client.send(login + "DELE 1\r\n")
        _ = client.read(to: "deleted\r\n")
        client.drop()
        await server.stop()
        #expect(server.removals == [])
    }

    @Test("a removal that fails is told at QUIT and the messages stay")
    func removalFails() async throws {
        let server = try await Server(["A: 1\r\n\r\none\r\n"])
        server.store.state.withLock { $0.removalFails = true }
        let client = try server.client()
        client.send(login + "DELE 1\r\nQUIT\r\n")
        #expect(client.readToEnd().hasSuffix("-ERR [SYS/TEMP] Deleted messages were not removed\r\n"))
        #expect(server.store.state.withLock { $0.messages.count } == 1)
        await server.stop()
    }

    @Test("a message of many pieces arrives whole, to a client that reads late as well")
    func large() async throws {
        let line = String(repeating: "x", count: 70) + "\r\n.dots\r\n"
        let message = "A: 1\r\n\r\n" + String(repeating: line, count: 40_000)
        let server = try await Server([message])
        let client = try server.client()
        client.send(login + "RETR 1\r\nRETR 1\r\nQUIT\r\n")
        // Not read before the server can write no more: what is there for the client no longer grows.
        var held = 0
        repeat {
            held = client.available
            usleep(20_000)
        } while held == 0 || client.available > held
        let answer = client.readToEnd()
        let one = "+OK \(message.utf8.count) octets\r\n" + message.replacing("\r\n.dots", with: "\r\n..dots") + ".\r\n"
        #expect(
            answer == "+OK Password please\r\n+OK 1 messages (\(message.utf8.count) octets)\r\n" + one + one
                + "+OK Bye\r\n")
        await server.stop()
    }

    @Test("two sessions see their own snapshots; what one removed, the other is told")
    func twoSessions() async throws {
        let server = try await Server(["A: 1\r\n\r\none\r\n", "A: 2\r\n\r\ntwo\r\n"])
        let first = try server.client()
        let second = try server.client()
        first.send(login)
        _ = first.read(to: "octets)\r\n")
        second.send(login + "DELE 1\r\nQUIT\r\n")
        _ = second.readToEnd()
        first.send("STAT\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n")
        #expect(
            first.readToEnd()
                == "+OK 2 26\r\n-ERR Message was removed by another session\r\n+OK 13 octets\r\nA: 2\r\n\r\ntwo\r\n.\r\n+OK Bye\r\n"
        )
        await server.stop()
    }

    @Test("messages that were read ahead come in whatever order they are asked for, one by one or pipelined")
    func readAhead() async throws {
        let messages = (1...40).map { "A: \($0)\r\n\r\n" + String(repeating: "x", count: $0 * 100) + "\r\n" }
        let server = try await Server(messages)
        let orders: [[Int]] = [Array(1...40), [3, 4, 5, 1, 2, 40, 39, 7, 7, 8], (1...40).reversed()]
        for order in orders {
            let client = try server.client()
            client.send(login + order.map { "RETR \($0)\r\n" }.joined() + "QUIT\r\n")
            let answers = order.map { "+OK \(messages[$0 - 1].utf8.count) octets\r\n\(messages[$0 - 1]).\r\n" }
            #expect(client.readToEnd().hasSuffix("octets)\r\n" + answers.joined() + "+OK Bye\r\n"))
        }
        // In order, forty messages cost a few waits and not one each.
        let reads = server.store.state.withLock { state in
            defer { state.reads = 0 }
            return state.reads
        }
        let client = try server.client()
        client.send(login + (1...40).map { "RETR \($0)\r\n" }.joined() + "QUIT\r\n")
        _ = client.readToEnd()
        #expect(server.store.state.withLock { $0.reads } <= 4)
        #expect(reads > 4)
        await server.stop()
    }

    @Test("bytes that turn out damaged half way end the connection without the final dot; at the start they give -ERR")
    func damaged() async throws {
        var configuration = POP3ServerConfiguration()
        configuration.pieceSize = 100
        let server = try await Server(
            ["A: 1\r\n\r\n" + String(repeating: "0123456789\r\n", count: 50)], configuration: configuration)
        server.store.state.withLock { $0.readableOctets = 300 }
        let client = try server.client()
        client.send(login + "RETR 1\r\nNOOP\r\n")
        #expect(!client.readToEnd().contains("\r\n.\r\n"))
        server.store.state.withLock { $0.readableOctets = 0 }
        let other = try server.client()
        other.send(login + "RETR 1\r\nQUIT\r\n")
        #expect(other.readToEnd().hasSuffix("-ERR [SYS/PERM] Message is damaged\r\n+OK Bye\r\n"))
        await server.stop()
    }

    @Test("SASL PLAIN in one and in two steps, wrong passwords, and a maildrop that does not open")
    func authentication() async throws {
        let server = try await Server([])
        let client = try server.client()
        client.send(
            "AUTH PLAIN\r\nAGFubmEAd3Jvbmc=\r\nUSER anna\r\nPASS wrong\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\nQUIT\r\n"
        )
        let failed = "-ERR [AUTH] Authentication failed\r\n"
        #expect(
            client.readToEnd()
                == "+ \r\n" + failed + "+OK Password please\r\n" + failed
                + "+ \r\n-ERR Authentication cancelled\r\n+OK 0 messages (0 octets)\r\n+OK Bye\r\n")
        server.store.state.withLock { $0.openingFails = true }
        let other = try server.client()
        other.send(login + "QUIT\r\n")
        #expect(
            other.readToEnd() == "+OK Password please\r\n-ERR [SYS/TEMP] Maildrop is not available now\r\n+OK Bye\r\n")
        await server.stop()
    }

    @Test("an idle connection is closed without a word, and nothing is removed (RFC 1939 §3)")
    func idle() async throws {
        var configuration = POP3ServerConfiguration()
        configuration.idleTimeout = .milliseconds(100)
        let server = try await Server(["A: 1\r\n\r\none\r\n"], configuration: configuration)
        let client = try server.client()
        client.send(login + "DELE 1\r\n")
        #expect(client.readToEnd().hasSuffix("+OK Message 1 deleted\r\n"))
        #expect(server.removals == [])
        await server.stop()
    }

    @Test("a connection without a login is closed, whatever it sends meanwhile, and a login ends that")
    func loginDeadline() async throws {
        var configuration = POP3ServerConfiguration()
        configuration.loginTimeout = .milliseconds(300)
        let server = try await Server(["A: 1\r\n\r\none\r\n"], configuration: configuration)
        let one = try server.client()
        let two = try server.client()
        two.send(login)
        _ = two.read(to: "octets)\r\n")
        // Commands and bytes do not move the deadline; the server's close ends the sending.
        let sender = Task.detached {
            while !Task.isCancelled {
                one.send("CAPA\r\n")
                usleep(10_000)
            }
        }
        let end = ContinuousClock.now + .seconds(5)
        _ = one.read { _ in ContinuousClock.now > end }
        #expect(ContinuousClock.now < end)
        sender.cancel()
        two.send("STAT\r\n")
        #expect(two.read(to: "\r\n") == "+OK 1 13\r\n")
        await server.stop()
    }

    @Test("bytes that make no line do not keep a session")
    func slowLine() async throws {
        var configuration = POP3ServerConfiguration()
        configuration.idleTimeout = .milliseconds(300)
        let server = try await Server([], configuration: configuration)
        let client = try server.client()
        client.send(login)
        _ = client.read(to: "octets)\r\n")
        let sender = Task.detached {
            while !Task.isCancelled {
                client.send("N")
                usleep(10_000)
            }
        }
        let end = ContinuousClock.now + .seconds(5)
        #expect(client.read { _ in ContinuousClock.now > end }.isEmpty)
        #expect(ContinuousClock.now < end)
        sender.cancel()
        await server.stop()
    }

    @Test("a server that ends says so")
    func closing() async throws {
        let server = try await Server([])
        let client = try server.client()
        await server.stop()
        #expect(client.readToEnd() == "-ERR [SYS/TEMP] Server is shutting down\r\n")
    }

    @Test("a flood of commands without reading is answered in bounded memory, and all of it")
    func flood() async throws {
        let message = "A: 1\r\n\r\n" + String(repeating: "0123456789\r\n", count: 4_000)
        let server = try await Server([message])
        let client = try server.client()
        client.send(login)
        _ = client.read(to: "octets)\r\n")
        let rounds = 200
        let writer = Task.detached { client.send(String(repeating: "RETR 1\r\nNOOP\r\n", count: rounds) + "QUIT\r\n") }
        let size = "+OK \(message.utf8.count) octets\r\n".utf8.count + message.utf8.count + ".\r\n+OK\r\n".utf8.count
        let answer = client.read()
        await writer.value
        #expect(answer.count == rounds * size + "+OK Bye\r\n".utf8.count)
        await server.stop()
    }
}
