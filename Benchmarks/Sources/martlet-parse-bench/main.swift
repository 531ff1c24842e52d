import Foundation
import MessageFormat

// What MessageFormat does a second on one core: MB (10^6 octets) of whole messages a second of processor time, the best of five
// rounds. Processor time, so that neighbours on the machine do not count.
//
//     martlet-parse-bench [--json] [FOLDER…]
//
// Without a folder it makes ordinary mail itself. `structure` is the MIME tree; `summary` is what is computed at the door besides
// (ENVELOPE, BODYSTRUCTURE, decoded fields, preview), tree included.

let arguments = CommandLine.arguments.dropFirst()
let folders = arguments.filter { $0 != "--json" }
let isJSON = arguments.contains("--json")

func read(_ folder: String) -> [[UInt8]] {
    guard let names = FileManager.default.enumerator(atPath: folder) else { return [] }
    var messages: [[UInt8]] = []
    for case let name as String in names {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)"), !name.hasSuffix(".json") else {
            continue
        }
        messages.append(Array(data))
    }
    return messages
}

/// Of this process, which has one thread.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Octets a second in millions.
func rate(_ messages: [[UInt8]], _ body: (UnsafeRawBufferPointer) -> Int) -> Double {
    let octets = messages.reduce(0) { $0 + $1.count }
    var best = 0.0
    var sum = 0
    for _ in 0..<5 {
        var rounds = 0
        let start = processorSeconds()
        while processorSeconds() - start < 0.3 {
            for message in messages { sum &+= message.withUnsafeBytes(body) }
            rounds += 1
        }
        best = max(best, Double(octets * rounds) / (processorSeconds() - start) / 1e6)
    }
    // The sum is used, so that no work can be left out.
    precondition(sum != .min)
    return best
}

let sets =
    folders.isEmpty
    ? OrdinaryMail.shapes() : folders.map { (name: $0, messages: read($0)) }
let everything = (name: "all together", messages: sets.flatMap(\.messages))
var rows: [[String: Any]] = []
for set in sets.count > 1 ? sets + [everything] : sets {
    guard !set.messages.isEmpty else {
        FileHandle.standardError.write(Data("martlet-parse-bench: no messages in \(set.name)\n".utf8))
        exit(1)
    }
    let structure = rate(set.messages) { MessageStructure.parse($0).partCount }
    let summary = rate(set.messages) { MessageSummary.make($0).headerLength }
    let octets = set.messages.reduce(0) { $0 + $1.count }
    rows.append([
        "set": set.name, "messages": set.messages.count, "octets": octets, "structureMBps": structure,
        "summaryMBps": summary,
    ])
    if !isJSON {
        print(
            "\(set.name): \(set.messages.count) messages, \(octets / set.messages.count) octets each:"
                + " structure \(Int(structure)) MB/s, summary \(Int(summary)) MB/s")
    }
}
if isJSON {
    print(String(decoding: try JSONSerialization.data(withJSONObject: rows, options: [.sortedKeys]), as: UTF8.self))
}
