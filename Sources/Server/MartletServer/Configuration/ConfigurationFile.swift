internal import Yams

/// A key and its value as written, with the place.
package struct ConfigurationAssignment: Sendable {
    package let key: String
    /// One for a scalar, any number for a sequence.
    package let elements: [String]
    package let origin: ConfigurationOrigin

    package init(key: String, elements: [String], origin: ConfigurationOrigin) {
        self.key = key
        self.elements = elements
        self.origin = origin
    }
}

/// Reads YAML into assignments. Sections nest (`smtp:` above `max-errors: 5`) or are written out (`smtp.max-errors: 5`).
package enum ConfigurationFile {
    /// Octets of the largest file that is read. The reference with every key is below 64 KiB.
    package static let maximumSize = 1 << 20
    /// Mappings within mappings. Keys have one dot or two.
    static let maximumDepth = 8
    /// Keys written twice that are told of before the rest is left.
    static let maximumDuplicates = 100

    /// All assignments in the order of the file, and what is wrong with the file's shape.
    package static func read(_ text: String, path: String) -> (
        assignments: [ConfigurationAssignment], issues: [ConfigurationIssue]
    ) {
        guard text.utf8.count <= maximumSize else {
            let origin = ConfigurationOrigin.file(path: path, line: 1, column: 1)
            return (
                [], [ConfigurationIssue(origin, "the file is larger than 1 MiB", remedy: "is this the right file?")]
            )
        }
        if let origin = controlCharacter(in: text, path: path) {
            return (
                [],
                [ConfigurationIssue(origin, "not YAML: a control character", remedy: "remove it; is this a text file?")]
            )
        }
        var reader = Reader(path: path)
        switch compose(text, path: path) {
        case .success(let root): if let root { reader.read(root, prefix: "", depth: 0) }
        case .failure(let errors): return ([], errors.issues)
        }
        return (reader.assignments, reader.issues)
    }

    /// Where the first character stands that YAML does not take (YAML 1.2 §5.1).
    private static func controlCharacter(in text: String, path: String) -> ConfigurationOrigin? {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": (line, column) = (line + 1, 1)
            case "\t", "\r", "\u{85}": column += 1
            default:
                if scalar.properties.generalCategory == .control {
                    return .file(path: path, line: line, column: column)
                }
                column += 1
            }
        }
        return nil
    }

    /// Prefix of a key that was written twice. The library gives up at the first such mapping; so that all mistakes can be
    /// told at once, the first of the two is renamed and the text read again.
    private static let duplicateMark = "martlet-duplicate-"

    private static func compose(_ text: String, path: String) -> Result<Node?, ConfigurationErrors> {
        var text = text
        for round in 0...maximumDuplicates {
            do {
                return .success(try Yams.compose(yaml: text))
            } catch YamlError.duplicatedKeysInMapping(_, let context) where round < maximumDuplicates {
                guard let marked = mark(context.mark, in: text, round: round) else {
                    return .failure(one(path, context.mark, "a key is written twice", "keep one of them"))
                }
                text = marked
            } catch let YamlError.scanner(_, problem, mark, _) {
                return .failure(
                    one(
                        path, mark, "not YAML: \(problem)",
                        "mend the line; keys are indented with spaces and end with a colon"))
            } catch let YamlError.parser(_, problem, mark, _) {
                return .failure(
                    one(
                        path, mark, "not YAML: \(problem)",
                        "mend the line; keys are indented with spaces and end with a colon"))
            } catch let YamlError.composer(_, problem, mark, _) {
                return .failure(one(path, mark, "not YAML: \(problem)", "mend the line"))
            } catch {
                return .failure(one(path, nil, "not YAML: \(escapedForTerminal("\(error)"))", "mend the file"))
            }
        }
        return .failure(
            one(path, nil, "more than \(maximumDuplicates) keys are written twice", "is this the right file?"))
    }

    private static func one(_ path: String, _ mark: Mark?, _ problem: String, _ remedy: String) -> ConfigurationErrors {
        ConfigurationErrors([
            ConfigurationIssue(
                .file(path: path, line: mark?.line ?? 1, column: mark?.column ?? 1), problem, remedy: remedy)
        ])
    }

    /// Renames the key at `mark` (behind its quotation mark, if it has one).
    private static func mark(_ mark: Mark, in text: String, round: Int) -> String? {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard mark.line >= 1, mark.line <= lines.count else { return nil }
        let scalars = lines[mark.line - 1].unicodeScalars
        guard var place = scalars.index(scalars.startIndex, offsetBy: mark.column - 1, limitedBy: scalars.endIndex),
            place < scalars.endIndex
        else { return nil }
        if scalars[place] == "\"" || scalars[place] == "'" { place = scalars.index(after: place) }
        lines[mark.line - 1].insert(contentsOf: "\(duplicateMark)\(round)-", at: place)
        return lines.joined(separator: "\n")
    }

    private static func unmarked(_ key: String) -> String {
        guard key.hasPrefix(duplicateMark) else { return key }
        return String(key.dropFirst(duplicateMark.count).drop { $0.isNumber }.dropFirst())
    }

    private struct Reader {
        let path: String
        var assignments: [ConfigurationAssignment] = []
        var issues: [ConfigurationIssue] = []

        mutating func read(_ node: Node, prefix: String, depth: Int) {
            guard case .mapping(let mapping) = node else {
                // An empty document is an empty configuration; a section without keys is one too.
                if case .scalar(let scalar) = node,
                    scalar.string.isEmpty || scalar.string == "null" || scalar.string == "~"
                {
                    return
                }
                issues.append(
                    ConfigurationIssue(
                        origin(node.mark),
                        prefix.isEmpty
                            ? "the file is no mapping of keys to values" : "“\(prefix)” is a section, not a key",
                        remedy: prefix.isEmpty
                            ? "write lines such as “smtp.max-errors: 20”" : "indent its keys below it"))
                return
            }
            guard depth < ConfigurationFile.maximumDepth else {
                issues.append(
                    ConfigurationIssue(
                        origin(node.mark), "sections are nested too deeply", remedy: "keys have one or two dots"))
                return
            }
            for (keyNode, value) in mapping { readPair(keyNode, value, prefix: prefix, depth: depth) }
        }

        private mutating func readPair(_ keyNode: Node, _ value: Node, prefix: String, depth: Int) {
            guard let scalar = keyNode.scalar else {
                issues.append(
                    ConfigurationIssue(origin(keyNode.mark), "a key must be plain text", remedy: "write “name: value”"))
                return
            }
            let name = prefix + ConfigurationFile.unmarked(scalar.string)
            let isSection = ConfigurationKey.all.contains { $0.name.hasPrefix(name + ".") }
            switch value {
            case .scalar(let text) where !isSection:
                // An empty value (`key:`) is the empty text; each kind says whether it takes that.
                let isNull = text.style == .plain && (text.string == "null" || text.string == "~")
                assignments.append(
                    ConfigurationAssignment(
                        key: name, elements: [isNull ? "" : text.string], origin: origin(keyNode.mark)))
            case .sequence(let sequence) where !isSection:
                var elements: [String] = []
                for element in sequence {
                    guard let text = element.scalar else {
                        // What an unknown key takes nobody knows: that it is unknown is told once.
                        guard ConfigurationKey.named(name) != nil else { break }
                        issues.append(
                            ConfigurationIssue(
                                origin(element.mark), "“\(escapedForTerminal(name))” is a list of plain values",
                                remedy: "write - value"))
                        continue
                    }
                    elements.append(text.string)
                }
                assignments.append(ConfigurationAssignment(key: name, elements: elements, origin: origin(keyNode.mark)))
            case .mapping where ConfigurationKey.named(name) != nil:
                issues.append(
                    ConfigurationIssue(
                        origin(keyNode.mark), "“\(name)” is a key, not a section",
                        remedy: "write its value behind the colon"))
            default:
                read(value, prefix: name + ".", depth: depth + 1)
            }
        }

        private func origin(_ mark: Mark?) -> ConfigurationOrigin {
            .file(path: path, line: mark?.line ?? 1, column: mark?.column ?? 1)
        }
    }
}
