import MartletCore
import Testing

import SMTPProtocol

@Suite struct ClientConversationTests {
    /// What a server says, each time when it has been asked.
    static let turns: [[String]] = [
        ["220-mx\r\n220 hi\r\n"], ["250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 STARTTLS\r\n"], ["220 go\r\n"],
        ["250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 SIZE 1000\r\n"],
        ["250 2.1.0 ok\r\n250-2.1.5 yes\r\n250 2.1.5 ok\r\n550 5.1.1 \u{1B}no ä\r\n354 go\n"], ["250 2.0.0 stored\r\n"],
        ["550 5.7.1 no\r\n503 eh\r\n503 eh\r\n503 eh\r\n"], ["221 bye\r\n"],
    ]

    /// Runs the conversation with the octets of each turn cut by `cut`.
    static func run(_ cut: ([UInt8]) -> [[UInt8]]) -> ClientDriver {
        let driver = ClientDriver()
        for (number, turn) in turns.enumerated() {
            if number == 4 || number == 6 {
                driver.begin(
                    .to(["anna@example.com", "nobody@example.com"]), content: ["Subject: x\r\n", "\r\n.\r\n"])
            }
            if number == 7 { driver.quit() }
            for text in turn {
                for piece in cut(Array(text.utf8)) { driver.feed(piece) }
            }
        }
        return driver
    }

    @Test("However the server's octets arrive, the session does the same")
    func chunks() {
        let whole = Self.run { [$0] }
        #expect(whole.results.map(\.summary).count == 2)
        #expect(whole.results.first?.summary == ["accepted at endOfContent", "refused 550 at RCPT"])
        #expect(whole.results.last?.summary == ["refused 550 at MAIL", "refused 550 at MAIL"])
        #expect(whole.isClosed && whole.failures.isEmpty)
        let bytes = Self.run { $0.map { [$0] } }
        #expect(bytes.sent == whole.sent)
        #expect(bytes.results == whole.results)
        for seed in UInt64(1)...100 {
            var generator = SplitMix(state: seed)
            let cut = Self.run { split($0, using: &generator) }
            #expect(cut.sent == whole.sent, "seed \(seed)")
            #expect(cut.results == whole.results, "seed \(seed)")
            #expect(cut.failures == whole.failures, "seed \(seed)")
        }
    }

    @Test("The transcript tells what was said, without content")
    func transcript() {
        let driver = Self.run { [$0] }
        #expect(
            driver.results.first?.transcript == [
                "< 220-mx", "< 220 hi", "> EHLO out.example.net", "< 250-mx", "< 250-PIPELINING", "< 250-8BITMIME",
                "< 250 STARTTLS", "> STARTTLS", "< 220 go", "* TLSv1.3 TLS_AES_128_GCM_SHA256",
                "> EHLO out.example.net", "< 250-mx", "< 250-PIPELINING", "< 250-DSN", "< 250 SIZE 1000",
                "> MAIL FROM:<ben@example.net> SIZE=21", "> RCPT TO:<anna@example.com>",
                "> RCPT TO:<nobody@example.com>", "> DATA", "< 250 2.1.0 ok", "< 250-2.1.5 yes", "< 250 2.1.5 ok",
                "< 550 5.1.1 \\x1bno ä", "< 354 go", "* 17 octets of message", "> .", "< 250 2.0.0 stored",
            ])
        #expect(
            driver.results.last?.transcript == [
                "* transaction 2 of this connection", "> MAIL FROM:<ben@example.net> SIZE=21",
                "> RCPT TO:<anna@example.com>", "> RCPT TO:<nobody@example.com>", "> DATA", "< 550 5.7.1 no",
                "< 503 eh", "< 503 eh", "< 503 eh",
            ])
    }

    @Test("A long transcript keeps its beginning and its end")
    func longTranscript() {
        let driver = ClientDriver.ready()
        let recipients = (0..<1_000).map { "user\($0)@example.com" }
        driver.begin(.to(recipients))
        driver.feed("250 ok\r\n" + String(repeating: "250 ok\r\n", count: 1_000) + "354 go\r\n")
        driver.feed("250 \(String(repeating: "x", count: 2_000))\r\n")
        let lines = driver.result?.transcript ?? []
        #expect(lines.count == SMTPClientLimits().maximumTranscriptLines + 1)
        #expect(lines.first == "< 220 mx.example.com ESMTP")
        #expect(lines[100] == "* 1813 lines left out")
        #expect(lines.dropLast().last == "> .")
        #expect(lines.allSatisfy { $0.utf8.count <= 520 })
        #expect(driver.result?.recipients.count { $0.isAccepted } == 1_000)
    }

    @Test("What is sent is what Martlet's own server takes, whatever the content")
    func ownServer() {
        for role in [SMTPServerSession.Role.relay, .lmtp] {
            for seed in UInt64(1)...100 {
                var generator = SplitMix(state: seed)
                let alphabet: [UInt8] = [0x0D, 0x0A, 0x2E, 0x61, 0x0D, 0x0A]
                let size = Int.random(in: 0...300, using: &generator)
                let content = (0..<size).map { _ in alphabet[Int.random(in: 0..<6, using: &generator)] }
                let client = ClientDriver(role == .lmtp ? .lmtp : .smtp)
                let server = SessionDriver(role: role)
                var told = 0
                func talk() {
                    while true {
                        let answer = server.output.replacing("<TLS>", with: "").utf8.dropFirst(told)
                        let sent = client.takeSent().replacing("<TLS>", with: "")
                        guard !answer.isEmpty || !sent.isEmpty else { return }
                        server.feed(sent)
                        told += answer.count
                        for piece in split(Array(answer), using: &generator) { client.feed(piece) }
                    }
                }
                talk()
                #expect(client.isReady && client.isEncrypted, "seed \(seed)")
                for isEarly in [true, false] {
                    let request = SMTPClientTransaction.to(
                        ["anna@example.com", "nobody@example.com"], size: isEarly ? size : 100_000)
                    client.begin(request, pieces: split(content, using: &generator) + [[]])
                    talk()
                }
                var expected: [UInt8] = []
                var encoder = ContentEncoder(form: .lines)
                content.withUnsafeBytes { encoder.encode($0, into: &expected) }
                encoder.finish(into: &expected)
                #expect(server.messages == [expected, expected], "seed \(seed)")
                #expect(
                    client.results.map(\.summary)
                        == Array(repeating: ["accepted at endOfContent", "refused 550 at RCPT"], count: 2),
                    "seed \(seed)")
            }
        }
    }

    @Test("Many recipients cost no more each than few")
    func manyRecipients() {
        let driver = ClientDriver.ready()
        driver.begin(.to((0..<20_000).map { "user\($0)@example.com" }))
        driver.feed("250 ok\r\n" + String(repeating: "250 ok\r\n", count: 20_000) + "354 go\r\n")
        driver.feed("250 ok\r\n")
        #expect(driver.result?.recipients.count { $0.isAccepted } == 20_000)
    }
}
