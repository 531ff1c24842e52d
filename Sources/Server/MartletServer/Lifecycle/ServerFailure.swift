/// Why a server did not start: one clear line each, and whose turn it is.
package struct ServerFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// The configuration, a port, a file: exit code 2.
        case configuration
        /// Another process holds the store: exit code 3.
        case busy
    }
    package let kind: Kind
    package let problems: [String]

    package init(_ kind: Kind, _ problems: [String]) {
        self.kind = kind
        self.problems = problems
    }

    package var description: String { problems.joined(separator: "\n") }
}
