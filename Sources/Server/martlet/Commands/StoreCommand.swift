import ArgumentParser
import MartletServer

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Look after the files of the store.", subcommands: [Compact.self])

    struct Compact: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give back the space of messages that are gone for good; mail goes on meanwhile.",
            discussion: """
                The server does so by itself, slowly, once an hour, with files of which 30 percent are not in use any more.
                Expunged messages can be brought back for a time (store.expunge-retention); until then their space is in use.
                """)

        @Option(
            name: .long,
            help: ArgumentHelp("Files of which so many percent are not in use any more.", valueName: "percent"))
        var dead: Double = 30
        @OptionGroup var location: StoreLocation

        func validate() throws {
            guard (0...100).contains(dead) else { throw ValidationError("--dead takes 0 to 100.") }
        }

        func run() async throws {
            guard case .compacted(let view) = try await location.perform(.compact(deadShare: dead / 100)) else {
                return
            }
            location.show(view) {
                let sum =
                    "\(Quota.told(max(0, view.freedBytes))) are free again: \(view.removedFiles) files removed, "
                    + "\(view.movedMessages) contents moved (\(Quota.told(view.movedBytes))), "
                    + "\(view.forgottenMessages) forgotten; "
                    + "\(Quota.told(view.remainingBytes)) stay in files that are not worth it."
                return (view.faults.map { escapedForTerminal($0) } + [sum]).joined(separator: "\n")
            }
            if !view.faults.isEmpty { throw CommandFailure(.no) }
        }
    }
}
