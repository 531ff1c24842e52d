import MartletCore
import SASLMechanisms
import Testing

/// A SCRAM exchange of an RFC: fixed nonces, the four messages.
struct Vector: Sendable, CustomTestStringConvertible {
    var mechanism: SASLMechanism
    var salt: [UInt8]
    var serverNonce: String
    var clientFirst: String
    var serverFirst: String
    var clientFinal: String
    var serverFinal: String
    var testDescription: String { mechanism.rawValue }

    static let all = [
        // RFC 5802 §5
        Vector(
            mechanism: .scramSHA1, salt: [0x41, 0x25, 0xC2, 0x47, 0xE4, 0x3A, 0xB1, 0xE9, 0x3C, 0x6D, 0xFF, 0x76],
            serverNonce: "3rfcNHYJY1ZVvWVs7j",
            clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="),
        // RFC 7677 §3
        Vector(
            mechanism: .scramSHA256,
            salt: [0x5B, 0x6D, 0x99, 0x68, 0x9D, 0x12, 0x35, 0x8E, 0xEC, 0xA0, 0x4B, 0x14, 0x12, 0x36, 0xFA, 0x81],
            serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            clientFinal:
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
    ]

    func credential(number: Int64 = 0, password: String = "pencil") -> SCRAMCredential {
        let keys = mechanism.hash?.keys(password: Secret(password), salt: salt, iterations: 4096)
        return SCRAMCredential(
            number: number, salt: salt, iterations: 4096, storedKey: keys?.storedKey ?? [],
            serverKey: keys?.serverKey ?? [])
    }

    func context(binding: [UInt8]? = nil, offered: Bool = false) -> SASLContext {
        SASLContext(
            serverNonce: Array(serverNonce.utf8), channelBinding: binding, offeredChannelBinding: offered,
            decoySecret: Secret("decoy"),
            decoyIterations: 4096)
    }
}

func text(_ step: SASLStep) -> String? {
    if case .challenge(let bytes) = step { return String(decoding: bytes, as: UTF8.self) }
    return nil
}

/// The client's side, for exchanges that no RFC prints: takes a server-first message and makes the last message.
func clientFinal(
    hash: SCRAMHash, password: String, salt: [UInt8], iterations: Int, bare: String, serverFirst: String,
    binding: [UInt8]
) -> [UInt8] {
    let nonce = serverFirst.dropFirst(2).prefix { $0 != "," }
    let withoutProof = "c=\(base64(binding)),r=\(nonce)"
    let proof = scramProof(
        hash: hash, password: password, salt: salt, iterations: iterations,
        message: Array("\(bare),\(serverFirst),\(withoutProof)".utf8))
    return Array("\(withoutProof),p=\(base64(proof))".utf8)
}

@Suite struct SCRAMTests {
    @Test("the exchange that the RFC prints succeeds, with its very messages", arguments: Vector.all)
    func vector(_ vector: Vector) {
        var session = SASLServerSession(mechanism: vector.mechanism, context: vector.context())
        #expect(session.start(initialResponse: nil) == .challenge([]))
        #expect(session.respond(Array(vector.clientFirst.utf8)) == .needCredentials(login: "user", authorizationID: ""))
        #expect(text(session.provide([vector.credential()])) == vector.serverFirst)
        #expect(text(session.respond(Array(vector.clientFinal.utf8))) == vector.serverFinal)
        #expect(session.respond([]) == .succeeded(login: "user", authorizationID: "", credentialNumber: 0))
        #expect(session.respond([]) == .failed(.malformed(rule: "an exchange in progress")))
    }

    @Test(
        "of several credentials with a common salt, the one whose password the client has is found",
        arguments: Vector.all)
    func severalCredentials(_ vector: Vector) {
        var session = SASLServerSession(mechanism: vector.mechanism, context: vector.context())
        _ = session.start(initialResponse: Array(vector.clientFirst.utf8))
        var foreign = vector.credential(number: 9)
        foreign.salt = [1, 2, 3]
        _ = session.provide([vector.credential(number: 0, password: "other"), foreign, vector.credential(number: 5)])
        _ = session.respond(Array(vector.clientFinal.utf8))
        #expect(session.respond([]) == .succeeded(login: "user", authorizationID: "", credentialNumber: 5))
    }

    @Test("a wrong password and a name that is nobody's fail alike, after the same messages", arguments: Vector.all)
    func wrong(_ vector: Vector) {
        for credentials in [[vector.credential(password: "stylo")], []] {
            var session = SASLServerSession(mechanism: vector.mechanism, context: vector.context())
            _ = session.start(initialResponse: Array(vector.clientFirst.utf8))
            let reply = text(session.provide(credentials))
            #expect(
                reply?.hasPrefix("r=\(vector.clientFirst.split(separator: "r=")[1])\(vector.serverNonce),s=") == true)
            #expect(reply?.hasSuffix(",i=4096") == true)
            #expect(session.respond(Array(vector.clientFinal.utf8)) == .failed(.wrongProof))
        }
    }

    @Test("nobody's salt is the same each time, differs by name, and cannot be told without the secret")
    func decoys() {
        func salt(_ name: String, secret: String) -> Substring? {
            var context = Vector.all[1].context()
            context.decoySecret = Secret(secret)
            var session = SASLServerSession(mechanism: .scramSHA256, context: context)
            _ = session.start(initialResponse: Array("n,,n=\(name),r=abc".utf8))
            return text(session.provide([]))?.split(separator: ",")[1]
        }
        #expect(salt("anna", secret: "s") == salt("Anna", secret: "s"))
        #expect(salt("anna", secret: "s") != salt("bert", secret: "s"))
        #expect(salt("anna", secret: "s") != salt("anna", secret: "t"))
        #expect(salt("anna", secret: "s")?.utf8.count == 26)
    }

    @Test(
        "channel binding flags that do not fit are refused (RFC 5802 §6)",
        arguments: [
            (SASLMechanism.scramSHA256, "y,,", true, SASLFailure.downgrade),
            (.scramSHA256, "p=tls-server-end-point,,", true, .channelBindingRequired),
            (.scramSHA256Plus, "n,,", true, .channelBindingRequired),
            (.scramSHA256Plus, "y,,", true, .channelBindingRequired),
            (.scramSHA256Plus, "p=tls-unique,,", true, .channelBindingUnsupported("tls-unique")),
            (.scramSHA256Plus, "p=tls-server-end-point,,", false, .channelBindingRequired),
        ])
    func bindingFlags(mechanism: SASLMechanism, header: String, isTLS: Bool, failure: SASLFailure) {
        let context = Vector.all[1].context(binding: isTLS ? [1, 2, 3] : nil, offered: isTLS)
        var session = SASLServerSession(mechanism: mechanism, context: context)
        #expect(session.start(initialResponse: Array("\(header)n=user,r=abc".utf8)) == .failed(failure))
    }

    @Test("y without an offer goes through")
    func yWithoutOffer() {
        var session = SASLServerSession(mechanism: .scramSHA256, context: Vector.all[1].context())
        #expect(
            session.start(initialResponse: Array("y,,n=user,r=abc".utf8))
                == .needCredentials(login: "user", authorizationID: ""))
    }

