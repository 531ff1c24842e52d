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
            ("\u{202E}x", #"peer="\u{202E}x""#),
        ])
    func escaping(_ value: String, _ expected: String) throws {
        let line = LogLine.text(time: "T", level: "info", label: "smtp", message: "m", fields: [("peer", value)])
        #expect(line == "T info smtp: m \(expected)")
        let json = LogLine.json(time: "T", level: "info", label: "smtp", message: "m", fields: [("peer", value)])
        #expect(!json.contains("\n"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String])
        #expect(object["peer"] == value)
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
