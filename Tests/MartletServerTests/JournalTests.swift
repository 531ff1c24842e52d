import Foundation
import Glibc
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

    @Test("A journal that takes nothing holds up a batch once, and what nobody took is counted and said")
    func stalled() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let reader = try #require(JournalReader(folder + "/journal"))
        // It takes no octet.
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        defer { close(full) }
        let sink = LogSink(
            path: folder + "/log", journal: try #require(JournalSocket(path: folder + "/journal")), standardError: full)
        func write(_ text: String) {
            sink.write(text, entry: JournalEntry(level: .info, label: "x", message: text, fields: []).bytes)
        }
        // The kernel keeps some hundreds of datagrams for one who does not read.
        let count = 2_000
        let began = ContinuousClock.now
        for number in 0..<count { write("line \(number)") }
        sink.flush()
        #expect(ContinuousClock.now - began < .seconds(30))
        // The file has everything.
        let file = String(decoding: try #require(FileManager.default.contents(atPath: folder + "/log")), as: UTF8.self)
        #expect(file.split(separator: "\n").map(String.init) == (0..<count).map { "line \($0)" })
        let taken = reader.read()
        #expect(taken.first?.hasPrefix("MESSAGE=x: line 0\n") == true)
        #expect(taken.count < count)
        write("after")
        sink.finish()
        let later = reader.read()
        #expect(later.count == 2)
        let notice = "MESSAGE=log: \(count - taken.count) log lines are missing here: nobody took them in time; "
        #expect(later.first?.hasPrefix(notice + "the log file has them\n") == true, "\(later)")
        #expect(later.last?.hasPrefix("MESSAGE=x: after\n") == true)
    }

    @Test("Where there is no journal, what standard error did not take is said with the next line")
    func standardError() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let sink = LogSink(path: nil, standardError: ends[1])
        // More than a pipe takes.
        let line = String(repeating: "x", count: 999)
        for _ in 0..<200 { sink.write(line) }
        sink.flush()
        func read() -> String {
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            let count = Glibc.read(ends[0], &buffer, buffer.count)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
        let whole = read().utf8.count { $0 == UInt8(ascii: "\n") }
        #expect(whole > 0 && whole < 200)
        sink.write("after")
        sink.finish()
        #expect(read() == "… \(200 - whole) log lines are missing here: nobody took them in time\nafter\n")
    }
}

/// A socket as the journal's, which is read when the test wants.
private final class JournalReader {
    private let descriptor: Int32

    init?(_ path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
        }
        guard isBound else { return nil }
    }

    deinit { close(descriptor) }

    /// What has come.
    func read() -> [String] {
        var entries: [String] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return entries }
            entries.append(String(decoding: buffer.prefix(count), as: UTF8.self))
        }
    }
}
