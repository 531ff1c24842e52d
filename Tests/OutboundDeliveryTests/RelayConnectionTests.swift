import MailStore
import MartletCore
import NetworkTransport
import SMTPProtocol
import Testing

import OutboundDelivery

@Suite struct RelayConnectionTests {
    @Test("A message is handed over, dots and all, and the connection does another one")
    func delivers() async throws {
        try await withServer { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let message = TestMessage()
            let first = await connection.deliver(.test(["anna", "bad", "later"]), content: message)
            #expect(first.summary == ["accepted at endOfContent", "refused 550 at RCPT", "refused 450 at RCPT"])
            let second = await connection.deliver(.test(), content: message)
            #expect(second.summary == ["accepted at endOfContent"])
            #expect(second.transcript.first == "* transaction 2 of this connection")
            await connection.close()
            #expect(!connection.isOpen)
            let stuffed = Array("Subject: x\r\n\r\nhello\r\n..dot\r\n".utf8)
            #expect(server.messages == [stuffed, stuffed])
            #expect(server.connections == 1)
            #expect(server.commands.last == "QUIT")
            #expect(server.commands.contains("MAIL FROM:<ben@example.net> SIZE=27"))
        }
    }

    @Test("BDAT where it is offered: one write, the octets as they are")
    func chunking() async throws {
        var script = ScriptedServer.Script()
        script.extensions += ["CHUNKING"]
        try await withServer(script) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let message = TestMessage()
            let result = await connection.deliver(.test(), content: message)
            #expect(result.summary == ["accepted at endOfContent"])
            #expect(server.messages == [message.bytes])
            #expect(server.commands.contains("BDAT 27 LAST"))
            await connection.close()
        }
    }

    @Test("A large message goes in pieces", arguments: [["PIPELINING"], ["PIPELINING", "CHUNKING", "BINARYMIME"]])
    func large(extensions: [String]) async throws {
        var script = ScriptedServer.Script()
        script.extensions = extensions
        try await withServer(script) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let message = TestMessage(String(repeating: "a line of text that is repeated\r\n", count: 200_000))
            let body: BodyType = extensions.contains("BINARYMIME") ? .binaryMIME : .sevenBit
            let result = await connection.deliver(.test(body: body), content: message)
            #expect(result.summary == ["accepted at endOfContent"])
            #expect(server.messages.first == message.bytes)
            #expect(message.largestPiece <= 65_536)
            await connection.close()
        }
    }

    @Test("A server that reads nothing of the content is not read for: the deadline ends it")
    func backpressure() async throws {
        var script = ScriptedServer.Script()
        script.readsContent = false
        script.extensions = ["PIPELINING"]
        try await withServer(script) { server in
            let connection = try await RelayConnection.connect(
                to: .test(server), services: .test(timeouts: .milliseconds(300)))
            let message = TestMessage([UInt8](repeating: 65, count: 100_000_000))
            let result = await connection.deliver(.test(), content: message)
            #expect(result.summary == ["failed at content"])
            #expect(!connection.isOpen)
        }
    }

    @Test("Nobody there, or an address that is none")
    func unreachable() async throws {
        let server = try await ScriptedServer.start()
        await server.stop()
        let refused = await failure(.test(server), try .test())
        #expect(refused?.cause == .unreachable("connection refused"))
        #expect(refused?.transcript == ["* 127.0.0.1 port \(server.port): connection refused"])
        #expect(refused?.isTLSFailure == false)
        let target = RelayTarget(address: "mx.test", port: 25, serverName: nil, localName: "out.test")
        #expect(await failure(target, try .test())?.cause == .unreachable("mx.test is no address"))
        var foreign = RelayTarget.test(server)
        foreign.localAddress = "192.0.2.1"
        #expect(
            await failure(foreign, try .test())?.cause == .unreachable("the local address is not this machine's"))
    }

    @Test("The address to connect from")
    func localAddress() async throws {
        try await withServer { server in
            var target = RelayTarget.test(server)
            target.localAddress = "127.0.0.3"
            let connection = try await RelayConnection.connect(to: target, services: .test())
            #expect(await connection.info.localAddress == "127.0.0.3")
            await connection.close()
        }
    }

    // MARK: What goes wrong

    static let openings: [(key: String, stage: SMTPClientStage)] = [("GREETING", .greeting), ("EHLO", .hello)]
    static let stages: [(key: String, stage: SMTPClientStage)] = [
        ("MAIL", .mail), ("RCPT", .recipient), ("DATA", .data), ("CONTENT", .endOfContent),
    ]

    static func script(_ key: String, _ reaction: ScriptedServer.Reaction) -> ScriptedServer.Script {
        var script = ScriptedServer.Script()
        if key == "GREETING" { script.greeting = reaction } else { script.reactions[key] = reaction }
        return script
    }

    @Test("The connection dropped, in the middle of a reply or before it, at each stage", arguments: stages.indices)
    func dropped(index: Int) async throws {
        let (key, stage) = Self.stages[index]
        for reaction in [ScriptedServer.Reaction.drop, .sayAndDrop("250-2.0.0 o")] {
            try await withServer(Self.script(key, reaction)) { server in
                let connection = try await RelayConnection.connect(to: .test(server), services: .test())
                let result = await connection.deliver(.test(), content: TestMessage())
                let word = stage == .endOfContent ? "unknown" : "failed"
                #expect(result.summary == ["\(word) at \(stage.rawValue)"])
                #expect(!connection.isOpen)
                await connection.close()
            }
        }
    }

    @Test("No answer, at each stage", arguments: stages.indices)
    func silent(index: Int) async throws {
        let (key, stage) = Self.stages[index]
        try await withServer(Self.script(key, .silence)) { server in
            let connection = try await RelayConnection.connect(
                to: .test(server), services: .test(timeouts: .milliseconds(200)))
            let result = await connection.deliver(.test(), content: TestMessage())
            let word = stage == .endOfContent ? "unknown" : "failed"
            #expect(result.summary == ["\(word) at \(stage.rawValue)"])
            #expect(result.recipients.first?.text.contains("no answer in time") == true)
        }
    }

    @Test("Dropped and silent before there is a session", arguments: openings.indices)
    func openingFails(index: Int) async throws {
        let (key, stage) = Self.openings[index]
        for reaction in [ScriptedServer.Reaction.drop, .silence, .say("421 4.3.2 busy\r\n"), .say("nonsense\r\n")] {
            try await withServer(Self.script(key, reaction)) { server in
                let found = await failure(.test(server), try .test(timeouts: .milliseconds(200)))
                guard case .session(let session)? = found?.cause else {
                    Issue.record("\(key): \(String(describing: found))")
                    return
                }
                #expect(session.stage == stage)
                #expect(found?.isTLSFailure == false)
            }
        }
    }

    @Test("Refused for now and for good, at each stage", arguments: stages.indices)
    func refused(index: Int) async throws {
        let (key, stage) = Self.stages[index]
        for code in [451, 550] {
            try await withServer(Self.script(key, .say("\(code) no\r\n"))) { server in
                let connection = try await RelayConnection.connect(to: .test(server), services: .test())
                let result = await connection.deliver(.test(), content: TestMessage())
                #expect(result.summary == ["refused \(code) at \(stage.rawValue)"])
                #expect(result.recipients.first?.isPermanent == (code == 550))
                // The connection is good for another try.
                #expect(connection.isOpen)
                let again = await connection.deliver(.test(), content: TestMessage())
                #expect(again.summary == result.summary)
                await connection.close()
            }
        }
    }

    @Test("Replies of thousands of lines, and one without end")
    func huge() async throws {
        let lines = String(repeating: "250-\(String(repeating: "x", count: 100))\r\n", count: 2_000)
        try await withServer(Self.script("MAIL", .say(lines + "250 ok\r\n"))) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let result = await connection.deliver(.test(), content: TestMessage())
            #expect(result.summary == ["accepted at endOfContent"])
            #expect(result.transcript.count <= SMTPClientLimits().maximumTranscriptLines + 1)
            await connection.close()
        }
        try await withServer(Self.script("MAIL", .say(lines + lines))) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let result = await connection.deliver(.test(), content: TestMessage())
            #expect(result.summary == ["failed at MAIL"])
            #expect(!connection.isOpen)
        }
    }

    @Test("Content that cannot be read: nothing is sent, or the connection ends without the message's end")
    func unreadable() async throws {
        try await withServer { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let early = await connection.deliver(.test(), content: TestMessage([65, 66], failsAt: 0))
            #expect(early.summary == ["failed at idle"])
            #expect(connection.isOpen)
            let bytes = [UInt8](repeating: 65, count: 300_000)
            let late = await connection.deliver(.test(), content: TestMessage(bytes, failsAt: 200_000))
            #expect(late.summary == ["failed at content"])
            #expect(!connection.isOpen)
            #expect(server.messages.isEmpty)
        }
    }

    @Test("A transaction has an end, however quick each answer is")
    func transactionLimit() async throws {
        try await withServer(Self.script("CONTENT", .silence)) { server in
            var services = try RelayServices.test(timeouts: .seconds(60))
            services.timeouts.transaction = .milliseconds(300)
            let connection = try await RelayConnection.connect(to: .test(server), services: services)
            let result = await connection.deliver(.test(), content: TestMessage())
            #expect(result.summary == ["unknown at endOfContent"])
        }
    }

    @Test("A task that is cancelled ends its waiting")
    func cancelled() async throws {
        try await withServer(Self.script("CONTENT", .silence)) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let task = Task { await connection.deliver(.test(), content: TestMessage()) }
            while server.messages.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            #expect(await task.value.summary == ["unknown at endOfContent"])
        }
        try await withServer(Self.script("GREETING", .silence)) { server in
            let target = RelayTarget.test(server)
            let services = try RelayServices.test()
            let task = Task { await failure(target, services) }
            while server.connections == 0 { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            #expect(await task.value?.cause == .session(SMTPSessionFailure(stage: .greeting, cause: .abandoned)))
        }
    }

    // MARK: 8-bit

    @Test("An 8-bit message for a 7-bit server is converted, or told that it cannot be")
    func downgrade() async throws {
        var script = ScriptedServer.Script()
        script.extensions = ["PIPELINING", "SIZE"]
        try await withServer(script) { server in
            let message = TestMessage("Subject: x\r\n\r\nä\r\n")
            let converting = try RelayServices.test { _ in Array("Subject: x\r\n\r\n=C3=A4\r\n".utf8) }
            let connection = try await RelayConnection.connect(to: .test(server), services: converting)
            let result = await connection.deliver(.test(body: .eightBitMIME), content: message)
            #expect(result.summary == ["accepted at endOfContent"])
            #expect(server.messages == [Array("Subject: x\r\n\r\n=C3=A4\r\n".utf8)])
            #expect(server.commands.contains("MAIL FROM:<ben@example.net> SIZE=22"))
            await connection.close()
            let plain = try await RelayConnection.connect(to: .test(server), services: .test())
            let refused = await plain.deliver(.test(body: .eightBitMIME), content: message)
            #expect(refused.summary == ["cannot be converted at MAIL"])
            #expect(refused.recipients.first?.isPermanent == true)
            // Nothing was said to the server, which can do another.
            let other = await plain.deliver(.test(), content: TestMessage())
            #expect(other.summary == ["accepted at endOfContent"])
            await plain.close()
        }
    }
}
