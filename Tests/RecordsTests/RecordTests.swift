import MartletCore
import Records
import Testing

@Suite struct RecordTests {
    static let at = Instant(year: 2026, month: 11, day: 24, hour: 12)
    static var full: Record {
        Record(
            code: LookupCode(at: at, counter: 77), kind: .message, at: at, service: "smtp",
            peer: Record.Peer(
                address: "192.0.2.7", helo: "mx.far.test",
                tls: TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", serverName: "a.test"),
                login: nil), sender: "a\"b\\@far.test", recipients: ["anna@one.test", "ünser@one.test"],
            messageID: "<1@far.test>", size: 4096,
            decisions: [
                Decision(
                    check: "recipient", outcome: .pass, summary: "The address\u{1B}[31m reaches one.",
                    evidence: [.init("by", "alias\nx")],
                    reference: "RFC 5321 §3.9", remedy: "none"),
                Decision(check: "delivery", outcome: .deliver, summary: "Put into one mailbox."),
            ],
            deliveries: [
                .init(
                    recipient: "anna@one.test", finalAddress: "anna@one.test", mailbox: "INBOX", uid: 4_294_967_295,
                    outcome: .deliver)
            ],
            reply: "250 2.0.0 Ok")
    }

    @Test("A record comes back from JSON as it went in")
    func roundTrip() { #expect(Record(json: Self.full.json()) == Self.full) }

    @Test(
        "What is no record gives nil",
        arguments: ["", "{", "[]", "{\"code\":1}", "nul", String(repeating: "[", count: 10_000)])
    func garbage(text: String) { #expect(Record(json: Array(text.utf8)) == nil) }

    @Test("Every truncation of a record is refused, none traps")
    func truncations() {
        let json = Self.full.json()
        for length in 0..<json.count { #expect(Record(json: Array(json[..<length])) == nil) }
    }

    @Test("An explanation has the facts, the decisions, the journey, and no control characters")
    func explanation() {
        let text = Explanation.text(for: Self.full)
        for part in [
            "192.0.2.7", "RFC 5321 §3.9", "what would change it: none", "INBOX", "UID 4294967295", "────▶",
            "\\u{1B}[31m", "TLSv1.3", "smtp: hello from mx.far.test",
        ] {
            #expect(text.contains(part), "missing: \(part)")
        }
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
    }

    @Test("The lines of a sequence diagram keep their lifelines in columns")
    func columns() {
        let lines = Explanation.text(for: Self.full).split(separator: "\n").filter { $0.contains("│") }
        #expect(lines.count > 8)
        for line in lines {
            let places = line.enumerated().filter { $0.element == "│" }.map(\.offset)
            #expect(places == [2, 37, 72], "\(line)")
        }
    }

    @Test("A lookup code reads back, in any case, with hyphens, and sorts by time")
    func lookupCode() throws {
        let code = LookupCode(at: Self.at, counter: 0x7F_FFFF)
        #expect(LookupCode(code.description.lowercased()) == code)
        let hyphened = code.description.prefix(4) + "-" + code.description.dropFirst(4)
        #expect(LookupCode(String(hyphened)) == code)
        #expect(code < LookupCode(at: Self.at + .milliseconds(1), counter: 0))
        #expect(code.time == Self.at)
        #expect(LookupCode("ZZZZZZZZZZZZZ") == nil)
        #expect(LookupCode("") == nil)
    }

    @Test("The ledger holds when both sides are equal")
    func ledger() {
        var ledger = Ledger()
        #expect(ledger.holds)
        ledger[.accepted] = 3
        #expect(ledger.drift == 3)
        ledger[.delivered] = 2
        ledger[.discarded] = 1
        #expect(ledger.holds)
    }
}
