import ArgumentParser
import Dispatch
import MartletServer

/// Where the process begins. Root's rights are given up here, by the first thread: see `PrivilegedStart`.
@main
enum Program {
    static func main() {
        Martlet.giveUpRights()
        Task {
            await Martlet.main()
            Terminal.exit(.done)
        }
        dispatchMain()
    }
}

/// The command `martlet`: the server, the lab, and everything that an administrator types.
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A complete mail server in one program.",
        discussion: """
            To see mail flow before you own a domain:

              martlet lab --dir ./lab
              curl smtp://127.0.0.1:20025 --mail-from a@b.test --mail-rcpt user0001@example.test -T letter.txt
              martlet message list user0001@example.test
              martlet explain user0001@example.test

            To run a server:

              martlet quickstart example.org anna@example.org
              martlet config reference > reference.md
              martlet config check /etc/martlet/martlet.yaml
              martlet account add ben@example.org --config /etc/martlet/martlet.yaml

            Commands work while the server runs, and take effect at once; when it does not run, they open its data themselves.
            Exit codes: 0 done; 1 the answer is no, or there is no such thing; 2 usage or configuration; 3 the server or its
            data cannot be reached.
            """,
        version: "martlet \(Version.text)",
        subcommands: [
            QuickstartCommand.self, ServeCommand.self, LabCommand.self, AccountCommand.self, DomainCommand.self,
            AliasCommand.self,
            MessageCommand.self, ImportCommand.self, ExportCommand.self, QueueCommand.self,
            ExplainCommand.self, DoctorCommand.self, LedgerCommand.self, VerifyCommand.self, StoreCommand.self,
            BackupCommand.self, RestoreCommand.self, UpgradeCommand.self, CertificateCommand.self, StatusCommand.self,
            ConfigCommand.self,
        ])

    static func main() async {
        do {
            try refuseHelpForNothing(Array(CommandLine.arguments.dropFirst()))
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
        } catch {
            leave(after: error)
        }
    }

    /// For `martlet serve`. Mistakes in words and configuration are told later.
    static func giveUpRights() {
        guard Privileges.isRoot, let serve = try? parseAsRoot() as? ServeCommand,
            let loaded = try? ConfigurationLoading.load(path: serve.config, overrides: serve.overrides)
        else { return }
        do throws(ServerFailure) { try PrivilegedStart.begin(loaded.configuration) } catch {
            leave(after: CommandFailure(error))
        }
    }

    /// `martlet help nope` is a mistake: the library would show the help of `martlet`.
    private static func refuseHelpForNothing(_ words: [String]) throws(CommandFailure) {
        guard words.first == "help" else { return }
        var command: any ParsableCommand.Type = Martlet.self
        for word in words.dropFirst() where !word.hasPrefix("-") && word != "help" {
            guard let next = command.configuration.subcommands.first(where: { $0._commandName == word }) else {
                throw CommandFailure(
                    .usage, "there is no command “\(escapedForTerminal(word))”; “martlet help” lists the commands")
            }
            command = next
        }
    }

    /// Ends with the documented exit code: usage errors are 2, not the library's 64.
    private static func leave(after error: any Error) -> Never {
        if let failure = error as? CommandFailure {
            if !failure.message.isEmpty {
                tellPrograms(failure.message)
                Terminal.error(failure.message)
            }
            Terminal.exit(failure.status)
        }
        let message = fullMessage(for: error)
        if exitCode(for: error) == .success {
            Terminal.print(message)
            Terminal.exit(.done)
        }
        tellPrograms(message)
        Terminal.write(message + "\n", to: 2)
        Terminal.exit(.usage)
    }

    /// With --json a program gets an object on standard output whatever happens. Looked for in the words themselves: they may
    /// not have been understood.
    private static func tellPrograms(_ message: String) {
        guard CommandLine.arguments.dropFirst().prefix(while: { $0 != "--" }).contains("--json") else { return }
        Terminal.print(JSONOutput.text(["error": message]))
    }
}
