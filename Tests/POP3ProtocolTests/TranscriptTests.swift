import MartletBytes
import MartletCore
import POP3Protocol
import Testing

/// A driver in memory: answers the machine's questions from tables, so that a transcript is bytes in and bytes out.
struct MemoryDriver: ~Copyable {
    var machine: POP3ServerSession
    var reader = POP3LineReader()
    var output: [UInt8] = []
    var isClosed = false
    var isTLS = false
    /// UIDs that QUIT removed.
    var removed: [UInt32] = []
    var messages: [(uid: UInt32, content: [UInt8])]
    var removalFails = false
    var password = "tanstaaf"

    init(messages: [(uid: UInt32, content: [UInt8])], options: POP3ServerSession.Options) {
        self.messages = messages
        machine = POP3ServerSession(options)
        output = machine.greeting()
    }

    mutating func feed(_ bytes: some Sequence<UInt8>) {
        reader.append(bytes)
        while !isClosed, let line = reader.next() {
            switch line {
            case .line(let bytes): perform(machine.received(bytes))
            case .tooLong: perform(machine.receivedTooLongLine())
            }
        }
    }

    mutating func perform(_ action: POP3Action) {
        switch action {
        case .reply(let bytes): output += bytes
        case .close(let bytes):
            output += bytes
            isClosed = true
        case .listing(let head):
            output += head
            while let piece = machine.nextListingPiece() { output += piece }
        case .startTLS(let reply):
            output += reply
            reader.removeAll()
            isTLS = true
            machine.tlsEstablished(.init(allowsPlaintext: true, mechanisms: ["PLAIN"], canStartTLS: false))
        case .login(let user, let secret): perform(check(user == "mrose" && secret == Secret(password)))
        case .startExchange("PLAIN", nil): perform(machine.challenged([]))
        case .startExchange("PLAIN", let response?): perform(check(response == Array("\0mrose\0\(password)".utf8)))
        case .startExchange: perform(machine.loginFailed(.other("Unknown authentication mechanism")))
        case .continueExchange(let bytes): perform(check(bytes == Array("\0mrose\0\(password)".utf8)))
        case .cancelExchange: perform(machine.loginFailed(.other("Cancelled")))
        case .sendMessage(let uid, _, let lines, _):
            guard let message = messages.first(where: { $0.uid == uid }) else {
                output += machine.messageFailed(.gone)
                return
            }
            output += Array("+OK \(message.content.count) octets\r\n".utf8)
            var writer = POP3MessageWriter(lines: lines)
            output += writer.write(message.content)
            output += writer.finish()
        case .update(let uids):
            if !removalFails { removed = uids }
            perform(machine.updated(succeeded: !removalFails))
        }
    }

    private mutating func check(_ isRight: Bool) -> POP3Action {
        guard isRight else { return machine.loginFailed(.credentials("Authentication failed")) }
        return machine.loginSucceeded(
            POP3Maildrop(uidValidity: 7, uids: messages.map(\.uid), sizes: messages.map { UInt32($0.content.count) }))
    }
}

let plainOptions = POP3ServerSession.Options(
    allowsPlaintext: true, mechanisms: ["SCRAM-SHA-256", "PLAIN"], canStartTLS: true)
let first = Array("Subject: one\r\n\r\n".utf8) + [UInt8](repeating: 0x61, count: 102) + Array("\r\n".utf8)
let second = Array("Subject: two\r\n\r\n.dot\r\n".utf8) + [UInt8](repeating: 0x62, count: 176) + Array("\r\n".utf8)

/// Runs a session; the answers are joined lines without the greeting.
func converse(_ input: String, _ change: (inout MemoryDriver) -> Void = { _ in }) -> (
    text: String, removed: [UInt32], isClosed: Bool
) {
    var driver = MemoryDriver(messages: [(11, first), (15, second)], options: plainOptions)
    change(&driver)
    let greeting = driver.output.count
    driver.feed(input.utf8)
    return (String(decoding: driver.output[greeting...], as: UTF8.self), driver.removed, driver.isClosed)
}

