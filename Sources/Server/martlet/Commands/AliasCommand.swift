import ArgumentParser
import MartletServer

struct AliasCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias",
        abstract: "Addresses that stand for others: one (an alias) or many (a group).",
        discussion: """
              martlet alias add info@example.org anna@example.org
              martlet alias add team@example.org anna@example.org bert@example.org
              martlet alias list --domain example.org
              martlet alias remove info@example.org

            Adding an alias that exists replaces its targets.
            """,
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add or replace an alias or a group.")
        @Argument(help: ArgumentHelp("The new address.", valueName: "address")) var address: String
        @Argument(
            help: ArgumentHelp(
                "Whom it reaches: accounts or aliases of this server, or addresses elsewhere.", valueName: "target"))
        var targets: [String]
        @OptionGroup var location: StoreLocation

        func run() async throws {
            AliasCommand.show(try await location.perform(.aliasAdd(address: address, targets: targets)), location)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the aliases and groups.")
        @Option(name: .long, help: ArgumentHelp("Only of this domain.", valueName: "domain")) var domain: String?
        @OptionGroup var location: StoreLocation
        func run() async throws { AliasCommand.show(try await location.perform(.aliasList(domain: domain)), location) }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an alias or a group.")
        @Argument(help: ArgumentHelp("Its address.", valueName: "address")) var address: String
        @OptionGroup var location: StoreLocation
        func run() async throws { location.show(try await location.perform(.aliasRemove(address: address))) }
    }

    static func show(_ response: AdministrationResponse, _ location: StoreLocation) {
        guard case .aliases(let aliases) = response else { return }
        location.show(aliases) {
            Terminal.table(
                [["ADDRESS", "REACHES"]]
                    + aliases.map {
                        [
                            escapedForTerminal($0.address),
                            $0.targets.map { escapedForTerminal($0) }.joined(separator: ", "),
                        ]
                    })
        }
    }
}
