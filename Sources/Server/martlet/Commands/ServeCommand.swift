import ArgumentParser
import Foundation
import MartletServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the mail server in the foreground.",
        discussion: """
            Everything is in one configuration file, which is complete in its defaults: see “martlet config reference”.

              martlet serve --config /etc/martlet.yaml
              martlet serve --set server.data-directory=/srv/mail --set log.level=debug

            SIGTERM ends it cleanly. SIGHUP reads the certificate and the log level again and opens the log file anew.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The configuration file. Without one, defaults, environment and --set are all.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "A key of the configuration, above file and environment. May be repeated.", valueName: "key=value"))
    var overrides: [String] = []

    func run() async throws {
        let (configuration, settings) = try ConfigurationLoading.load(path: config, overrides: overrides)
        for warning in settings.warnings { Terminal.error(warning.description) }
        if Privileges.isRoot {
            Terminal.error("the server runs as root; name a user without rights in server.user")
        }
        let hostname = configuration.effectiveHostname
        let names = Server.CertificateNames(
            names: hostname == "localhost" ? [hostname] : [hostname, "localhost"],
            addresses: Server.CertificateNames.loopback)
        do throws(ServerFailure) {
            let directory = DataDirectory(configuration.server.dataDirectory)
            let server = try await Server.open(configuration, directory: directory, clock: SystemClock(), names: names)
            let (config, overrides) = (config, overrides)
            try await server.run(
                reload: { try ConfigurationLoading.load(path: config, overrides: overrides).configuration },
                ready: { _ in })
        } catch {
            throw CommandFailure(error)
        }
    }
}

extension CommandFailure {
    init(_ failure: ServerFailure) {
        self.init(failure.kind == .busy ? .unreachable : .usage, failure.description)
    }
}
