import ArgumentParser
import MartletServer

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tell what happened to a message, a recipient or a connection, and why.",
        discussion: """
            A lookup code of 13 characters stands in the reply to each message, and to each refused sender or recipient.

              martlet explain 0D9ZK3V7QW2XA
              martlet explain '<20261124.1@example.org>'
              martlet explain anna@example.org

            One record is told at length, with a picture of its journey; several are listed, newest first.
            Of an address of this server it is told too whom it reaches now. Exit code 1 when nothing is known.
            """)

    @Argument(
        help: ArgumentHelp(
            "A lookup code, a Message-ID, or an address of a sender or recipient.", valueName: "code|message-id|address"
        ))
    var subject: String

    @Option(name: .long, help: ArgumentHelp("List at most so many records, up to 1000.", valueName: "n"))
    var limit = 20

    @OptionGroup var location: StoreLocation

    func validate() throws { try ListLimit.check(limit) }

    func run() async throws {
        guard case .explanation(let explanation) = try await location.perform(.explain(subject: subject, limit: limit))
        else { return }
        if location.json {
            // The records are JSON objects already.
            let resolution = explanation.resolution.map { JSONOutput.text($0) } ?? "null"
            Terminal.print(
                "{\"records\":[\(explanation.records.map(\.json).joined(separator: ","))],\"resolution\":\(resolution)}"
            )
        } else {
            if let resolution = explanation.resolution { Terminal.print(escapedForTerminal(resolution) + "\n") }
            if explanation.records.count == 1, let record = explanation.records.first {
                Terminal.write(record.text, to: 1)
            } else if !explanation.records.isEmpty {
                Terminal.print(explanation.records.map(\.line).joined(separator: "\n"))
                Terminal.print("\nmartlet explain CODE tells one of them at length.")
            }
        }
        guard !explanation.records.isEmpty else {
            // Whom an address reaches is an answer, also before its first message.
            if explanation.resolution != nil {
                if !location.json {
                    Terminal.print("There is no record of it; records are kept for records.keep-days.")
                }
                return
            }
            throw CommandFailure(
                .no,
                location.json
                    ? ""
                    : "there is no record of “\(escapedForTerminal(subject))”; records are kept for records.keep-days")
        }
    }
}
