/// The reference of all keys, made from the table: what `martlet config reference` prints.
package enum ConfigurationReference {
    package static func markdown() -> String {
        var lines = [
            "# Configuration reference", "",
            "One YAML file, in sections (`smtp:` above `  max-errors: 20`) or written out (`smtp.max-errors: 20`). Every key has a default: an",
            "empty file is a complete configuration. An environment variable stands above the file, `--set KEY=VALUE` above both.",
            "`martlet config check FILE` tells all mistakes at once; `martlet config show` tells what is in force and where it came from.",
            "",
        ]
        var section = ""
        for key in ConfigurationKey.all {
            if key.section != section {
                section = key.section
                lines += ["## \(section)", ""]
            }
            lines += [
                "### `\(key.name)`", "", key.documentation, "",
                "- Type: \(key.typeDescription)",
                "- Default: \(key.defaultText.isEmpty ? "empty" : "`\(key.defaultText)`")",
                "- Environment: `\(key.environmentVariable)`",
                "- A change takes effect \(key.reload.rawValue).", "",
            ]
        }
        return lines.joined(separator: "\n")
    }

    /// One key as `martlet config reference --json` gives it.
    package struct Entry: Encodable, Sendable {
        let key: String
        let type: String
        let `default`: String
        let environment: String
        let reload: String
        let documentation: String
    }

    package static func entries() -> [Entry] {
        ConfigurationKey.all.map {
            Entry(
                key: $0.name, type: $0.typeDescription, default: $0.defaultText, environment: $0.environmentVariable,
                reload: $0.reload.rawValue,
                documentation: $0.documentation)
        }
    }
}
