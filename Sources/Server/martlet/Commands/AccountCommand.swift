import ArgumentParser
import MartletServer

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Add, list, show, change and remove accounts and their passwords.",
        discussion: """
              martlet account add anna@example.org --quota 5GB
              martlet account password anna@example.org
              martlet account app-password add anna@example.org --label phone
              martlet account set anna@example.org --suspend
              martlet account show anna@example.org

            People log in with the whole address. The part before the @ is enough as long as the server has one domain only; a
            second domain ends that for all, so give the address from the beginning.

            Changes take effect at once, also while the server runs. Passwords are asked for, or read from --password-stdin or
            --password-file; when nobody answers, one is made and printed once.
            """,
        subcommands: [Add.self, List.self, Show.self, Set.self, Password.self, AppPasswordCommand.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an account with its mailboxes. Its domain must exist (martlet domain add).")

        @Argument(help: ArgumentHelp("The address to log in with and to get mail at.", valueName: "address"))
        var address: String

        @Option(name: .long, help: ArgumentHelp("The person's name.", valueName: "text"))
        var name = ""

        @Option(
            name: .long,
            help: ArgumentHelp("Room for mail: 500MB, 5GB, or none (default: store.quota-default).", valueName: "size"))
        var quota: String?

        @Flag(
            name: .long,
            help: "Make it an administrator, whom postmaster and abuse reach. The first account always is one.")
        var administrator = false

        @OptionGroup var passwords: PasswordOptions
        @OptionGroup var location: StoreLocation

        func run() async throws {
            let quota = try self.quota.map(Quota.parse)
            let (password, isGenerated) = try passwords.password(for: address)
            let response = try await location.perform(
                .accountAdd(
                    address: address, displayName: name, quota: quota.flatMap { $0 < 0 ? nil : $0 },
                    usesDefaultQuota: quota == nil,
                    isAdministrator: administrator, password: password))
            guard case .account(let account, let note) = response else { return }
            let shown = isGenerated ? String(decoding: password.secret.exposed, as: UTF8.self) : nil
            if location.json {
                Terminal.print(JSONOutput.text(Added(account: account, password: shown, note: note)))
            } else {
                Terminal.print("\(account.address) is added")
                if let shown { Terminal.print("its password, told this once: \(shown)") }
                if let note { Terminal.print("note: \(note)") }
            }
        }

        private struct Added: Encodable {
            let account: AccountView
            let password: String?
            let note: String?
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all accounts.")
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard case .accounts(let accounts) = try await location.perform(.accountList) else { return }
            location.show(accounts) {
                Terminal.table([["ADDRESS", "MESSAGES", "USED", "QUOTA", "NOTE"]] + accounts.map(AccountCommand.row))
            }
        }
    }

    static func row(_ account: AccountView) -> [String] {
        let marks = (account.isAdministrator ? ["administrator"] : []) + (account.isSuspended ? ["suspended"] : [])
        return [
            escapedForTerminal(account.address), "\(account.usedMessages)", Quota.told(account.usedBytes),
            account.quota.map(Quota.told) ?? "none",
            marks.joined(separator: ", "),
        ]
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one account: its use, its addresses, its mailboxes.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @OptionGroup var location: StoreLocation

        private struct Shown: Encodable {
            let account: AccountView
            let mailboxes: [MailboxView]
        }

        func run() async throws {
            let (first, second) = try await location.session { (session) throws(CommandFailure) in
                (
                    try await location.ask(session, .accountShow(address: address)),
                    try await location.ask(session, .mailboxList(address: address))
                )
            }
            guard case .account(let account, _) = first, case .mailboxes(let mailboxes) = second else { return }
            location.show(Shown(account: account, mailboxes: mailboxes)) {
                var text = Terminal.table([
                    ["ADDRESS", "MESSAGES", "USED", "QUOTA", "NOTE"], AccountCommand.row(account),
                ])
                if !account.displayName.isEmpty { text += "\nname: \(escapedForTerminal(account.displayName))" }
                text += "\nsends as: \(account.addresses.map { escapedForTerminal($0) }.joined(separator: ", "))\n\n"
                let rows = mailboxes.map {
                    [escapedForTerminal($0.name), "\($0.messages)", "\($0.unseen)", Quota.told($0.size)]
                }
                return text + Terminal.table([["MAILBOX", "MESSAGES", "UNSEEN", "SIZE"]] + rows)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an account: name, quota, administrator, suspended. What is not given stays.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String

        @Option(name: .long, help: ArgumentHelp("The person's name.", valueName: "text"))
        var name: String?

        @Option(name: .long, help: ArgumentHelp("Room for mail: 500MB, 5GB, or none.", valueName: "size"))
        var quota: String?

        @Flag(inversion: .prefixedNo, help: "Whether postmaster and abuse may reach it.")
        var administrator: Bool?

        @Flag(inversion: .prefixedNo, help: "Suspended: mail is taken, logins are refused.")
        var suspend: Bool?

        @OptionGroup var location: StoreLocation

        func validate() throws {
            if name == nil, quota == nil, administrator == nil, suspend == nil {
                throw ValidationError("Nothing to change: give --name, --quota, --administrator or --suspend.")
            }
        }

        func run() async throws {
            let response = try await location.perform(
                .accountSet(
                    address: address, displayName: name, quota: try quota.map(Quota.parse),
                    isAdministrator: administrator, isSuspended: suspend))
            guard case .account(let account, _) = response else { return }
            location.show(account) {
                Terminal.table([["ADDRESS", "MESSAGES", "USED", "QUOTA", "NOTE"], AccountCommand.row(account)])
            }
        }
    }

    struct Password: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change an account's password. App passwords go on.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @OptionGroup var passwords: PasswordOptions
        @OptionGroup var location: StoreLocation

        func run() async throws {
            let (password, isGenerated) = try passwords.password(for: address)
            let response = try await location.perform(.accountPassword(address: address, password: password))
            guard isGenerated else { return location.show(response) }
            let shown = String(decoding: password.secret.exposed, as: UTF8.self)
            location.show(["password": shown]) {
                "the password of \(escapedForTerminal(address)) is changed; it is told this once: \(shown)"
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove an account and all its mail.")
        @Argument(help: ArgumentHelp("The account's address.", valueName: "address")) var address: String
        @Flag(name: .long, help: "Do not ask.") var yes = false
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard yes || Terminal.confirm("Remove \(escapedForTerminal(address)) and all its mail?") else {
                throw CommandFailure(.usage, "nothing was removed; say --yes when nobody is there to answer")
            }
            location.show(try await location.perform(.accountRemove(address: address)))
        }
    }
}

/// Sizes as people write and read them.
enum Quota {
    /// Octets; -1 for `none`.
    static func parse(_ text: String) throws(CommandFailure) -> Int64 {
        if text == "none" { return -1 }
        guard let count = ConfigurationKey.byteCount(text), count > 0 else {
            throw CommandFailure(.usage, "--quota “\(escapedForTerminal(text))” is no size; write 500MB, 5GB or none")
        }
        return count
    }

    static func told(_ octets: Int64) -> String {
        for (unit, size) in [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)] where Double(octets) >= size {
            let tenths = Int64(Double(octets) / size * 10)
            return tenths % 10 == 0 || tenths >= 1_000
                ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(octets) B"
    }
}
