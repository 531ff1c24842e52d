import Foundation
import IMAPProtocol
import Testing

/// Every client line of the RFCs' examples, from the texts in `$MARTLET_SHARED/rfc` (default `../shared`). The other suites
/// hold the meaning of the important ones; this one sees that none is refused.
@Suite struct RFCExampleTests {
    static let folder: URL = {
        let shared = ProcessInfo.processInfo.environment["MARTLET_SHARED"]
        if let shared { return URL(fileURLWithPath: shared).appendingPathComponent("rfc") }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("shared/rfc")
    }()

    static let texts = [
        "rfc3501", "rfc9051", "rfc2177", "rfc2342", "rfc3502", "rfc4315", "rfc4731", "rfc5161", "rfc5182", "rfc5258",
        "rfc5819", "rfc6154", "rfc6851", "rfc7162", "rfc7889", "rfc8438",
    ]

    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: folder.path), "the RFC texts are not there: set MARTLET_SHARED"),
        arguments: texts)
    func `Every client line of the RFC's examples parses`(_ name: String) throws {
        let text = try String(contentsOf: Self.folder.appendingPathComponent("\(name).txt"), encoding: .isoLatin1)
        var failures: [String] = []
        var count = 0
        for command in Self.commands(in: text) where Self.isWhole(command) {
            count += 1
            do {
                _ = try CommandParser(acceptsUTF8: true, decodeCharset: { _, _ in "" }).parse(Array(command.utf8))
            } catch {
                failures.append("\(command): \(error.reason) at \(error.offset)")
            }
        }
        #expect(count > 0)
        #expect(failures == [])
    }

    static let words: Set<String> = [
        "CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "AUTHENTICATE", "LOGIN", "ENABLE", "SELECT", "EXAMINE",
        "CREATE", "DELETE", "RENAME",
        "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "NAMESPACE", "STATUS", "APPEND", "IDLE", "CHECK", "CLOSE",
        "UNSELECT", "EXPUNGE", "SEARCH",
        "FETCH", "STORE", "COPY", "MOVE", "UID",
    ]

    /// A command without what the RFCs' authors added or left out, and without a literal that begins behind it.
    static func isWhole(_ command: String) -> Bool {
        let parts = command.split(separator: " ")
        guard parts.count > 1, words.contains(parts[1].uppercased()) else { return false }
        if parts[1].uppercased() != "APPEND", command.hasSuffix("}") { return false }
        // RFC 5819 and RFC 7162 each print one line with a space too few or too many; RFC 5182 runs into its prose.
        let misprints = ["RECURSIVEMATCH)\"\"", "9990:9999 15000", "and the result of"]
        return !misprints.contains(where: command.contains)
            && !["[...]", "//", " ..."].contains(where: command.contains)
    }

    /// Lines that begin with `C:` and a tag, with the lines that go on without `C:` or `S:`.
    static func commands(in text: String) -> [String] {
        var result: [String] = []
        var current: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.hasPrefix("C: ") {
                if let current { result.append(current) }
                current = trimmed.dropFirst(3).trimmingCharacters(in: .whitespaces)
            } else if let open = current, !trimmed.isEmpty, !trimmed.hasPrefix("S:"), !trimmed.contains(". . ."),
                !trimmed.hasPrefix("<")
            {
                current = open + " " + trimmed
            } else {
                if let current { result.append(current) }
                current = nil
            }
        }
        return result
    }
}