    @Test(
        "with the right binding -PLUS succeeds, with another certificate it fails",
        arguments: [SASLMechanism.scramSHA256Plus, .scramSHA1Plus])
    func plus(_ mechanism: SASLMechanism) throws {
        let hash = try #require(mechanism.hash)
        let ours: [UInt8] = Array(1...32)
        let keys = try #require(hash.keys(password: Secret("pencil"), salt: [9, 9, 9], iterations: 100))
        let credential = SCRAMCredential(
            number: 3, salt: [9, 9, 9], iterations: 100, storedKey: keys.storedKey, serverKey: keys.serverKey)
        for (seen, isRight) in [(ours, true), (ours.reversed(), false), ([], false)] {
            var session = SASLServerSession(
                mechanism: mechanism, context: Vector.all[1].context(binding: ours, offered: true))
            let header = "p=tls-server-end-point,a=anna,"
            #expect(
                session.start(initialResponse: Array("\(header)n=user,r=abc".utf8))
                    == .needCredentials(login: "user", authorizationID: "anna"))
            let first = try #require(text(session.provide([credential])))
            let final = clientFinal(
                hash: hash, password: "pencil", salt: [9, 9, 9], iterations: 100, bare: "n=user,r=abc",
                serverFirst: first,
                binding: Array(header.utf8) + seen)
            let step = session.respond(final)
            if isRight {
                #expect(text(step)?.hasPrefix("v=") == true)
                #expect(session.respond([]) == .succeeded(login: "user", authorizationID: "anna", credentialNumber: 3))
            } else {
                #expect(step == .failed(.channelBindingMismatch))
            }
        }
    }

    @Test("the binding flag cannot be changed on the way: c= repeats the header that was sent")
    func changedFlag() throws {
        let keys = try #require(SCRAMHash.sha256.keys(password: Secret("pencil"), salt: [9, 9, 9], iterations: 100))
        let credential = SCRAMCredential(
            number: 3, salt: [9, 9, 9], iterations: 100, storedKey: keys.storedKey, serverKey: keys.serverKey)
        var session = SASLServerSession(
            mechanism: .scramSHA256, context: Vector.all[1].context(binding: [1], offered: true))
        // The client said "y,,"; somebody made "n,," of it.
        _ = session.start(initialResponse: Array("n,,n=user,r=abc".utf8))
        let first = try #require(text(session.provide([credential])))
        let final = clientFinal(
            hash: .sha256, password: "pencil", salt: [9, 9, 9], iterations: 100, bare: "n=user,r=abc",
            serverFirst: first, binding: Array("y,,".utf8))
        #expect(session.respond(final) == .failed(.channelBindingMismatch))
    }

    @Test(
        "malformed first messages fail and do nothing else",
        arguments: [
            "", ",", ",,", "n", "n,", "n,,", "n,,n=", "n,,n=user", "n,,n=user,r=", "n,,r=abc,n=user", "x,,n=user,r=abc",
            "n,b=x,n=user,r=abc",
            "n,,n=us=er,r=abc", "n,,n=us=2Der,r=abc", "n,,n=user,r=a\u{7F}c", "nn,,n=user,r=abc", "p=,,n=user,r=abc",
            "n,a=,n=user,r=abc",
            "n,,n=us\u{0}er,r=abc",
        ])
    func malformedFirst(_ message: String) {
        var session = SASLServerSession(mechanism: .scramSHA256, context: Vector.all[1].context())
        guard case .failed(.malformed) = session.start(initialResponse: Array(message.utf8)) else {
            Issue.record("taken: \(message)")
            return
        }
    }

    @Test("commas and equal signs in names are written as RFC 5802 §5.1 says; m= is refused")
    func names() {
        var session = SASLServerSession(mechanism: .scramSHA256, context: Vector.all[1].context())
        #expect(
            session.start(initialResponse: Array("n,,n=a=2Cb=3Dc,r=x".utf8))
                == .needCredentials(login: "a,b=c", authorizationID: ""))
        var other = SASLServerSession(mechanism: .scramSHA256, context: Vector.all[1].context())
        #expect(other.start(initialResponse: Array("n,,m=x,n=a,r=x".utf8)) == .failed(.extensionUnsupported))
    }

    @Test(
        "malformed last messages fail",
        arguments: [
            "", "c=biws", "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAA", "c=biws,p=AAAA", "c=!,r=x,p=AAAA",
            "c=biws,r=x,p=!!!!", "c=biws,r=x,p=AA",
        ])
    func malformedFinal(_ message: String) {
        let vector = Vector.all[1]
        var session = SASLServerSession(mechanism: .scramSHA256, context: vector.context())
        _ = session.start(initialResponse: Array(vector.clientFirst.utf8))
        _ = session.provide([vector.credential()])
        guard case .failed(.malformed) = session.respond(Array(message.utf8)) else {
            Issue.record("taken: \(message)")
            return
        }
    }

    @Test("any one bit changed in the proof makes it wrong")
    func bits() {
        let vector = Vector.all[1]
        for place in vector.clientFinal.utf8.count - 30..<vector.clientFinal.utf8.count - 2 {
            var bytes = Array(vector.clientFinal.utf8)
            bytes[place] = bytes[place] == 0x41 ? 0x42 : 0x41
            var session = SASLServerSession(mechanism: .scramSHA256, context: vector.context())
            _ = session.start(initialResponse: Array(vector.clientFirst.utf8))
            _ = session.provide([vector.credential()])
            #expect(session.respond(bytes) == .failed(.wrongProof))
        }
    }
}
