import ArgumentParser
import MartletCore
import MartletServer

struct QuickstartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quickstart",
        abstract:
            "Set a server up on this machine: look at the machine, write configuration and unit, make the first account.",
        discussion: """
              martlet quickstart example.org anna@example.org
              martlet quickstart example.org anna@example.org --hostname mx1.example.org --dry-run

            What is not given is asked for, where somebody is there to answer. Ports, clock, resolver and the host's names are
            looked at first; each finding is a line with its remedy, and hardly any of them stops it. Then the steps: the
            configuration, the server's user, the data directory, the certificate, the domain, the account and its password, the
            systemd unit. What is there already stays as it is, and where it says something else, that is told: run it again as
            often as you like, also when it was interrupted. It ends with the DNS records to publish and the one next step.
            """)

    @Argument(help: ArgumentHelp("The domain whose mail comes here.", valueName: "domain"))
    var domain: String?

    @Argument(help: ArgumentHelp("The first account, who becomes the administrator.", valueName: "address"))
    var address: String?

    @Option(
        name: .long, help: ArgumentHelp("This machine's name in the DNS (default: mail.DOMAIN).", valueName: "name"))
    var hostname: String?

    @Option(name: .long, help: ArgumentHelp("Where the configuration is written.", valueName: "file"))
    var config = "/etc/martlet/martlet.yaml"

    @Option(
        name: .long, help: ArgumentHelp("Where mail is kept (default: /var/lib/martlet).", valueName: "directory"))
    var dataDir: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where the systemd unit is written (default: /etc/systemd/system, when run as root).",
            valueName: "directory"))
    var unitDir: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "As whom the server runs; made when missing (default: martlet when run as root).", valueName: "user"))
    var user: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A certificate chain as PEM (default: one by an authority of the server's own).", valueName: "file"))
    var certificate: String?

    @Option(name: .long, help: ArgumentHelp("The certificate's private key as PEM.", valueName: "file"))
    var key: String?

    @Option(
        name: .customLong("public-address"),
        help: ArgumentHelp(
            "Where the world reaches this machine, when that is not its own address. May be repeated.",
            valueName: "address"))
    var addresses: [String] = []

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A further key of the configuration. May be repeated.", valueName: "key=value"))
    var settings: [String] = []

    @Flag(name: .long, help: "Change nothing; tell what would be done.")
    var dryRun = false

    @Flag(name: .long, help: "Print JSON, for programs.")
    var json = false

    @OptionGroup var passwords: PasswordOptions

    func run() async throws {
        let report: QuickstartReport
        do {
            let existing = try QuickstartRun.existing(config)
            let run = try QuickstartRun(try QuickstartOptions(try words(existing), existing: existing))
            report = try await run.run(now: SystemClock().now()) { address throws(QuickstartFailure) in
                do throws(CommandFailure) { return try passwords.password(for: address) } catch {
                    throw QuickstartFailure(.usage, [error.message])
                }
            }
        } catch let failure as QuickstartFailure {
            throw CommandFailure(failure.kind == .unreachable ? .unreachable : .usage, failure.description)
        }
        Terminal.print(json ? JSONOutput.text(report) : report.text)
        if report.isFatal { throw CommandFailure(.usage) }
    }

    private func words(_ existing: Configuration?) throws -> QuickstartOptions.Words {
        let domain = try domain ?? asked("The domain whose mail comes here, such as example.org")
        let address = try address ?? asked("The first account's address, such as anna@\(escapedForTerminal(domain))")
        var words = QuickstartOptions.Words(domain: domain, address: address)
        words.hostname = hostname
        if hostname == nil, existing == nil, Terminal.isInteractive {
            let name = try asked(
                "This machine's name in the DNS [mail.\(escapedForTerminal(domain))]", isRequired: false)
            if !name.isEmpty { words.hostname = name }
        }
        words.configurationFile = config
        words.dataDirectory = dataDir
        words.unitDirectory = unitDir
        words.user = user
        words.certificate = certificate
        words.key = key
        words.addresses = addresses
        words.settings = settings
        words.isDryRun = dryRun
        return words
    }

    private func asked(_ question: String, isRequired: Bool = true) throws(CommandFailure) -> String {
        guard Terminal.isInteractive else {
            throw CommandFailure(
                .usage, "give the domain and the first address: martlet quickstart example.org anna@example.org")
        }
        Terminal.write(question + ": ", to: 2)
        let answer = Terminal.readLine().map { String(decoding: $0, as: UTF8.self) } ?? ""
        guard !answer.isEmpty || !isRequired else {
            throw CommandFailure(.usage, "nothing was given; nothing was changed")
        }
        return answer
    }
}
