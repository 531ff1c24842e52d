import Foundation
import Logging
import MartletServer
import Testing

@Suite("Entries of the journal")
struct JournalTests {
    private static func text(_ entry: JournalEntry) -> String { String(decoding: entry.bytes, as: UTF8.self) }

    @Test("What belongs to an event is a field of its own, and stands in the message too")
    func fields() {
        let entry = JournalEntry(
            level: .info, label: "smtp", message: "accepted", fields: [("code", "0D9ZK3V7QW2XA"), ("peer-name", "a b")])
        #expect(
            Self.text(entry) == """
                MESSAGE=smtp: accepted code=0D9ZK3V7QW2XA peer-name="a b"
                PRIORITY=6
                SYSLOG_IDENTIFIER=martlet
                MARTLET_LOGGER=smtp
                MARTLET_CODE=0D9ZK3V7QW2XA
                MARTLET_PEER_NAME=a b

                """)
    }

    @Test("A value with a line end is told with its length, so that no field can be forged")
    func lineEnds() throws {
        let value = "one\nPRIORITY=0"
        let bytes = JournalEntry(level: .error, label: "x", message: "m", fields: [("reason", value)]).bytes
        let expected = Array("MARTLET_REASON\n".utf8) + [14, 0, 0, 0, 0, 0, 0, 0] + Array((value + "\n").utf8)
        #expect(Array(bytes.suffix(expected.count)) == expected)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("MESSAGE=x: m reason=\"one\\u{A}PRIORITY=0\"\nPRIORITY=3\n"))
    }

    @Test(
        "Levels are those of syslog",
        arguments: [
            (.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
        ] as [(Logger.Level, Int)])
    func priorities(_ level: Logger.Level, _ expected: Int) {
        let entry = JournalEntry(level: level, label: "x", message: "m", fields: [])
        #expect(Self.text(entry).contains("\nPRIORITY=\(expected)\n"))
    }

    @Test("Long values are cut between characters, and names are made of what the journal takes")
    func bounds() {
        let entry = JournalEntry(
            level: .info, label: "x", message: "m",
            fields: [("ä" + String(repeating: "k", count: 200), String(repeating: "€", count: 4_000))])
        let last = Self.text(entry).split(separator: "\n").last ?? ""
        #expect(last.hasPrefix("MARTLET___KKK"))
        let parts = last.split(separator: "=")
        #expect(parts[0].utf8.count <= 64)
        #expect(parts[1].utf8.count == 4_095 && parts[1].allSatisfy { $0 == "€" })
        let many = JournalEntry(
            level: .info, label: "x", message: "m",
            fields: (0..<200).map { ("k\($0)", String(repeating: "v", count: 5_000)) })
        // A datagram of the journal's socket takes some 200 kB by default.
        #expect(many.bytes.count < 160_000)
    }

    @Test("Where nobody listens there is no socket, and standard error is not taken for the journal by mistake")
    func absence() {
        #expect(JournalSocket(path: "/nonexistent/journal") == nil)
        #expect(JournalSocket(path: String(repeating: "x", count: 200)) == nil)
        #expect(!JournalSocket.takesStandardError(nil))
        #expect(!JournalSocket.takesStandardError("0:0"))
        #expect(!JournalSocket.takesStandardError("garbage"))
    }
}
