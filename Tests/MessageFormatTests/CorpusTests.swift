import Foundation
import MessageFormat
import Testing

/// Every message of the vectors and of the SpamAssassin corpus: nothing traps, places are inside the message and in order, wire
/// forms are what the grammar says, in LF as they are and in CRLF as SMTP gives them.
@Suite struct CorpusTests {
    static let folders: [(String, Int)] = [
        ("mime/mimekit", 21), ("mime/cpython", 24), ("mime/ruby-mail", 52), ("mime/mail-parser", 27),
        ("mime/mime4j", 15),
        ("corpus/ham", 430), ("corpus/spam", 270),
    ]

    @Test(
        "all messages of a folder keep the invariants",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)), arguments: folders)
    func invariants(folder: String, count: Int) throws {
        let suffixes = folder == "mime/mime4j" ? [".msg"] : [".eml", ".txt"]
        let files = Vectors.files(below: folder) { name in
            suffixes.contains { name.hasSuffix($0) } && !name.contains("LICENSE")
        }
        #expect(files.count == count)
        var faults: [String] = []
        for file in files {
            let message = try Vectors.read(file)
            for (form, bytes) in [
                ("as it is", message), ("CRLF", withCRLF(message)), ("cut", Array(message.prefix(message.count / 2))),
            ] {
                if let fault = Invariants.fault(bytes) { faults.append("\(file) \(form): \(fault)") }
            }
            // A line end more or less changes no tree.
            let outline = MessageStructure.parse(message).root.outline
            let other = MessageStructure.parse(withCRLF(message)).root.outline
            if outline != other { faults.append("\(file): \(outline) with LF, \(other) with CRLF") }
        }
        #expect(faults == [])
    }

    @Test(
        "ordinary mail of the corpus is understood: sender, date and text are there",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func understood() throws {
        let files = Vectors.files(below: "corpus/ham")
        var senders = 0
        var dates = 0
        var previews = 0
        for file in files {
            let summary = MessageSummary.make(try Vectors.read(file))
            if !summary.from.isEmpty { senders += 1 }
            if summary.sentDate != nil { dates += 1 }
            if !summary.preview.isEmpty { previews += 1 }
        }
        #expect(senders == files.count)
        #expect(dates == files.count)
        #expect(previews >= files.count - 5)
    }

    @Test(
        "octets changed at random in real messages break no invariant",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func mutations() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        let files = Vectors.files(below: "mime") { $0.hasSuffix(".eml") || $0.hasSuffix(".msg") }
        let special = bytes("\r\n\r\n--:;,<>()\"\\=?*'@ \t\0\u{80}")
        var faults: [String] = []
        for file in files {
            let original = try Vectors.read(file)
            guard !original.isEmpty else { continue }
            for _ in 0..<20 {
                var message = original
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    let place = Int.random(in: 0..<message.count, using: &random)
                    message[place] = special.randomElement(using: &random) ?? 0
                }
                if let fault = Invariants.fault(message) { faults.append("seed \(seed) \(file): \(fault)") }
            }
        }
        #expect(faults == [])
    }
}

/// Each LF without a CR before it gets one.
func withCRLF(_ message: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(message.count + message.count / 30)
    for byte in message {
        if byte == 0x0A, output.last != 0x0D { output.append(0x0D) }
        output.append(byte)
    }
    return output
}

/// A generator with a seed that a failing run prints.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
