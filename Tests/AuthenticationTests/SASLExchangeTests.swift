import Authentication
import Crypto
import Foundation
import MailStore
import MartletCore
import SASLMechanisms
import Testing

@Suite struct SASLExchangeTests {
    func plain(_ world: World, _ message: String, mechanism: String = "PLAIN", isTLS: Bool = true) async -> SASLOutcome
    {
        let exchange = world.authenticator.makeExchange(world.peer(isTLS: isTLS))
        return await exchange.start(mechanism: mechanism, initialResponse: Array(message.utf8))
    }

    @Test("PLAIN logs in, for oneself or for one's own address only")
    func plain() async {
        let world = World()
        world.directory.add("carl@example.test", [Passwords.changed])
        for message in ["\0anna\0secret", "anna\0anna@example.test\0secret", "Anna@Example.Test\0anna\0secret"] {
            guard case .success(let account) = await plain(world, message) else {
                Issue.record("refused: \(message)")
                continue
            }
            #expect(account.id == world.anna)
        }
        guard case .failure(let failure) = await plain(world, "carl\0anna\0secret") else {
            Issue.record("anna acts as carl")
            return
        }
        #expect(failure.kind == .wrongCredentials)
    }

    @Test(
        "what cannot be done fails with its kind",
        arguments: [
            ("\0anna\0wrong", "PLAIN", true, LoginFailure.Kind.wrongCredentials),
            ("\0bert\0secret", "PLAIN", true, .suspended),
            ("garbage", "PLAIN", true, .malformed), ("\0anna\0secret", "CRAM-MD5", true, .unknownMechanism),
            ("\0anna\0secret", "PLAIN", false, .encryptionRequired),
            ("n,,n=anna,r=x", "SCRAM-SHA-256-PLUS", true, .malformed),
            ("y,,n=anna,r=x", "SCRAM-SHA-256", true, .wrongCredentials),
        ])
    func failures(message: String, mechanism: String, isTLS: Bool, kind: LoginFailure.Kind) async {
        guard case .failure(let failure) = await plain(World(), message, mechanism: mechanism, isTLS: isTLS) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == kind)
    }

    @Test("LOGIN asks twice; cancelling ends the exchange")
    func login() async {
        let world = World()
        let exchange = world.authenticator.makeExchange(world.peer())
        #expect(await exchange.start(mechanism: "login", initialResponse: nil) == .challenge(Array("Username:".utf8)))
        #expect(await exchange.respond(Array("anna".utf8)) == .challenge(Array("Password:".utf8)))
        guard case .success = await exchange.respond(Array("secret".utf8)) else {
            Issue.record("refused")
            return
        }
        let other = world.authenticator.makeExchange(world.peer())
        _ = await other.start(mechanism: "LOGIN", initialResponse: nil)
        guard case .failure(let failure) = other.cancel() else {
            Issue.record("cancelled, and yet no failure")
            return
        }
        #expect(failure.kind == .cancelled)
        guard case .failure = await other.respond(Array("anna".utf8)) else {
            Issue.record("goes on after *")
            return
        }
    }

    @Test("an answer without an exchange is a failure and nothing else")
    func noExchange() async {
        let world = World()
        guard case .failure(let failure) = await world.authenticator.makeExchange(world.peer()).respond([]) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .malformed)
    }

    @Test(
        "SCRAM logs in with the account's and with a device's password, bound to the channel or not",
        arguments: [
            ("SCRAM-SHA-256", "secret", Int64(0)), ("SCRAM-SHA-256-PLUS", "secret", 0),
            ("SCRAM-SHA-256-PLUS", "abcd-efgh", 4),
        ])
    func scram(mechanism: String, password: String, number: Int64) async {
        let world = World()
        world.directory.setCredentials([Passwords.device, Passwords.secret], of: world.anna)
        let header = mechanism.hasSuffix("PLUS") ? "p=tls-server-end-point,," : "n,,"
        let binding = Array(header.utf8) + (mechanism.hasSuffix("PLUS") ? [1, 2, 3] : [])
        let exchange = world.authenticator.makeExchange(world.peer())
        guard
            case .challenge(let bytes) = await exchange.start(
                mechanism: mechanism, initialResponse: Array("\(header)n=anna,r=abc".utf8))
        else {
            Issue.record("no challenge")
            return
        }
        let first = String(decoding: bytes, as: UTF8.self)
        let withoutProof = "c=\(Data(binding).base64EncodedString()),\(first.prefix { $0 != "," })"
        let proof = scramProof(password, Passwords.secret.scramSHA256, message: "n=anna,r=abc,\(first),\(withoutProof)")
        guard case .challenge(let signature) = await exchange.respond(Array("\(withoutProof),p=\(proof)".utf8)) else {
            Issue.record("the proof is refused")
            return
        }
        #expect(signature.starts(with: "v=".utf8))
        guard case .success(let account) = await exchange.respond([]) else {
            Issue.record("refused")
            return
        }
        #expect(account.id == world.anna && account.credentialNumber == number)
    }

    /// RFC 5802 §3, the client's side.
    private func scramProof(_ password: String, _ keys: Credential.SCRAMKeys, message: String) -> String {
        let salted =
            SCRAMHash.sha256.saltedPassword(Secret(password), salt: keys.salt, iterations: keys.iterations) ?? []
        let clientKey = Array(
            HMAC<SHA256>.authenticationCode(for: Data("Client Key".utf8), using: SymmetricKey(data: salted)))
        let stored = SymmetricKey(data: Array(SHA256.hash(data: clientKey)))
        let signature = Array(HMAC<SHA256>.authenticationCode(for: Data(message.utf8), using: stored))
        return Data(zip(clientKey, signature).map { $0 ^ $1 }).base64EncodedString()
    }

    @Test("SCRAM with unknown names and with wrong proofs counts as a guess and slows down")
    func scramFailures() async {
        for name in ["anna", "nobody"] {
            let world = World()
            for _ in 0..<10 {
                let exchange = world.authenticator.makeExchange(world.peer())
                guard
                    case .challenge(let bytes) = await exchange.start(
                        mechanism: "SCRAM-SHA-256", initialResponse: Array("n,,n=\(name),r=abc".utf8))
                else {
                    Issue.record("no challenge")
                    return
                }
                let first = String(decoding: bytes, as: UTF8.self)
                #expect(first.hasSuffix(",i=10000"))
                let nonce = first.prefix { $0 != "," }
                let proof = String(repeating: "A", count: 43) + "="
                guard case .failure(let failure) = await exchange.respond(Array("c=biws,\(nonce),p=\(proof)".utf8))
                else {
                    Issue.record("no failure")
                    return
                }
                #expect(failure.kind == .wrongCredentials)
                #expect(failure.publicText == "Authentication failed")
            }
            #expect(world.clock.takeSlept() > .seconds(10))
        }
    }
}
