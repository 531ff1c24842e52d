import Glibc
import NIOCore
import NIOPosix
import NetworkTransport
import Synchronization
import Testing

/// Answers each octet with twenty; `q` with all that a `farewell` has, and closes.
private actor Amplifier: ConnectionSession {
    static let factor = 20
    static let farewell = 8_000_000

    nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }
    private let connection: Connection
    private let received: Counter

    init(_ connection: Connection, _ received: Counter) {
        self.connection = connection
        self.received = received
    }

    func opened() {}
    func received(_ bytes: ByteBuffer) {
        received.add(bytes.readableBytes)
        if bytes.readableBytesView.first == UInt8(ascii: "q") {
            connection.write([UInt8](repeating: UInt8(ascii: "x"), count: Amplifier.farewell))
            connection.close()
        } else {
            connection.write([UInt8](repeating: UInt8(ascii: "x"), count: bytes.readableBytes * Amplifier.factor))
        }
    }
    func tlsEstablished() {}
    func deadlinePassed() {}
    func closed(_ reason: CloseReason) {}
    func serverIsClosing() { connection.abort() }
}

private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add(_ number: Int) { count.wrappingAdd(number, ordering: .relaxed) }
}

/// A socket that does not wait.
private final class Peer {
    let descriptor: Int32

    init?(path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(100)) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { return nil }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close(descriptor) }

    /// Sends until all is sent, or nobody has taken anything for `patience` milliseconds. Returns how much went out.
    func send(_ count: Int, patience: Int32 = 300) -> Int {
        let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 65_536)
        var sent = 0
        while sent < count {
            let done = Glibc.send(descriptor, piece, min(piece.count, count - sent), Int32(MSG_NOSIGNAL))
            if done > 0 {
                sent += done
                continue
            }
            var descriptor = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&descriptor, 1, patience) == 1 else { break }
        }
        return sent
    }

    func send(_ text: String) { Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

    /// Reads `count` octets, or what comes until nothing has come for ten seconds.
    func receive(_ count: Int) -> Int {
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        var received = 0
        while received < count {
            let done = recv(descriptor, &piece, piece.count, 0)
            if done > 0 {
                received += done
                continue
            }
            var descriptor = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard done != 0, poll(&descriptor, 1, 10_000) == 1 else { break }
        }
        return received
    }
}

@Suite("A peer that does not read") struct BackpressureTests {
    private func withListener(
        closePatience: Duration = .seconds(10), _ body: (_ path: String, Listener, Counter) async throws -> Void
    ) async throws {
        let path = "/tmp/martlet-transport-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        defer { unlink(path) }
        let received = Counter()
        var options = Listener.Options(
            service: "test", usesImplicitTLS: false, limits: .init(connections: 10, connectionsPerAddress: 10))
        options.closePatience = closePatience
        let listener = try await Listener.start(
            options, on: [.unix(path: path)], group: MultiThreadedEventLoopGroup.singleton, tls: nil
        ) { Amplifier($0, received) }
        try await body(path, listener, received)
        await listener.close(patience: .seconds(1))
    }

    @Test("is not read from either: what it is answered stays bounded, and it gets all of it when it reads")
    func output() async throws {
        try await withListener { path, _, received in
            let peer = try #require(Peer(path: path))
            let sent = peer.send(16_000_000)
            // Two socket buffers, a read, and what the high-water mark allows: far from what was meant to be sent.
            #expect(sent < 2_000_000)
            #expect(received.value < 500_000)
            #expect(peer.receive(sent * Amplifier.factor) == sent * Amplifier.factor)
            #expect(received.value == sent)
            // And it goes on as if nothing had been.
            #expect(peer.send(1_000) == 1_000)
            #expect(peer.receive(1_000 * Amplifier.factor) == 1_000 * Amplifier.factor)
        }
    }

    @Test("is cut off some time after the connection was closed")
    func close() async throws {
        try await withListener(closePatience: .milliseconds(50)) { path, listener, _ in
            let peer = try #require(Peer(path: path))
            peer.send("q")
            let end = ContinuousClock.now + .seconds(10)
            var isKnown = false
            while ContinuousClock.now < end, !isKnown || listener.connections > 0 {
                isKnown = isKnown || listener.connections > 0
                await Task.yield()
            }
            #expect(isKnown && listener.connections == 0)
        }
    }

    @Test("gets all that was written before the close when it reads in time")
    func lateReader() async throws {
        try await withListener { path, _, _ in
            let peer = try #require(Peer(path: path))
            peer.send("q")
            #expect(peer.receive(Amplifier.farewell + 1) == Amplifier.farewell)
        }
    }
}

@Suite struct ConnectionGateTests {
    @Test(
        "addresses of one IPv6 /64 share the limit of one address, those of others have their own",
        arguments: [
            (["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"], "2001:db8:1:2:3:4:5:6", "2001:db8:1:3::1"),
            (["192.0.2.1", "192.0.2.1"], "192.0.2.1", "192.0.2.2"),
        ])
    func network(_ first: [String], _ refused: String, _ other: String) {
        let gate = ConnectionGate(limits: .init(connections: 10, connectionsPerAddress: 2))
        for address in first { #expect(gate.admit(address: address) == nil) }
        #expect(gate.admit(address: refused) == .tooManyFromAddress(limit: 2))
        #expect(gate.admit(address: other) == nil)
        gate.closed(number: 1, address: first[1])
        #expect(gate.admit(address: refused) == nil)
    }
}
