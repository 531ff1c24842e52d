import MartletCore
import NetworkTransport
import SMTPProtocol
import Testing

import OutboundDelivery

@Suite struct RelayTLSTests {
    let certificates: TestCertificates
    init() throws { certificates = try TestCertificates() }

    func script(_ name: String = "mx.test", _ kind: TestCertificates.Kind = .good) throws -> ScriptedServer.Script {
        var script = ScriptedServer.Script()
        script.tls = try certificates.server(name, kind)
        return script
    }

    @Test("TLS is taken when it is offered; version, cipher and what the certificate was worth are told")
    func good() async throws {
        for policy in [RelayTarget.TLSPolicy.opportunistic, .required, .requiredVerified] {
            try await withServer(try script()) { server in
                let connection = try await RelayConnection.connect(
                    to: .test(server, tls: policy), services: .test(tls: try certificates.client))
                let info = await connection.info
                #expect(info.tls?.version == "TLSv1.3")
                #expect(info.tls?.cipher.hasPrefix("TLS_") == true)
                #expect(info.tls?.serverName == "mx.test")
                #expect(info.certificate == .verified)
                let result = await connection.deliver(.test(), content: TestMessage())
                #expect(result.summary == ["accepted at endOfContent"])
                #expect(result.transcript.contains { $0.hasPrefix("* TLSv1.3 TLS_") })
                #expect(server.commands.filter { $0 == "EHLO out.test" }.count == 2)
                await connection.close()
            }
        }
    }

    @Test(
        "A certificate that is worth nothing is lived with, and told; where one is required it ends the attempt",
        arguments: [
            ("mx.test", TestCertificates.Kind.expired, "the certificate expired on"),
            ("mx.test", .early, "the certificate is valid from"),
            ("mx.test", .selfSigned, "the certificate is self-signed"),
            ("other.test", .good, "the certificate is not for mx.test"),
        ])
    func worthless(name: String, kind: TestCertificates.Kind, reason: String) async throws {
        try await withServer(try script(name, kind)) { server in
            for policy in [RelayTarget.TLSPolicy.opportunistic, .required] {
                let connection = try await RelayConnection.connect(
                    to: .test(server, tls: policy), services: .test(tls: try certificates.client))
                guard case .failed(let text)? = await connection.info.certificate else {
                    Issue.record("it was verified")
                    return
                }
                #expect(text.hasPrefix(reason))
                let result = await connection.deliver(.test(), content: TestMessage())
                #expect(result.summary == ["accepted at endOfContent"])
                await connection.close()
            }
            let found = await failure(
                .test(server, tls: .requiredVerified), try .test(tls: try certificates.client))
            guard case .certificate(.failed(let text))? = found?.cause else {
                Issue.record("\(String(describing: found))")
                return
            }
            #expect(text.hasPrefix(reason))
            #expect(found?.text.contains(reason) == true)
        }
    }

    @Test("An issuer that nobody trusts, and no name to check")
    func untrusted() async throws {
        try await withServer(try script()) { server in
            let stranger = try await RelayConnection.connect(
                to: .test(server), services: .test(tls: try TestCertificates().client))
            #expect(
                await stranger.info.certificate
                    == .failed("the certificate was not issued by anybody who is trusted here"))
            await stranger.close()
            for name in [nil, "127.0.0.1"] as [String?] {
                let nameless = try await RelayConnection.connect(
                    to: .test(server, serverName: name), services: .test(tls: try certificates.client))
                #expect(
                    await nameless.info.certificate
                        == .failed("there is no name that the certificate could be checked for"))
                #expect(await nameless.info.tls?.serverName == nil)
                await nameless.close()
            }
        }
    }

    @Test("A handshake that fails is told as such, so that the caller can go on in clear")
    func broken() async throws {
        for reaction in [
            ScriptedServer.Reaction.say("this is no handshake at all\r\n"), .drop, .silence,
        ] {
            var script = try script()
            script.insteadOfHandshake = reaction
            try await withServer(script) { server in
                let services = try RelayServices.test(timeouts: .milliseconds(300), tls: try certificates.client)
                let found = await failure(.test(server), services)
                #expect(found?.isTLSFailure == true, "\(String(describing: found))")
                // Another connection, in clear.
                let connection = try await RelayConnection.connect(
                    to: .test(server, tls: .none), services: services)
                #expect(await connection.info.tls == nil)
                #expect(await connection.info.certificate == nil)
                #expect(
                    await connection.deliver(.test(), content: TestMessage()).summary == ["accepted at endOfContent"])
                await connection.close()
            }
        }
    }

    @Test("What comes between STARTTLS and the handshake ends the connection")
    func injection() async throws {
        var script = try script()
        script.reactions["STARTTLS"] = .say("220 go\r\n250-injected\r\n250 PIPELINING\r\n")
        try await withServer(script) { server in
            let found = await failure(.test(server), try .test())
            #expect(
                found?.cause == .session(SMTPSessionFailure(stage: .startTLS, cause: .octetsBeforeHandshake)))
            #expect(found?.isTLSFailure == true)
        }
    }

    @Test("STARTTLS that is refused, or not offered")
    func refused() async throws {
        var script = try script()
        script.reactions["STARTTLS"] = .say("454 4.7.0 not now\r\n")
        try await withServer(script) { server in
            let connection = try await RelayConnection.connect(to: .test(server), services: .test())
            let info = await connection.info
            #expect(info.tls == nil)
            #expect(info.startTLSRefusal == SMTPReply(454, EnhancedStatus(4, 7, 0), "not now"))
            await connection.close()
            let found = await failure(.test(server, tls: .required), try .test())
            #expect(found?.text.contains("454 4.7.0 not now") == true)
        }
        try await withServer { server in
            let found = await failure(.test(server, tls: .required), try .test())
            #expect(found?.cause == .session(SMTPSessionFailure(stage: .startTLS, cause: .startTLSNotOffered)))
            #expect(found?.isTLSFailure == false)
        }
    }
}
