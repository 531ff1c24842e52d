import ArgumentParser
import MartletServer

struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look at the mail that waits for other servers, and hold, release, retry or cancel it.",
        discussion: """
              martlet queue stats
              martlet queue list --to example.net
              martlet queue show 0D9ZK3V7QW2XA
              martlet queue retry --to example.net
              martlet queue cancel 0D9ZK3V7QW2XA

            Without --all, a change needs a code or a condition.
            """,
        subcommands: [List.self, Show.self, Hold.self, Release.self, Retry.self, Cancel.self, Stats.self])

    /// Which messages.
    struct Conditions: ParsableArguments {
        @Argument(help: ArgumentHelp("The message's lookup code.", valueName: "code")) var code: String?
        @Option(name: .long, help: ArgumentHelp("Only what goes to this domain.", valueName: "domain")) var to: String?
        @Option(name: .long, help: ArgumentHelp("Only what this address sent or is to get.", valueName: "address"))
        var address: String?

        var filter: QueueFilter { QueueFilter(code: code, destination: to, address: address) }
        var isEmpty: Bool { code == nil && to == nil && address == nil }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List what waits, oldest first.")
        @OptionGroup var conditions: Conditions
        @Option(
            name: .long, help: ArgumentHelp("Only what is waiting, leased (tried now) or held.", valueName: "state"))
        var state: String?
        @Option(name: .long, help: ArgumentHelp("At most so many messages, up to 1000.", valueName: "n")) var limit = 50
        @OptionGroup var location: StoreLocation

        func validate() throws { try ListLimit.check(limit) }

        func run() async throws {
            var filter = conditions.filter
            filter.state = state
            guard case .queue(let messages) = try await location.perform(.queueList(filter, limit: limit)) else {
                return
            }
            location.show(messages) {
                guard !messages.isEmpty else { return "Nothing waits." }
                var rows = [["CODE", "QUEUED", "SIZE", "FROM", "TO", "STATE", "TRIES", "NEXT", "LAST REPLY"]]
                for message in messages {
                    for recipient in message.recipients {
                        rows.append([
                            message.code, message.queuedAt, Quota.told(Int64(message.size)),
                            MessageCommand.clipped(message.sender.isEmpty ? "<>" : message.sender, 30),
                            MessageCommand.clipped(recipient.address, 30), recipient.state, "\(recipient.attempts)",
                            recipient.nextAttempt ?? "-", MessageCommand.clipped(recipient.lastReply ?? "-", 50),
                        ])
                    }
                }
                return Terminal.table(rows)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one message that waits. “martlet explain CODE” tells its whole story, with every attempt.")
        @Argument(help: ArgumentHelp("The message's lookup code.", valueName: "code")) var code: String
        @OptionGroup var location: StoreLocation

        func run() async throws {
            let request = AdministrationRequest.queueList(QueueFilter(code: code), limit: 1)
            guard case .queue(let messages) = try await location.perform(request), let message = messages.first else {
                return
            }
            location.show(message) {
                var lines = [
                    "code     \(message.code)",
                    "from     \(escapedForTerminal(message.sender.isEmpty ? "<>" : message.sender))",
                    "size     \(message.size) octets", "queued   \(message.queuedAt)", "expires  \(message.expiresAt)",
                ]
                for recipient in message.recipients {
                    lines.append("")
                    lines.append("to       \(escapedForTerminal(recipient.address))")
                    lines.append("state    \(recipient.state), \(recipient.attempts) attempts failed")
                    if let next = recipient.nextAttempt { lines.append("next     \(next)") }
                    if let reply = recipient.lastReply { lines.append("reply    \(escapedForTerminal(reply))") }
                }
                return lines.joined(separator: "\n")
            }
        }
    }

    struct Hold: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Leave messages alone until they are released.")
        @OptionGroup var selection: Selection
        func run() async throws { try await selection.change(.hold, told: "held") }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let held messages go on.")
        @OptionGroup var selection: Selection
        func run() async throws { try await selection.change(.release, told: "released") }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Try messages now, whatever their schedule.")
        @OptionGroup var selection: Selection
        func run() async throws { try await selection.change(.retry, told: "tried now") }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take messages off the queue and tell their senders that they were not delivered.")
        @Flag(name: .long, help: "Tell the senders nothing.") var silently = false
        @OptionGroup var selection: Selection

        func run() async throws {
            let request = AdministrationRequest.queueCancel(selection.conditions.filter, notifies: !silently)
            try await selection.show(request, told: "cancelled")
        }
    }

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Count what waits, by destination.")
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard case .queueStatistics(let statistics) = try await location.perform(.queueStatistics) else { return }
            location.show(statistics) {
                var text = "\(statistics.messages) messages wait, for \(statistics.recipients) recipients"
                if statistics.held > 0 { text += "; \(statistics.held) of these are held" }
                if let oldest = statistics.oldest { text += "; the oldest since \(oldest)" }
                guard !statistics.destinations.isEmpty else { return text }
                let rows = statistics.destinations.map {
                    [escapedForTerminal($0.destination), "\($0.recipients)", $0.nextDue ?? "held"]
                }
                return text + "\n\n" + Terminal.table([["DESTINATION", "RECIPIENTS", "NEXT"]] + rows)
            }
        }
    }

    /// What a change is for.
    struct Selection: ParsableArguments {
        @OptionGroup var conditions: Conditions
        @Flag(name: .long, help: "All that waits.") var all = false
        @OptionGroup var location: StoreLocation

        func validate() throws {
            if conditions.isEmpty, !all { throw ValidationError("Say which: a code, --to, --address or --all.") }
        }

        func change(_ step: QueueStep, told: String) async throws {
            try await show(.queueChange(step, conditions.filter), told: told)
        }

        func show(_ request: AdministrationRequest, told: String) async throws {
            guard case .queueChanged(let count) = try await location.perform(request) else { return }
            location.show(["recipients": count]) {
                "\(count) \(count == 1 ? "recipient is" : "recipients are") \(told)"
            }
        }
    }
}
