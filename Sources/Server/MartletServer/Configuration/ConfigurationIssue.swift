/// Where a value was given.
package enum ConfigurationOrigin: Sendable, Hashable, CustomStringConvertible {
    case builtIn
    /// Set by `martlet lab` for itself.
    case lab
    case file(path: String, line: Int, column: Int)
    case environment(variable: String)
    case commandLine

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .lab: "lab"
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .environment(let variable): "environment variable \(variable)"
        case .commandLine: "--set"
        }
    }
}

/// One mistake in the configuration: where, what, and what to do.
package struct ConfigurationIssue: Sendable, Hashable, CustomStringConvertible {
    package let origin: ConfigurationOrigin
    package let problem: String
    package let remedy: String

    package init(_ origin: ConfigurationOrigin, _ problem: String, remedy: String) {
        self.origin = origin
        self.problem = problem
        self.remedy = remedy
    }

    /// One line: `martlet.yaml:3:5: unknown key “smtp.max-eror”; did you mean smtp.max-errors?`
    package var description: String { "\(origin): \(problem); \(remedy)" }
}

/// All mistakes of a configuration, in the order in which they stand.
package struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    package let issues: [ConfigurationIssue]
    package init(_ issues: [ConfigurationIssue]) { self.issues = issues }
    package var description: String { issues.map(\.description).joined(separator: "\n") }
}
