import MartletCore
import SASLMechanisms
import Testing

func start(_ mechanism: SASLMechanism, _ messages: [UInt8]?...) -> SASLStep {
    var session = SASLServerSession(mechanism: mechanism, context: Vector.all[0].context())
    var step = session.start(initialResponse: messages.first ?? nil)
    for message in messages.dropFirst() { step = session.respond(message ?? []) }
    return step
}

@Suite struct PlainTests {
    @Test("PLAIN gives name, password and the identity to act as (RFC 4616 §4)")
    func plain() {
        #expect(
            start(.plain, Array("\0tim\0tanstaaftanstaaf".utf8))
                == .verifyPassword(login: "tim", authorizationID: "", Secret("tanstaaftanstaaf")))
        #expect(
            start(.plain, nil, Array("Ursel\0Kurt\0xipj3plmq".utf8))
                == .verifyPassword(login: "Kurt", authorizationID: "Ursel", Secret("xipj3plmq")))
        #expect(start(.plain, nil) == .challenge([]))
    }

    @Test("LOGIN asks for name and password, and takes the name as initial response")
    func login() {
        #expect(start(.login, nil) == .challenge(Array("Username:".utf8)))
        #expect(start(.login, nil, Array("tim".utf8)) == .challenge(Array("Password:".utf8)))
        let done = SASLStep.verifyPassword(login: "tim", authorizationID: "", Secret("pw"))
        #expect(start(.login, nil, Array("tim".utf8), Array("pw".utf8)) == done)
        #expect(start(.login, Array("tim".utf8), Array("pw".utf8)) == done)
        #expect(start(.login, nil, []) == .failed(.malformed(rule: "a login name in UTF-8")))
        #expect(start(.login, nil, Array("tim".utf8), []) == .failed(.malformed(rule: "a password")))
    }

    @Test(
        "malformed PLAIN messages fail",
        arguments: [
            [UInt8](), [0], [0, 0], Array("tim\0pw".utf8), Array("\0\0pw".utf8), Array("\0tim\0".utf8),
            Array("\0tim\0pw\0".utf8), Array("a\0b\0c\0d".utf8),
            [0, 0xFF, 0, 0x61], Array("\0t\nim\0pw".utf8),
        ])
    func malformed(_ message: [UInt8]) {
        guard case .failed(.malformed) = start(.plain, message) else {
            Issue.record("taken: \(message)")
            return
        }
    }

    @Test("names, passwords and messages over their limit fail")
    func limits() {
        func plain(_ name: Int, _ password: Int) -> [UInt8] {
            [0] + [UInt8](repeating: 0x61, count: name) + [0] + [UInt8](repeating: 0x62, count: password)
        }
        guard case .verifyPassword = start(.plain, plain(SASLLimits.name, SASLLimits.password)) else {
            Issue.record("the limit itself is refused")
            return
        }
        #expect(start(.plain, plain(SASLLimits.name + 1, 1)) == .failed(.tooLong))
        #expect(start(.plain, plain(1, SASLLimits.password + 1)) == .failed(.tooLong))
        #expect(start(.scramSHA1, [UInt8](repeating: 0x61, count: SASLLimits.message + 1)) == .failed(.tooLong))
    }

    @Test("a cancelled exchange is over")
    func cancel() {
        var session = SASLServerSession(mechanism: .login, context: Vector.all[0].context())
        _ = session.start(initialResponse: nil)
        #expect(session.cancel() == .failed(.cancelled))
        #expect(session.respond(Array("tim".utf8)) == .failed(.malformed(rule: "an exchange in progress")))
    }

    @Test(
        "SASLprep prepares as RFC 4013 §3 shows",
        arguments: [
            ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"), ("\u{7}", nil),
            ("", nil), ("a\u{A0}b", "a b"),
            ("u\u{308}", "ü"), ("\u{AD}", nil), ("a\u{200B}b", "a b"), ("\u{E000}", nil), ("\u{202E}x", nil),
        ] as [(String, String?)])
    func prepares(text: String, expected: String?) {
        #expect(SASLprep.prepare(text).map { Array($0.utf8) } == expected.map { Array($0.utf8) })
        #expect(SASLprep.prepare(Array(text.utf8)) == expected.map { Array($0.utf8) })
    }

    @Test("bytes that are no UTF-8 cannot be prepared")
    func notUTF8() { #expect(SASLprep.prepare([0x61, 0xFF]) == nil) }

    @Test("mechanism names are read in any case")
    func names() {
        for mechanism in SASLMechanism.allCases {
            #expect(SASLMechanism(name: mechanism.rawValue.lowercased()) == mechanism)
        }
        #expect(SASLMechanism(name: "CRAM-MD5") == nil)
    }
}
