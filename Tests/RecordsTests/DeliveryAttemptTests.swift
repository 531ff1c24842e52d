import MartletCore
import Records
import Testing

@Suite struct DeliveryAttemptTests {
    static let at = Instant(year: 2026, month: 11, day: 24, hour: 12)
    static var full: DeliveryAttempt {
        DeliveryAttempt(
            at: at, duration: .microseconds(1_234_567), destination: "xn--mnchen-3ya.test", host: "mx.far.test",
            address: "2001:db8::7", tls: TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"),
            decisions: [
                Decision(
                    check: "route", outcome: .pass, summary: "Two MX records.",
                    evidence: [.init("mx", "10 mx.far.test"), .init("mx", "20 \"\\odd\u{1B}[31m")],
                    reference: "RFC 5321 §5.1", remedy: "none")
            ],
            transcript: ["< 220 mx.far.test \u{1B}]0;x\u{07}", "> EHLO one.test", "* the connection broke off"],
            recipients: [
                .init(address: "ünser@far.test", outcome: .relayed, reply: "250 2.0.0 Ok"),
                .init(
                    address: "b@far.test", outcome: .delayed, reply: "451 4.7.1 \"later\"",
                    nextAttempt: at + .seconds(300)),
                .init(address: "c@far.test", outcome: .failed, reply: "550 5.1.1 no such user"),
            ])
    }
    static var bare: DeliveryAttempt { DeliveryAttempt(at: at, duration: .zero, destination: "[192.0.2.1]") }

    @Test("An attempt comes back from JSON as it went in", arguments: [full, bare])
    func roundTrip(attempt: DeliveryAttempt) { #expect(DeliveryAttempt(json: attempt.json()) == attempt) }

    @Test("A record comes back from JSON with its attempts")
    func recordRoundTrip() {
        var record = RecordTests.full
        record.attempts = [Self.full, Self.bare]
        #expect(Record(json: record.json()) == record)
    }

    @Test("Every truncation of an attempt is refused, none traps")
    func truncations() {
        let json = Self.full.json()
        for length in 0..<json.count { #expect(DeliveryAttempt(json: Array(json[..<length])) == nil) }
    }

    @Test(
        "What is no attempt gives nil",
        arguments: [
            "", "[]", "{}", #"{"at":1,"duration":2}"#, #"{"at":"1","duration":2,"destination":"x"}"#,
            #"{"at":1,"duration":2,"destination":3}"#,
        ])
    func garbage(text: String) { #expect(DeliveryAttempt(json: Array(text.utf8)) == nil) }

    @Test("Recipients that make no sense are left out, unknown members are ignored")
    func leniency() throws {
        let json = #"""
            {"at":1,"duration":2,"destination":"x","new":[1],"recipients":[{"address":"a","outcome":"eaten","reply":"r"},
            {"address":"b","outcome":"failed","reply":"r","more":1}, 7],"transcript":["a",1]}
            """#
        let attempt = try #require(DeliveryAttempt(json: Array(json.utf8)))
        #expect(attempt.recipients == [.init(address: "b", outcome: .failed, reply: "r")])
        #expect(attempt.transcript == ["a"])
    }

    @Test("An explanation tells each attempt: where, with what encryption, what came of whom, and the lines")
    func explanation() {
        var record = RecordTests.full
        record.deliveries = ["ünser@far.test", "b@far.test", "c@far.test"].map {
            .init(recipient: $0, finalAddress: $0, outcome: .queue)
        }
        record.decisions = [Decision(check: "relay", outcome: .queue, summary: "Queued.")]
        record.attempts = [Self.bare, Self.full]
        let text = Explanation.text(for: record)
        for part in [
            "of 3 recipients elsewhere 1 handed on, 1 failed, 1 waiting",
            "Attempt 1, 2026-11-24T12:00:00", "to [192.0.2.1], no encryption",
            "Attempt 2, ", "to xn--mnchen-3ya.test by mx.far.test [2001:db8::7], TLSv1.3, TLS_AES_128_GCM_SHA256",
            "ünser@far.test: relayed. 250 2.0.0 Ok",
            "b@far.test: delayed. 451 4.7.1 \"later\" Tried again at 2026-11-24T12:05",
            "c@far.test: failed. 550 5.1.1 no such user", "route: pass. Two MX records.", "mx: 10 mx.far.test",
            "< 220 mx.far.test \\u{1B}]0;x\\u{7}", "> EHLO one.test", "* the connection broke off",
        ] {
            #expect(text.contains(part), "missing: \(part)")
        }
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
    }
}
