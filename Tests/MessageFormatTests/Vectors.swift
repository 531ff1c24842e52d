import Foundation
import MessageFormat

/// The vectors that come from outside (`vectors/README.md` tells what they are): looked for at `$MARTLET_SHARED`, default
/// `../shared` beside the package. Suites that need them are skipped by name when they are not there, never silently.
enum Vectors {
    static let folder: URL = {
        let shared = ProcessInfo.processInfo.environment["MARTLET_SHARED"]
        if let shared { return URL(fileURLWithPath: shared).appendingPathComponent("vectors") }
        // Tests/MessageFormatTests/Vectors.swift is three levels below the package.
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.appendingPathComponent("shared/vectors")
    }()

    static let arePresent = FileManager.default.fileExists(atPath: folder.appendingPathComponent("mime").path)
    static let absence = "the vectors are not there: set MARTLET_SHARED to the folder that holds vectors/"

    /// Paths below `vectors/`, sorted, that `isWanted` accepts; empty when the vectors are not there.
    static func files(below path: String, _ isWanted: (String) -> Bool = { _ in true }) -> [String] {
        let root = folder.appendingPathComponent(path)
        guard let names = FileManager.default.enumerator(atPath: root.path) else { return [] }
        var found: [String] = []
        for case let name as String in names {
            var isFolder: ObjCBool = false
            let file = root.appendingPathComponent(name).path
            if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue, isWanted(name)
            {
                found.append("\(path)/\(name)")
            }
        }
        return found.sorted()
    }

    static func read(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(path)))
    }

    static func json(_ path: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent(path)))
    }
}

/// One place where we and the expected outcome differ: `text` is compared with the tables of known differences.
struct Difference: Hashable, CustomStringConvertible {
    /// `file part aspect`
    var place: String
    var expected: String
    var actual: String

    var description: String { "\(place): expected \(expected.debugDescription), got \(actual.debugDescription)" }
}

/// Walks an expected parse and ours side by side, and gathers where they differ.
protocol VectorComparison {
    var file: String { get }
    var differences: [Difference] { get set }
}

extension VectorComparison {
    mutating func expect(_ place: String, _ expected: String, _ actual: String) {
        if expected != actual {
            differences.append(.init(place: "\(file) \(place)", expected: expected, actual: actual))
        }
    }
}

/// What is found must be what is listed: a difference that is not listed fails, and so does a listed one that is no more.
func unlisted(_ found: [Difference], known: [String: String]) -> [String] {
    var messages = found.filter { known[$0.place] == nil }.map(\.description)
    let places = Set(found.map(\.place))
    messages += known.keys.filter { !places.contains($0) }.sorted().map {
        "\($0): listed as different, but is the same"
    }
    return messages
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// The structure of a message that is given as text.
func parse(_ message: String, limits: MessageLimits = .default) -> MessageStructure {
    MessageStructure.parse(bytes(message), limits: limits)
}

extension MessageStructure.Part {
    /// Types of the tree: `multipart/mixed(text/plain message/rfc822(text/plain))`.
    var outline: String {
        let name = "\(contentType.type)/\(contentType.subtype)"
        return children.isEmpty ? name : "\(name)(\(children.map(\.outline).joined(separator: " ")))"
    }

    func body(in message: [UInt8]) -> String { text(message[bodyRange]) }
    func decodedText(in message: [UInt8]) -> String { message.withUnsafeBytes { decodedText(in: $0) } }
}
