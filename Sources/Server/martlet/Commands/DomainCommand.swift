import ArgumentParser
import MartletServer

struct DomainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "domain",
        abstract: "The domains that mail is taken for.",
        discussion: """
              martlet domain add example.org
              martlet domain set example.org --catch-all anna@example.org
              martlet domain set example.org --separator -
              martlet domain list
            """,
        subcommands: [Add.self, List.self, Set.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take mail for a domain.")
        @Argument(help: ArgumentHelp("The domain, in A-labels or U-labels.", valueName: "domain")) var domain: String
        @Option(
            name: .long,
            help: ArgumentHelp("The character before the tag in user+tag, or none.", valueName: "character"))
        var separator: String?
        @OptionGroup var location: StoreLocation

        func run() async throws {
            let response = try await location.perform(
                .domainAdd(domain: domain, catchAll: nil, separator: SeparatorChange(separator)))
            DomainCommand.show(response, location)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the domains.")
        @OptionGroup var location: StoreLocation
        func run() async throws { DomainCommand.show(try await location.perform(.domainList), location) }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a domain: catch-all and subaddressing. What is not given stays.")
        @Argument(help: ArgumentHelp("The domain.", valueName: "domain")) var domain: String

        @Option(
            name: .long,
            help: ArgumentHelp("Where mail for unknown addresses goes, or none: it is refused.", valueName: "address"))
        var catchAll: String?

        @Option(
            name: .long,
            help: ArgumentHelp("The character before the tag in user+tag, or none.", valueName: "character"))
        var separator: String?

        @OptionGroup var location: StoreLocation

        func validate() throws {
            if catchAll == nil, separator == nil {
                throw ValidationError("Nothing to change: give --catch-all or --separator.")
            }
        }

        func run() async throws {
            let change: CatchAllChange = catchAll.map { $0 == "none" ? .none : .address($0) } ?? .keep
            let response = try await location.perform(
                .domainSet(domain: domain, catchAll: change, separator: SeparatorChange(separator)))
            DomainCommand.show(response, location)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take no more mail for a domain. Its accounts and aliases are removed before.")
        @Argument(help: ArgumentHelp("The domain.", valueName: "domain")) var domain: String
        @OptionGroup var location: StoreLocation
        func run() async throws { location.show(try await location.perform(.domainRemove(domain: domain))) }
    }

    static func show(_ response: AdministrationResponse, _ location: StoreLocation) {
        guard case .domains(let domains) = response else { return }
        location.show(domains) {
            Terminal.table(
                [["DOMAIN", "ACCOUNTS", "CATCH-ALL", "SEPARATOR"]]
                    + domains.map {
                        [$0.unicode, "\($0.accounts)", $0.catchAll ?? "none", $0.subaddressSeparator ?? "none"]
                    }) + domains.compactMap(\.note).map { "\nnote: " + escapedForTerminal($0) }.joined()
        }
    }
}

extension SeparatorChange {
    init(_ option: String?) { self = option.map { $0 == "none" ? .none : .character($0) } ?? .keep }
}
