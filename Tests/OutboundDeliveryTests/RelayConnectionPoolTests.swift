import MailStore
import NetworkTransport
import SMTPProtocol
import Testing

import OutboundDelivery

@Suite struct RelayConnectionPoolTests {
    @Test("A connection that was given back is used again, for the same target only")
    func reuse() async throws {
        try await withServer { server in
            let pool = RelayConnectionPool(services: try .test())
            let first = try await pool.connection(to: .test(server))
            #expect(await first.deliver(.test(), content: TestMessage()).summary == ["accepted at endOfContent"])
            await pool.giveBack(first)
            #expect(pool.count == 1)
            #expect(await pool.idleConnection(to: .test(server, tls: .none)) == nil)
            let second = try await pool.connection(to: .test(server))
            #expect(second === first)
            #expect(pool.count == 0)
            #expect(await second.deliver(.test(), content: TestMessage()).summary == ["accepted at endOfContent"])
            await pool.giveBack(second)
            await pool.close()
            #expect(server.connections == 1)
            #expect(server.commands.last == "QUIT")
            #expect(pool.count == 0)
        }
    }

    @Test("An idle connection says QUIT after its time")
    func idle() async throws {
        try await withServer { server in
            var limits = RelayConnectionPool.Limits()
            limits.idle = .milliseconds(100)
            let pool = RelayConnectionPool(services: try .test(), limits: limits)
            let connection = try await pool.connection(to: .test(server))
            await pool.giveBack(connection)
            #expect(pool.count == 1)
            while pool.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(server.commands.last == "QUIT")
            #expect(try await pool.connection(to: .test(server)) !== connection)
            #expect(server.connections == 2)
        }
    }

    @Test("A connection that the server closed meanwhile is not given out")
    func dead() async throws {
        try await withServer { server in
            let pool = RelayConnectionPool(services: try .test())
            let connection = try await pool.connection(to: .test(server))
            await pool.giveBack(connection)
            await server.dropConnections()
            while pool.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(await pool.idleConnection(to: .test(server)) == nil)
            let result = await connection.deliver(.test(), content: TestMessage())
            #expect(result.isStaleConnection)
            #expect(result.summary == ["failed at idle"])
        }
    }

    @Test("No more transactions than the limit, ours or the server's; no more connections than the limit")
    func limits() async throws {
        var script = ScriptedServer.Script()
        script.extensions += ["LIMITS MAILMAX=2"]
        try await withServer(script) { server in
            let pool = RelayConnectionPool(services: try .test())
            for _ in 1...4 {
                let connection = try await pool.connection(to: .test(server))
                _ = await connection.deliver(.test(), content: TestMessage())
                await pool.giveBack(connection)
            }
            #expect(server.connections == 2)
            #expect(pool.count == 0)
        }
        try await withServer { server in
            var limits = RelayConnectionPool.Limits()
            limits.transactions = 1
            limits.connections = 1
            let pool = RelayConnectionPool(services: try .test(), limits: limits)
            let used = try await pool.connection(to: .test(server))
            _ = await used.deliver(.test(), content: TestMessage())
            await pool.giveBack(used)
            #expect(pool.count == 0)
            let fresh = [
                try await pool.connection(to: .test(server)), try await pool.connection(to: .test(server)),
            ]
            for connection in fresh { await pool.giveBack(connection) }
            #expect(pool.count == 1)
            await pool.close()
            await pool.giveBack(try await pool.connection(to: .test(server)))
            #expect(pool.count == 0)
        }
    }

    @Test("Many at once, each message arrives once")
    func many() async throws {
        try await withServer { server in
            let pool = RelayConnectionPool(services: try .test())
            try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<16 {
                    group.addTask {
                        var accepted = 0
                        for number in 0..<20 {
                            let connection = try await pool.connection(to: .test(server))
                            let message = TestMessage("Subject: \(worker) \(number)\r\n\r\nx\r\n")
                            let result = await connection.deliver(.test(), content: message)
                            if result.recipients.first?.isAccepted == true { accepted += 1 }
                            await pool.giveBack(connection)
                        }
                        return accepted
                    }
                }
                var accepted = 0
                for try await count in group { accepted += count }
                #expect(accepted == 320)
            }
            #expect(Set(server.messages).count == 320)
            #expect(server.messages.count == 320)
            #expect(server.connections <= 16)
            await pool.close()
        }
    }
}
