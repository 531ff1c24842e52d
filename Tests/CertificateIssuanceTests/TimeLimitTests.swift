import ACMEProtocol
import CertificateIssuance
import MartletCore
import NIOCore
import NIOPosix
import Testing

@Suite("Work that may take so long", .timeLimit(.minutes(1))) struct TimeLimitTests {
    private struct Mistake: Error {}

    @Test("ends with what it gives or throws")
    func ends() async throws {
        #expect(try await within(.seconds(60)) { 7 } == 7)
        await #expect(throws: Mistake.self) {
            try await within(.seconds(60)) { () async throws -> Int in throw Mistake() }
        }
    }

    @Test("is cancelled when its time is over, or its caller is")
    func cancelled() async {
        await #expect(throws: TimeLimitPassed.self) {
            try await within(.milliseconds(5)) { try await Task.sleep(for: .seconds(3_600)) }
        }
        let task = Task { try await within(.seconds(3_600)) { try await Task.sleep(for: .seconds(3_600)) } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

/// An authority that takes connections, and says nothing.
private struct Silent {
    let channel: any Channel
    /// Somebody has come.
    let visited: EventLoopPromise<Void>

    init() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let visited = group.any().makePromise(of: Void.self)
        channel = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            visited.succeed(())
            return channel.eventLoop.makeSucceededVoidFuture()
        }.bind(to: try SocketAddress(ipAddress: "127.0.0.1", port: 0)).get()
        self.visited = visited
    }

    func issuer(limit: Duration) throws -> CertificateIssuer {
        let port = channel.localAddress?.port ?? 0
        var settings = CertificateIssuer.Settings(directory: "https://127.0.0.1:\(port)/dir", userAgent: "test")
        settings.limit = limit
        return try CertificateIssuer(
            settings, accountKey: CertificateIssuer.makeAccountKey(), proofs: ProofBook(),
            group: MultiThreadedEventLoopGroup.singleton)
    }
}

@Suite("An authority that hangs", .timeLimit(.minutes(1))) struct HangingAuthorityTests {
    private func failure(_ issuer: CertificateIssuer) async -> ACMEFailure? {
        do {
            _ = try await issuer.issue(names: ["mail.example.test"], now: { Instant(seconds: 0) })
            return nil
        } catch { return error }
    }

    @Test("is left after the time that an issuance may take, and that is told")
    func late() async throws {
        let silent = try await Silent()
        let told = await failure(try silent.issuer(limit: .seconds(1)))
        #expect(told?.kind == .unreachable && told?.problem.contains("within 1 seconds") == true)
        #expect(told?.remedy.contains("by itself") == true)
        try await silent.channel.close()
    }

    @Test("does not keep a server that ends, which has not failed")
    func ending() async throws {
        let silent = try await Silent()
        let issuer = try silent.issuer(limit: .seconds(3_600))
        let task = Task { await failure(issuer) }
        try await silent.visited.futureResult.get()
        task.cancel()
        #expect(await task.value == .ending)
        try await silent.channel.close()
    }
}
