import ArgumentParser
import Foundation
import MartletServer

struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Run a throwaway mail server on loopback, complete with accounts and certificates.",
        discussion: """
            Everything is kept in one directory, and reopened with its mail at the next start. When it is ready, it prints one
            line of JSON (the same as in DIR/lab.json) with its ports, its accounts' password and the authority to trust:

              martlet lab --dir ./lab
              curl --cacert lab/ca.pem --ssl-reqd imap://127.0.0.1:20143/INBOX -u user0001@example.test:secret

            A service listens on 127.0.0.1 and [::1], port N plus its own number: SMTP is 20025, submission 20587,
            submissions 20465, IMAP 20143, IMAPS 20993, POP3 20110, POP3S 20995. LMTP can be switched on by
            --set listeners.lmtp=127.0.0.1:20024. SIGTERM ends it cleanly; it may also be killed at any moment.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The directory for everything: configuration, mail, keys, logs. Made when it is missing.", valueName: "dir")
    )
    var dir: String

    @Option(name: .long, help: ArgumentHelp("A service's port is this plus its own number.", valueName: "n"))
    var portBase = 20_000

    @Option(name: .long, help: ArgumentHelp("The local domain.", valueName: "domain"))
    var domain = "example.test"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The accounts user0001 to userN exist, and admin. More than before: they are added.", valueName: "n"))
    var users = 2

    @Option(name: .long, help: ArgumentHelp("The password of these accounts.", valueName: "password"))
    var password = "secret"

    @Flag(
        name: .long,
        help: "For load tests: no limits on connections or failed logins. Durability, TLS and parsing stay as they are."
    )
    var open = false

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A key of the configuration, above the lab's own. May be repeated.", valueName: "key=value"))
    var overrides: [String] = []

    @Option(
        name: .customLong("zone"),
        help: ArgumentHelp(
            "A zone in master-file format for the server's resolver.",
            valueName: "file"))
    var zones: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Ask this DNS server.",
            valueName: "host:port"))
    var resolver: String?

    @Option(
        name: .customLong("route"),
        help: ArgumentHelp(
            "Mail for the domain goes there instead of to its MX.",
            valueName: "domain=host:port"))
    var routes: [String] = []

    @Option(
        name: .customLong("clock"),
        help: ArgumentHelp(
            "A file with the seconds that the server's clock is ahead (86400: tomorrow); looked at again as it changes.",
            valueName: "file"))
    var clockFile: String?

    func run() async throws {
        let lab: Lab
        do throws(LabFailure) {
            let options = LabOptions(
                directory: dir, portBase: portBase, domain: domain, users: users, password: password, isOpen: open,
                overrides: overrides,
                zones: zones, resolver: resolver, routes: routes, clockFile: clockFile)
            lab = try Lab(options, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
        for warning in lab.warnings { Terminal.error(warning) }
        do throws(ServerFailure) { try await lab.run() } catch { throw CommandFailure(error) }
    }
}
