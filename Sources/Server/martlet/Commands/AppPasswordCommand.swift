import ArgumentParser
import MartletServer

struct AppPasswordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "app-password",
        abstract: "Passwords for one device each, which can be revoked alone.",
        subcommands: [Add.self, List.self, Revoke.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an app password. It is shown this once.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Option(name: .long, help: ArgumentHelp("What the device is called.", valueName: "text")) var label: String
        @OptionGroup var location: StoreLocation

        private struct Made: Encodable {
            let appPassword: AppPasswordView
            let password: String
        }

        func run() async throws {
            guard
                case .appPassword(let view, let password) = try await location.perform(
                    .appPasswordAdd(address: address, label: label))
            else { return }
            let shown = String(decoding: password.secret.exposed, as: UTF8.self)
            location.show(Made(appPassword: view, password: shown)) {
                "app password \(view.number) (\(escapedForTerminal(view.label))), told this once: \(shown)"
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List an account's app passwords and when each was last used.",
            discussion: """
                The time of the last use is written along with the next change to the store, such as a new message: on a quiet
                server it may lag behind by minutes.
                """)
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard case .appPasswords(let views) = try await location.perform(.appPasswordList(address: address)) else {
                return
            }
            location.show(views) {
                Terminal.table(
                    [["NUMBER", "DEVICE", "MADE", "LAST USED"]]
                        + views.map {
                            ["\($0.number)", escapedForTerminal($0.label), $0.createdAt, $0.lastUsedAt ?? "never"]
                        })
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an app password: the device cannot log in any more.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Argument(help: ArgumentHelp("The number from the list.", valueName: "number")) var number: Int64
        @OptionGroup var location: StoreLocation

        func run() async throws {
            location.show(try await location.perform(.appPasswordRevoke(address: address, number: number)))
        }
    }
}
