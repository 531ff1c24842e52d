import IMAPProtocol
import MartletCore
import Testing

private typealias Fetched = ServerResponse.Fetched

struct ResponseCase: CustomTestStringConvertible, Sendable {
    let wire: String
    let events: [ResponseDecoder.Event]
    var testDescription: String { wire }
}

private func fetched(
    _ number: UInt32, uid: UInt32? = nil, flags: [String]? = nil, date: Instant? = nil, body: Fetched.Body = .absent
) -> ResponseDecoder.Event {
    var value = Fetched(sequenceNumber: number)
    value.uid = uid
    value.flags = flags
    value.internalDate = date
    value.body = body
    return .response(.fetch(value))
}

private func listed(_ attributes: [String], _ delimiter: Character?, _ name: String) -> ResponseDecoder.Event {
    .response(
        .list(
            ServerResponse.Listed(
                attributes: attributes, delimiter: delimiter?.asciiValue, name: Array(name.utf8))))
}

private let moment = Instant(year: 2026, month: 11, day: 4, hour: 11, minute: 41, second: 21)

private let cases: [ResponseCase] = [
    ResponseCase(
        wire: "* OK [CAPABILITY IMAP4rev1 auth=PLAIN] hello\r\n",
        events: [.response(.status(.ok, code: ["CAPABILITY", "IMAP4REV1", "AUTH=PLAIN"], text: "hello"))]),
    ResponseCase(wire: "* BYE\r\n", events: [.response(.status(.bye, code: [], text: ""))]),
    ResponseCase(
        wire: "a1 no [AUTHENTICATIONFAILED] wrong\r\n",
        events: [.response(.tagged(tag: "a1", .no, code: ["AUTHENTICATIONFAILED"], text: "wrong"))]),
    ResponseCase(
        wire: "* OK [UIDVALIDITY 17] valid\n",
        events: [.response(.status(.ok, code: ["UIDVALIDITY", "17"], text: "valid"))]),
    ResponseCase(wire: "+ \r\n+ ready\r\n+\r\n", events: ["", "ready", ""].map { .response(.continuation(text: $0)) }),
    ResponseCase(wire: "* CAPABILITY IMAP4rev1 X\r\n", events: [.response(.capability(["IMAP4REV1", "X"]))]),
    ResponseCase(wire: "* 12 EXISTS\r\n* 3 EXPUNGE\r\n", events: [.response(.exists(12)), .response(.expunge(3))]),
    ResponseCase(
        wire: "* LIST (\\HasNoChildren \\Sent) \"/\" \"a \\\" b\"\r\n",
        events: [listed(["\\HasNoChildren", "\\Sent"], "/", "a \" b")]),
    ResponseCase(wire: "* LIST () NIL INBOX\r\n", events: [listed([], nil, "INBOX")]),
    ResponseCase(wire: "* LIST () \".\" {5}\r\na(b)c\r\n", events: [listed([], ".", "a(b)c")]),
    ResponseCase(wire: "* LIST () \"\\\\\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n", events: [listed([], "\\", "x")]),
    ResponseCase(
        wire:
            "* 3 FETCH (UID 7 FLAGS (\\Seen $x) INTERNALDATE \" 4-Nov-2026 12:41:21 +0100\" BODY[] {5}\r\nab\r\n) X (1 (2)))\r\n",
        events: [
            .bodyBegan(octets: 5), .body(Array("ab\r\n)".utf8)),
            fetched(3, uid: 7, flags: ["\\Seen", "$x"], date: moment, body: .streamed),
        ]),
    ResponseCase(
        wire: "* 3 FETCH (BODY[HEADER.FIELDS (A B)] {3}\r\nA:b BODY[] {0}\r\n UID 9)\r\n",
        events: [.bodyBegan(octets: 0), fetched(3, uid: 9, body: .streamed)]),
    ResponseCase(wire: "* 3 FETCH (UID 7 BODY[] NIL)\r\n", events: [fetched(3, uid: 7, body: .none)]),
    ResponseCase(wire: "* 3 FETCH (UID 7 BODY[] \"x\")\r\n", events: [fetched(3, uid: 7, body: .text([0x78]))]),
    ResponseCase(wire: "* 3 FETCH (FLAGS ())\r\n", events: [fetched(3, flags: [])]),
    ResponseCase(wire: "* 99999999999 EXISTS\r\n", events: [.response(.other)]),
    ResponseCase(wire: "* 3 FETCH (UID\r\n", events: [.response(.other)]),
    ResponseCase(wire: "* 3 FETCH (FLAGS (\\Seen UID 3)\r\n", events: [.response(.other)]),
    ResponseCase(wire: "\r\n", events: [.response(.other)]), ResponseCase(wire: "* \r\n", events: [.response(.other)]),
    ResponseCase(wire: "* LIST (a \"/\" b\r\n", events: [.response(.other)]),
    ResponseCase(
        wire: "* X {3}\r\na\r\n\r\n* OK x\r\n",
        events: [.response(.other), .response(.status(.ok, code: [], text: "x"))]),
]

@Suite struct ResponseDecoderTests {
    private func decode(_ wire: [UInt8], pieces: Int) throws -> [ResponseDecoder.Event] {
        var decoder = ResponseDecoder()
        var events: [ResponseDecoder.Event] = []
        var rest = wire[...]
        while !rest.isEmpty {
            decoder.append(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
            while let event = try decoder.next() {
                if case .body(let more) = event, case .body(let before)? = events.last {
                    events[events.count - 1] = .body(before + more)
                } else {
                    events.append(event)
                }
            }
        }
        #expect(decoder.isEmpty)
        return events
    }

    @Test(arguments: cases) func `a response is read as`(_ example: ResponseCase) throws {
        for size in [Int.max, 1, 2, 3, 7] {
            #expect(try decode(Array(example.wire.utf8), pieces: size) == example.events, "pieces of \(size)")
        }
    }

    @Test func `the text of a message costs no memory`() throws {
        var decoder = ResponseDecoder()
        decoder.append(Array("* 1 FETCH (BODY[] {100000000}\r\n".utf8))
        var seen = 0
        for _ in 0..<1_000 {
            decoder.append([UInt8](repeating: 0x61, count: 100_000))
            while let event = try decoder.next() { if case .body(let piece) = event { seen += piece.count } }
            #expect(decoder.heldBytes < 200_000)
        }
        #expect(seen == 100_000_000)
    }

    @Test(arguments: ["* X ", "* X {99999999}\r\n", "* 1 FETCH (X {99999999}\r\n"])
    func `another long response is refused`(_ beginning: String) {
        var decoder = ResponseDecoder()
        decoder.append(Array(beginning.utf8))
        #expect(throws: ResponseDecoder.Failure.tooLong) {
            for _ in 0..<100 {
                decoder.append([UInt8](repeating: 0x61, count: 100_000))
                while try decoder.next() != nil {}
            }
        }
    }

    @Test func `values inside each other are bounded`() throws {
        let deep = String(repeating: "(", count: 100_000)
        #expect(try decode(Array("* 1 FETCH \(deep)\r\n".utf8), pieces: .max) == [.response(.other)])
    }
}
