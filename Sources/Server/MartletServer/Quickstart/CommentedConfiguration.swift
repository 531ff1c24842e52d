/// A configuration file with every key: those that are set as they are, all others as comments with their defaults, each
/// below its documentation.
package enum CommentedConfiguration {
    /// Characters of a line of documentation.
    private static let width = 110

    package static func yaml(_ settings: [(key: String, value: String)]) -> String {
        let values = Dictionary(settings.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
        var lines = [
            "# Martlet's configuration. Lines that begin with # are comments: they show each key with its default.",
            "# “martlet config check FILE” tells all mistakes at once, “martlet config show --config FILE” what is in force.",
        ]
        var section = ""
        for key in ConfigurationKey.all {
            if key.section != section {
                section = key.section
                lines += ["", "\(section):"]
            }
            let name = key.name.dropFirst(section.count + 1)
            lines.append("")
            lines += wrapped(key.documentation).map { "  # " + $0 }
            if let value = values[key.name] {
                lines.append("  \(name): \(scalar(value))")
            } else {
                lines.append("  # \(name): \(scalar(key.defaultText))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Plain where YAML reads it as the same text whatever stands around it (YAML 1.2 §7.3.3), otherwise in quotation marks.
    static func scalar(_ text: String) -> String {
        let isPlain =
            text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "./_".utf8.contains(byte)
                    || byte == UInt8(ascii: "-")
            } && !text.isEmpty && !text.hasPrefix("-") && text != "null"
        return isPlain ? text : JSONText.string(text)
    }

    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count + 1 > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return line.isEmpty ? lines : lines + [line]
    }

    /// Where two files give a key different values, a line each: `log.level: info in the file, debug asked for`.
    package static func differences(file: ConfigurationSettings, wanted: ConfigurationSettings) -> [String] {
        zip(file.all, wanted.all).compactMap { there, here in
            guard there.value != here.value else { return nil }
            func told(_ text: String) -> String { text.isEmpty ? "empty" : escapedForTerminal(text) }
            return "\(there.key.name): \(told(there.text)) in the file, \(told(here.text)) asked for"
        }
    }
}
