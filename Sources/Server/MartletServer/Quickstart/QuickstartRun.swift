internal import Foundation
internal import Glibc
package import MartletCore
internal import NetworkTransport

/// Sets a server up, step after step, each of which is done whole or not at all. A step that was done before is left as it
/// is, so that a run that was interrupted is simply run again; a file that says something else stays, and that is told.
package struct QuickstartRun {
    /// Asks for the account's password; `isGenerated` when it was made and must be shown.
    package typealias AskPassword = (String) throws -> (password: PasswordText, isGenerated: Bool)

    let options: QuickstartOptions
    /// What is in force: the file that is there, or the one to be written.
    let configuration: Configuration
    let directory: DataDirectory
    /// The server's user.
    let user: SystemUser?
    private let fileText: String
    private let isFileThere: Bool
    private let fileDifferences: [String]
    /// Lines of a difference that are told.
    private static let maximumDifference = 20

    /// The configuration that is there already; nil when there is none.
    /// - Throws: its mistakes.
    package static func existing(_ path: String) throws(QuickstartFailure) -> Configuration? {
        try file(path)?.configuration
    }

    private static func file(_ path: String) throws(QuickstartFailure) -> (
        configuration: Configuration, settings: ConfigurationSettings, text: String
    )? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let bytes = DataDirectory.bytes(of: path) else {
            throw QuickstartFailure(.usage, ["\(path) is there and cannot be read; run this as root"])
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let loaded = try load(text, path)
        return (loaded.configuration, loaded.settings, text)
    }

    private static func load(_ text: String, _ path: String) throws(QuickstartFailure) -> (
        configuration: Configuration, settings: ConfigurationSettings
    ) {
        do throws(ConfigurationErrors) { return try Configuration.load(file: (text, path)) } catch {
            throw QuickstartFailure(.usage, error.issues.map(\.description))
        }
    }

    package init(_ options: QuickstartOptions) throws(QuickstartFailure) {
        self.options = options
        let unknown = options.settings.filter { ConfigurationKey.named($0.key) == nil }
        guard unknown.isEmpty else {
            throw QuickstartFailure(
                .usage,
                unknown.map {
                    "--set: unknown key “\(escapedForTerminal($0.key))”; did you mean "
                        + "\(ConfigurationKey.nearest(to: $0.key).name)?"
                })
        }
        fileText = CommentedConfiguration.yaml(QuickstartRun.settings(options))
        let wanted = try QuickstartRun.load(fileText, options.configurationFile)
        if let there = try QuickstartRun.file(options.configurationFile) {
            isFileThere = true
            configuration = there.configuration
            fileDifferences = CommentedConfiguration.differences(file: there.settings, wanted: wanted.settings)
        } else {
            isFileThere = false
            configuration = wanted.configuration
            fileDifferences = []
        }
        directory = DataDirectory(configuration.server.dataDirectory)
        let name = configuration.server.user ?? options.user
        user = SystemUser(named: name)
        guard Privileges.isRoot || user == SystemUser.current else {
            throw QuickstartFailure(
                .usage, ["to set a server up for the user \(escapedForTerminal(name)), run this as root"])
        }
    }

    private static func settings(_ options: QuickstartOptions) -> [(key: String, value: String)] {
        var settings = [
            (key: "server.hostname", value: options.hostname.ascii),
            (key: "server.data-directory", value: options.dataDirectory.path),
        ]
        if Privileges.isRoot, options.user != "root" { settings.append(("server.user", options.user)) }
        if !options.certificate.isEmpty {
            settings += [("tls.certificate", options.certificate), ("tls.key", options.key)]
        }
        // Without IPv6 a server that is to listen on it does not start.
        if !PortCheck.hasIPv6 {
            for key in ConfigurationKey.all where key.name.hasPrefix("listeners.") && key.defaultText.contains("[::]") {
                settings.append((key.name, key.defaultText.split(separator: ",").first.map(String.init) ?? "none"))
            }
        }
        return settings + options.settings
    }

    /// Whether a server runs on the data directory.
    var isRunning: Bool { (try? ControlClient(directory)) != nil }

    // MARK: All of it

    package func run(now: Instant, askPassword: AskPassword) async throws -> QuickstartReport {
        let isRunning = isRunning
        var report = QuickstartReport(isDryRun: options.isDryRun, checks: localChecks(isRunning: isRunning, now: now))
        await lookUp(&report)
        if !report.isFatal {
            try prepare(&report, now: now)
            try await makeAccount(&report, askPassword)
            try writeUnit(&report)
        }
        report.next = next(report, isRunning: isRunning)
        return report
    }

    /// What comes before the account.
    private func prepare(_ report: inout QuickstartReport, now: Instant) throws(QuickstartFailure) {
        try writeConfiguration(&report)
        try makeUser(&report)
        try makeData(&report)
        try makeCertificate(&report, now: now)
    }

    /// Asks the DNS for the host and for what is published already.
    private func lookUp(_ report: inout QuickstartReport) async {
        let hostname = configuration.server.hostname ?? options.hostname
        let addresses = options.addresses.isEmpty ? HostAddresses.publicOnes : options.addresses
        var publication = DNSPublication(domain: options.domain, hostname: hostname, addresses: addresses)
        var asked = configuration
        // Somebody waits for it.
        asked.dns.timeout = min(asked.dns.timeout, .seconds(5))
        do throws(ServerFailure) {
            let resolution = try Resolution(asked)
            report.checks += await HostCheck.names(
                resolution.resolver, hostname: hostname, addresses: addresses,
                zonesOnly: asked.dns.servers == ["none"])
            if report.checks.contains(where: { $0.name == "resolver" && $0.state == .fine }) {
                await publication.look(resolution.resolver)
            }
            await resolution.close()
        } catch {
            report.checks.append(
                HostCheck("resolver", .warning, error.problems.joined(separator: "; "), remedy: "correct dns.*"))
        }
        report.records = publication.entries
        report.recordLines = publication.lines
    }

    private func localChecks(isRunning: Bool, now: Instant) -> [HostCheck] {
        let ports =
            isRunning
            ? [HostCheck("ports", .fine, "the server that runs here has them")]
            : HostCheck.ports(configuration.listeners, bindError: PortCheck.bindError, holder: PortHolder.holder)
        return ports + [HostCheck.clock(now, isSynchronised: HostCheck.isClockSynchronised)]
    }

    /// One step, the first that is not done.
    private func next(_ report: QuickstartReport, isRunning: Bool) -> String {
        if let fatal = report.checks.first(where: { $0.state == .fatal }) {
            return fatal.remedy ?? "mend what is wrong, and run this again"
        }
        if options.isDryRun { return "run it without --dry-run" }
        if !isRunning {
            if let port = report.checks.first(where: { $0.name == "ports" && $0.state == .warning }) {
                return "\(port.told): \(port.remedy ?? "free it"), and run this again"
            }
            let hasManager = FileManager.default.fileExists(atPath: "/run/systemd/system")
            if hasManager, options.unitDirectory == "/etc/systemd/system" {
                return "systemctl daemon-reload && systemctl enable --now martlet"
            }
            return "martlet serve --config \(options.configurationFile)"
        }
        if report.records.contains(where: { $0.isPublished != true }) {
            return "publish what is not there yet of the DNS records above, and run this again to see them found"
        }
        return "send a message to \(options.address) from elsewhere; “martlet explain \(options.address) --config "
            + "\(options.configurationFile)” tells what became of it"
    }

    // MARK: Files

    /// Writes a file that is missing; one that is there stays, and where it differs the lines are told.
    private func write(
        _ text: String, _ path: String, _ name: String, _ report: inout QuickstartReport
    ) throws(QuickstartFailure) {
        guard FileManager.default.fileExists(atPath: path) else {
            if !options.isDryRun {
                do throws(FileFailure) {
                    try DataOwnership.makeDirectory((path as NSString).deletingLastPathComponent, mode: 0o755)
                    try directory.write(text, to: path, mode: 0o644)
                } catch {
                    throw QuickstartFailure(.usage, ["\(error.description); run this as root, or name another place"])
                }
            }
            report.steps.append(.init(name, options.isDryRun ? .wouldMake : .made, path))
            return
        }
        let there = directory.read(path) ?? ""
        guard there != text else {
            report.steps.append(.init(name, .unchanged, path))
            return
        }
        report.steps.append(
            .init(name, .differs, "\(path) stays as it is", differences: QuickstartRun.difference(there, text)))
    }

    /// `- line` stands in the file alone, `+ line` would be written.
    static func difference(_ there: String, _ wanted: String) -> [String] {
        let old = there.split(separator: "\n", omittingEmptySubsequences: false).prefix(10_000)
        let new = wanted.split(separator: "\n", omittingEmptySubsequences: false)
        let lines = Array(new).difference(from: Array(old)).map { change in
            switch change {
            case .remove(_, let line, _): "- " + escapedForTerminal(String(line))
            case .insert(_, let line, _): "+ " + escapedForTerminal(String(line))
            }
        }
        guard lines.count > maximumDifference else { return lines }
        return lines.prefix(maximumDifference) + ["… and \(lines.count - maximumDifference) more"]
    }

    private func writeConfiguration(_ report: inout QuickstartReport) throws(QuickstartFailure) {
        // Comments may be anybody's: the values count.
        guard isFileThere else { return try write(fileText, options.configurationFile, "configuration", &report) }
        report.steps.append(
            fileDifferences.isEmpty
                ? .init("configuration", .unchanged, options.configurationFile)
                : .init(
                    "configuration", .differs, "\(options.configurationFile) stays as it is",
                    differences: fileDifferences))
    }

    private func writeUnit(_ report: inout QuickstartReport) throws(QuickstartFailure) {
        guard let place = options.unitDirectory else { return }
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/usr/bin/martlet"
        let unit = ServiceUnit(
            program: program, configurationFile: options.configurationFile, dataDirectory: directory.path,
            user: configuration.server.user ?? options.user,
            files: (configuration.tls.map { [$0.certificate, $0.key] } ?? [])
                + configuration.certificates.flatMap { [$0.certificate, $0.key] })
        try write(unit.text, place + "/" + ServiceUnit.name, "unit", &report)
    }
}
