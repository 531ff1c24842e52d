/// What a quickstart found, did and leaves to do: for people as text, for programs as JSON.
package struct QuickstartReport: Sendable, Encodable {
    package struct Step: Sendable, Hashable, Encodable {
        package enum State: String, Sendable, Encodable {
            case made
            /// It was there and is right.
            case unchanged
            /// It was there, is something else, and stays.
            case differs
            /// A dry run.
            case wouldMake
        }
        /// `configuration`, `user`, `data`, `certificate`, `domain`, `account`, `unit`.
        package let name: String
        package let state: State
        package let told: String
        /// A line each.
        package let differences: [String]

        package init(_ name: String, _ state: State, _ told: String, differences: [String] = []) {
            self.name = name
            self.state = state
            self.told = told
            self.differences = differences
        }
    }

    package var isDryRun: Bool
    package var checks: [HostCheck]
    package var steps: [Step] = []
    package var records: [DNSPublication.Entry] = []
    package var recordLines: [String] = []
    /// Of the account, when it was made here.
    package var password: String?
    /// One step.
    package var next = ""

    package var isChanged: Bool { steps.contains { $0.state == .made } }
    package var isFatal: Bool { checks.contains { $0.state == .fatal } }

    private enum CodingKeys: String, CodingKey {
        case checks, steps, records, password, next
        case isDryRun = "dryRun"
        case isChanged = "changed"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(isDryRun, forKey: .isDryRun)
        try container.encode(isChanged, forKey: .isChanged)
        try container.encode(checks, forKey: .checks)
        try container.encode(steps, forKey: .steps)
        try container.encode(records, forKey: .records)
        try container.encodeIfPresent(password, forKey: .password)
        try container.encode(next, forKey: .next)
    }

    package var text: String {
        var lines = ["This machine:"]
        lines += checks.map { check in
            let mark =
                switch check.state {
                case .fine: "ok     "
                case .warning: "WARNING"
                case .fatal: "FATAL  "
                case .unknown: "?      "
                }
            return "  \(mark) \(check.line)"
        }
        if !steps.isEmpty {
            let isQuiet = !isDryRun && !isChanged
            lines += ["", isDryRun ? "To be done:" : isQuiet ? "Nothing was changed:" : "Done:"]
            for step in steps {
                let mark =
                    switch step.state {
                    case .made: "made   "
                    case .unchanged: "as was "
                    case .differs: "DIFFERS"
                    case .wouldMake: "would  "
                    }
                lines.append("  \(mark) \(step.name): \(step.told)")
                lines += step.differences.map { "            \($0)" }
            }
        }
        if let password { lines += ["", "The account's password, told this once: \(password)"] }
        if !recordLines.isEmpty {
            lines += ["", "In the DNS:"] + recordLines.map { "  " + $0 }
        }
        if !next.isEmpty { lines += ["", "Next: \(next)"] }
        return lines.joined(separator: "\n")
    }
}