@Suite struct TranscriptTests {
    @Test("the session of RFC 1939 §10, with USER and PASS, gets the replies of its states")
    func rfc1939Session() {
        let (text, removed, isClosed) = converse(
            "USER mrose\r\nPASS tanstaaf\r\nSTAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n")
        #expect(first.count == 120 && second.count == 200)
        let expected =
            "+OK Password please\r\n+OK 2 messages (320 octets)\r\n+OK 2 320\r\n+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n"
            + "+OK 120 octets\r\n" + String(decoding: first, as: UTF8.self)
            + ".\r\n+OK Message 1 deleted\r\n+OK 200 octets\r\n"
            + String(decoding: second, as: UTF8.self).replacing("\r\n.dot", with: "\r\n..dot")
            + ".\r\n+OK Message 2 deleted\r\n+OK Bye\r\n"
        #expect(text == expected)
        #expect(removed == [11, 15])
        #expect(isClosed)
    }

    @Test("whole, byte by byte and randomly split input give the same answers")
    func chunks() {
        let input = Array(
            ("CAPA\r\nAUTH PLAIN\r\n\("AG1yb3NlAHRhbnN0YWFm")\r\nUIDL\r\nTOP 2 1\r\nLIST 2\r\nXYZ\r\nDELE 1\r\nLIST\r\nRSET\r\nLIST\r\n"
                + String(repeating: "x", count: 20_000) + "\r\nNOOP\r\nDELE 2\r\nQUIT\r\n").utf8)
        var whole = MemoryDriver(messages: [(11, first), (15, second)], options: plainOptions)
        whole.feed(input)
        #expect(whole.isClosed && whole.removed == [15])
        var drip = MemoryDriver(messages: [(11, first), (15, second)], options: plainOptions)
        for byte in input { drip.feed([byte]) }
        #expect(drip.output == whole.output)
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        for _ in 0..<100 {
            var split = MemoryDriver(messages: [(11, first), (15, second)], options: plainOptions)
            var rest = input[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...300, using: &generator))
                split.feed(piece)
                rest = rest.dropFirst(piece.count)
            }
            #expect(split.output == whole.output, "seed \(seed)")
        }
    }

    @Test("UIDL is validity and UID, and does not change with deletions")
    func uniqueIDs() {
        let login = "USER mrose\r\nPASS tanstaaf\r\n"
        let skipped = "+OK Password please\r\n+OK 2 messages (320 octets)\r\n"
        #expect(converse(login + "UIDL\r\n").text == skipped + "+OK\r\n1 7.11\r\n2 7.15\r\n.\r\n")
        #expect(
            converse(login + "DELE 1\r\nUIDL\r\nUIDL 2\r\nUIDL 1\r\n").text
                == skipped + "+OK Message 1 deleted\r\n+OK\r\n2 7.15\r\n.\r\n+OK 2 7.15\r\n-ERR No such message\r\n")
    }

    @Test(
        "what does not fit gets -ERR",
        arguments: [
            ("STAT", "-ERR Log in first"), ("PASS x", "-ERR USER comes first"), ("USER", "-ERR Wrong arguments"),
            ("FOO", "-ERR Unknown command"),
            ("", "-ERR Unknown command"), ("AUTH X-NONE", "-ERR Unknown authentication mechanism"),
            ("AUTH PLAIN !!", "-ERR Argument cannot be read"),
            ("AUTH PLAIN a b", "-ERR Wrong arguments"), ("QUIT now", "-ERR Wrong arguments"),
            ("USER \u{1}", "-ERR Argument cannot be read"),
            ("USER mrose\r\nPASS wrong", "+OK Password please\r\n-ERR [AUTH] Authentication failed"),
            ("USER mrose\r\nPASS tanstaaf ", "+OK Password please\r\n-ERR [AUTH] Authentication failed"),
            ("AUTH PLAIN\r\n*", "+ \r\n-ERR Cancelled"), ("AUTH PLAIN\r\n?", "+ \r\n-ERR Cancelled"),
        ])
    func refusals(input: String, expected: String) {
        #expect(converse(input + "\r\n").text == expected + "\r\n")
    }

    @Test(
        "message numbers that name nothing get -ERR in TRANSACTION",
        arguments: [
            ("RETR 0", "-ERR No such message"), ("RETR 3", "-ERR No such message"),
            ("RETR 99999999999999999999", "-ERR Wrong arguments"),
            ("RETR -1", "-ERR Wrong arguments"), ("DELE", "-ERR Wrong arguments"), ("TOP 1", "-ERR Wrong arguments"),
            ("TOP 1 -1", "-ERR Wrong arguments"), ("DELE 1\r\nDELE 1", "+OK Message 1 deleted\r\n-ERR No such message"),
            ("DELE 2\r\nRETR 2", "+OK Message 2 deleted\r\n-ERR No such message"),
            ("USER a", "-ERR You are logged in already"),
            ("STLS", "-ERR You are logged in already"), ("UTF8", "-ERR You are logged in already"),
        ])
    func transactionRefusals(input: String, expected: String) {
        let (text, _, _) = converse("USER mrose\r\nPASS tanstaaf\r\n" + input + "\r\n")
        #expect(text == "+OK Password please\r\n+OK 2 messages (320 octets)\r\n" + expected + "\r\n")
    }

    @Test("a password with spaces is taken whole")
    func passwordWithSpaces() {
        #expect(
            converse("USER mrose\r\nPASS two words \r\n") { $0.password = "two words " }.text.contains("2 messages"))
    }

    @Test("a removal that fails is told, and so is one that another session made")
    func failures() {
        let failed = converse("USER mrose\r\nPASS tanstaaf\r\nDELE 1\r\nQUIT\r\n") { $0.removalFails = true }
        #expect(failed.text.hasSuffix("-ERR [SYS/TEMP] Deleted messages were not removed\r\n") && failed.isClosed)
        let login = "USER mrose\r\nPASS tanstaaf\r\n"
        var driver = MemoryDriver(messages: [(11, first), (15, second)], options: plainOptions)
        driver.feed(login.utf8)
        driver.messages.removeFirst()
        driver.output = []
        driver.feed("RETR 1\r\nNOOP\r\n".utf8)
        #expect(
            String(decoding: driver.output, as: UTF8.self) == "-ERR Message was removed by another session\r\n+OK\r\n")
    }

    @Test("STLS begins a new session: the name and what stood behind the command are forgotten")
    func startTLS() {
        var driver = MemoryDriver(messages: [(11, first)], options: plainOptions)
        driver.output = []
        driver.feed("USER mrose\r\nSTLS\r\nPASS tanstaaf\r\n".utf8)
        #expect(driver.isTLS == true)
        driver.feed("PASS tanstaaf\r\nSTLS\r\n".utf8)
        #expect(
            String(decoding: driver.output, as: UTF8.self)
                == "+OK Password please\r\n+OK Begin TLS\r\n-ERR USER comes first\r\n-ERR TLS is not available\r\n")
    }

    @Test("without TLS, USER is refused and CAPA does not show it")
    func plaintextRefused() {
        var driver = MemoryDriver(
            messages: [], options: .init(allowsPlaintext: false, mechanisms: ["SCRAM-SHA-256"], canStartTLS: true))
        driver.output = []
        driver.feed("CAPA\r\nUSER mrose\r\nAUTH\r\n".utf8)
        let expected =
            "+OK Capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nUTF8 USER\r\n"
            + "SASL SCRAM-SHA-256\r\nSTLS\r\nIMPLEMENTATION Martlet\r\n.\r\n-ERR [AUTH] Use TLS before you send a password\r\n"
            + "+OK Mechanisms follow\r\nSCRAM-SHA-256\r\n.\r\n"
        #expect(String(decoding: driver.output, as: UTF8.self) == expected)
    }

    @Test("too many errors and too many failed logins end the connection")
    func limits() {
        let errors = converse(String(repeating: "FOO\r\n", count: POP3Limits.errors + 5))
        #expect(errors.isClosed && errors.text.hasSuffix("-ERR Too many errors\r\n"))
        #expect(errors.text.split(separator: "\r\n").count == POP3Limits.errors)
        let logins = converse(String(repeating: "USER mrose\r\nPASS no\r\n", count: POP3Limits.loginFailures + 2))
        #expect(logins.isClosed && logins.text.split(separator: "\r\n").count == 2 * POP3Limits.loginFailures)
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
