import Foundation
import MartletServer
import Testing

@Suite("The log")
struct LogTests {
    @Test(
        "Text from outside cannot forge a line or drive a terminal",
        arguments: [
            ("plain", "peer=plain"), ("two words", "peer=\"two words\""), ("a\nb", #"peer="a\u{A}b""#),
            ("\u{1B}[2J", #"peer="\u{1B}[2J""#),
            ("say \"hi\"", #"peer="say \"hi\"""#), ("", #"peer="""#), ("a=b", "peer=\"a=b\""),
            ("\u{202E}x", #"peer="\u{202E}x""#), (#"a\b"#, #"peer="a\\b""#),
            // Neither an end of the field nor an escape that was not written by us.
            (#"x\" code=0000"#, #"peer="x\\\" code=0000""#), (#"\u{A}"#, #"peer="\\u{A}""#),
        ])
    func escaping(_ value: String, _ expected: String) throws {
        let line = LogLine.text(time: "T", level: "info", label: "smtp", message: "m", fields: [("peer", value)])
        #expect(line == "T info smtp: m \(expected)")
        let json = LogLine.json(time: "T", level: "info", label: "smtp", message: "m", fields: [("peer", value)])
        #expect(!json.contains("\n"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String])
        #expect(object["peer"] == value)
    }

    @Test("A log that is opened anew keeps its descriptor, which may be in use at that moment")
    func reopening() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString).log")
            .path
        defer { for name in [path, path + ".1"] { try? FileManager.default.removeItem(atPath: name) } }
        func descriptors(of path: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path
            }
        }
        let sink = LogSink(path: path, writesToStandardError: false)
        let before = try descriptors(of: path)
        #expect(before.count == 1)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        sink.reopen()
        #expect(try descriptors(of: path) == before)
        #expect(try descriptors(of: path + ".1").isEmpty)
        sink.write("new")
        sink.finish()
        #expect(FileManager.default.contents(atPath: path) == Data("new\n".utf8))
    }

    @Test("A sink writes every line once, in order, and nothing after it has finished")
    func sink() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString).log")
            .path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let sink = LogSink(path: path, writesToStandardError: false)
        for number in 0..<10_000 { sink.write("line \(number)") }
        sink.finish()
        sink.write("too late")
        let text = String(decoding: try #require(FileManager.default.contents(atPath: path)), as: UTF8.self)
        #expect(text.split(separator: "\n").map(String.init) == (0..<10_000).map { "line \($0)" })
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }
}
