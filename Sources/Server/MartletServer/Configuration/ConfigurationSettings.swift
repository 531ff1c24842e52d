/// The value of every key, with where it came from: defaults, below the file, below the environment, below `--set`.
package struct ConfigurationSettings: Sendable {
    package struct Setting: Sendable {
        package let key: ConfigurationKey
        package let value: ConfigurationValue
        /// As it was written; a list with commas.
        package let text: String
        package let origin: ConfigurationOrigin
    }

    private var byName: [String: Setting] = [:]
    /// Keys of which a value was given that is none: what they have here is another layer's.
    private(set) var unusable: Set<String> = []
    /// What is worth a word and stops nobody.
    package private(set) var warnings: [ConfigurationIssue] = []

    /// In the order of the table.
    package var all: [Setting] { ConfigurationKey.all.compactMap { byName[$0.name] } }

    package subscript(name: String) -> Setting {
        guard let setting = byName[name] else { preconditionFailure("\(name) is in the table of keys") }
        return setting
    }

    /// Merges the layers.
    /// - Parameters:
    ///   - preset: defaults of the lab, which stand above the built-in ones.
    ///   - file: the text and the path of the configuration file, when there is one.
    ///   - environment: variables by name; those that are not ours are passed over.
    ///   - overrides: `KEY=VALUE` of `--set`, in order.
    ///   - issues: every mistake is added here; what is wrong leaves the layer below in force.
    package init(
        preset: [(key: String, value: String)] = [], file: (text: String, path: String)? = nil,
        environment: [String: String] = [:],
        overrides: [String] = [], issues: inout [ConfigurationIssue]
    ) {
        for key in ConfigurationKey.all { apply(key, [key.defaultText], .builtIn, &issues) }
        for (name, value) in preset {
            guard let key = ConfigurationKey.named(name) else {
                preconditionFailure("the lab sets a known key: \(name)")
            }
            apply(key, [value], .lab, &issues)
        }
        if let file { applyFile(file.text, path: file.path, &issues) }
        applyEnvironment(environment, &issues)
        applyOverrides(overrides, &issues)
    }

    private mutating func applyFile(_ text: String, path: String, _ issues: inout [ConfigurationIssue]) {
        let (assignments, shapeIssues) = ConfigurationFile.read(text, path: path)
        var found = shapeIssues
        var seen: [String: ConfigurationOrigin] = [:]
        for assignment in assignments {
            if let first = seen[assignment.key] {
                found.append(
                    ConfigurationIssue(
                        assignment.origin, "“\(assignment.key)” is written twice, first at \(first)",
                        remedy: "keep one of them"))
                continue
            }
            seen[assignment.key] = assignment.origin
            guard let key = ConfigurationKey.named(assignment.key) else {
                found.append(ConfigurationSettings.unknown(assignment.key, assignment.origin))
                continue
            }
            apply(key, assignment.elements, assignment.origin, &found)
        }
        issues += found.sorted { ConfigurationSettings.line($0.origin) < ConfigurationSettings.line($1.origin) }
    }

    private mutating func applyEnvironment(_ environment: [String: String], _ issues: inout [ConfigurationIssue]) {
        let byVariable = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.environmentVariable, $0) })
        let sections = Set(ConfigurationKey.all.map { "MARTLET_\($0.section.uppercased())_" })
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("MARTLET_") {
            let origin = ConfigurationOrigin.environment(variable: variable)
            if let key = byVariable[variable] {
                apply(key, [value], origin, &issues)
            } else if sections.contains(where: { variable.hasPrefix($0) }) {
                let nearest =
                    byVariable.keys.sorted().min { editDistance($0, variable) < editDistance($1, variable) } ?? ""
                issues.append(ConfigurationIssue(origin, "there is no such key", remedy: "did you mean \(nearest)?"))
            } else if let nearest = ConfigurationSettings.likely(variable, byVariable.keys.sorted()) {
                // Others may have variables that begin so: no mistake for sure.
                warnings.append(
                    ConfigurationIssue(
                        origin, "there is no such key; it is passed over", remedy: "did you mean \(nearest)?"))
            }
        }
    }

    /// Changes by which a variable's name may differ from one of ours to be taken for a slip.
    private static let maximumSlip = 3

    private static func likely(_ variable: String, _ known: [String]) -> String? {
        let nearest = known.min { editDistance($0, variable) < editDistance($1, variable) }
        return nearest.flatMap { editDistance($0, variable) <= maximumSlip ? $0 : nil }
    }

    private mutating func applyOverrides(_ overrides: [String], _ issues: inout [ConfigurationIssue]) {
        for override in overrides {
            guard let equals = override.firstIndex(of: "=") else {
                issues.append(
                    ConfigurationIssue(
                        .commandLine, "“\(escapedForTerminal(override))” has no “=”",
                        remedy: "write --set KEY=VALUE, such as --set log.level=debug"))
                continue
            }
            let name = String(override[..<equals])
            guard let key = ConfigurationKey.named(name) else {
                issues.append(ConfigurationSettings.unknown(name, .commandLine))
                continue
            }
            apply(key, [String(override[override.index(after: equals)...])], .commandLine, &issues)
        }
    }

    private mutating func apply(
        _ key: ConfigurationKey, _ elements: [String], _ origin: ConfigurationOrigin,
        _ issues: inout [ConfigurationIssue]
    ) {
        do throws(ConfigurationValueError) {
            let value = try key.parse(elements)
            byName[key.name] = Setting(key: key, value: value, text: elements.joined(separator: ", "), origin: origin)
        } catch {
            unusable.insert(key.name)
            issues.append(ConfigurationIssue(origin, "\(key.name): \(error.problem)", remedy: error.remedy))
        }
    }

    private static func unknown(_ name: String, _ origin: ConfigurationOrigin) -> ConfigurationIssue {
        let nearest = ConfigurationKey.nearest(to: name).name
        let isLikely = editDistance(name, nearest) <= max(maximumSlip, name.count / 2)
        return ConfigurationIssue(
            origin, "unknown key “\(escapedForTerminal(name))”",
            remedy: (isLikely ? "did you mean \(nearest)? " : "") + "“martlet config reference” lists every key")
    }

    private static func line(_ origin: ConfigurationOrigin) -> Int {
        if case .file(_, let line, _) = origin { return line }
        return 0
    }

    // MARK: Reading, for `Configuration`. A key of another kind is a bug of ours.

    func boolean(_ name: String) -> Bool {
        guard case .boolean(let value) = self[name].value else { preconditionFailure("\(name) is true or false") }
        return value
    }

    func integer(_ name: String) -> Int {
        guard case .integer(let value) = self[name].value else { preconditionFailure("\(name) is a number") }
        return Int(value)
    }

    func byteCount(_ name: String) -> Int64? {
        guard case .byteCount(let value) = self[name].value else { preconditionFailure("\(name) is a size") }
        return value
    }

    func duration(_ name: String) -> Duration? {
        guard case .duration(let value) = self[name].value else { preconditionFailure("\(name) is a duration") }
        return value
    }

    func text(_ name: String) -> String {
        guard case .text(let value) = self[name].value else { preconditionFailure("\(name) is a text") }
        return value
    }

    func addresses(_ name: String) -> [ListenAddress] {
        guard case .addresses(let value) = self[name].value else {
            preconditionFailure("\(name) is a list of addresses")
        }
        return value
    }

    func texts(_ name: String) -> [String] {
        guard case .texts(let value) = self[name].value else { preconditionFailure("\(name) is a list") }
        return value
    }
}
