import ArgumentParser
import MartletServer

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Look up, check and show the configuration.",
        subcommands: [Check.self, Show.self, Reference.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a configuration file: all mistakes at once, each with its line and remedy.",
            discussion:
                "Exit code 0 when it is right, 2 when it is not. Environment variables count, as they will for the server."
        )

        @Argument(help: ArgumentHelp("The configuration file.", valueName: "file"))
        var file: String

        @Flag(name: .long, help: "Print JSON, for programs.")
        var json = false

        private struct Result: Encodable {
            let ok: Bool
            let problems: [String]
            let warnings: [String]
        }

        func run() throws {
            let warnings: [String]
            do throws(CommandFailure) {
                warnings = try ConfigurationLoading.load(path: file, overrides: []).settings.warnings.map(\.description)
            } catch {
                guard json else { throw error }
                Terminal.print(
                    JSONOutput.text(
                        Result(
                            ok: false, problems: error.message.split(separator: "\n").map(String.init), warnings: [])))
                throw CommandFailure(.usage)
            }
            if !json { for warning in warnings { Terminal.error(warning) } }
            Terminal.print(
                json
                    ? JSONOutput.text(Result(ok: true, problems: [], warnings: warnings))
                    : "\(escapedForTerminal(file)): the configuration is right")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show every value in force, and where it came from: default, file and line, environment, --set.")

        @Option(name: .long, help: ArgumentHelp("The configuration file.", valueName: "file"))
        var config: String?

        @Option(
            name: .customLong("set"),
            help: ArgumentHelp("A key above file and environment. May be repeated.", valueName: "key=value"))
        var overrides: [String] = []

        @Flag(name: .long, help: "Print JSON, for programs.")
        var json = false

        private struct Entry: Encodable {
            let key: String
            let value: String
            let origin: String
        }

        func run() throws {
            let settings = try ConfigurationLoading.load(path: config, overrides: overrides).settings
            let entries = settings.all.map { Entry(key: $0.key.name, value: $0.text, origin: $0.origin.description) }
            if json {
                Terminal.print(JSONOutput.text(entries))
            } else {
                let rows = entries.map {
                    [$0.key, $0.value.isEmpty ? "\"\"" : escapedForTerminal($0.value), $0.origin]
                }
                Terminal.print(Terminal.table([["KEY", "VALUE", "FROM"]] + rows))
            }
        }
    }

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every key with its type, default and meaning, as Markdown.")

        @Flag(name: .long, help: "Print JSON, for programs.")
        var json = false

        func run() throws {
            Terminal.print(json ? JSONOutput.text(ConfigurationReference.entries()) : ConfigurationReference.markdown())
        }
    }
}
