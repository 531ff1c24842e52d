package import DNSProtocol
internal import Foundation
package import MartletCore

/// What `martlet quickstart` was asked for, checked. What was not said is as the configuration has it that is there already,
/// or as a new server has it.
package struct QuickstartOptions: Sendable {
    package let domain: Domain
    /// The first account.
    package let address: EmailAddress
    package let hostname: Domain
    /// Absolute paths.
    package let configurationFile: String
    package let dataDirectory: DataDirectory
    /// Where the systemd unit goes; nil: none is written.
    package let unitDirectory: String?
    /// Both or neither.
    package let certificate: String
    package let key: String
    /// As whom the server runs.
    package let user: String
    /// Where the world reaches this machine; empty: the machine's own public addresses.
    package let addresses: [IPAddress]
    /// Further keys of the configuration.
    package let settings: [(key: String, value: String)]
    package let isDryRun: Bool

    /// As it was typed; nil and empty where nothing was.
    package struct Words: Sendable {
        package var domain: String
        package var address: String
        package var hostname: String?
        package var configurationFile = "/etc/martlet/martlet.yaml"
        package var dataDirectory: String?
        package var unitDirectory: String?
        package var certificate: String?
        package var key: String?
        package var user: String?
        package var addresses: [String] = []
        /// `KEY=VALUE`
        package var settings: [String] = []
        package var isDryRun = false

        package init(domain: String, address: String) {
            self.domain = domain
            self.address = address
        }
    }

    /// The user that root makes for the server.
    static let serverUser = "martlet"
    private static let systemUnits = "/etc/systemd/system"

    /// - Parameter existing: the configuration that is there already.
    /// - Throws: every mistake at once.
    package init(_ words: Words, existing: Configuration?) throws(QuickstartFailure) {
        var problems: [String] = []
        func absolute(_ path: String) -> String {
            path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        }
        let domain = Domain(words.domain)
        if domain == nil { problems.append("“\(escapedForTerminal(words.domain))” is no domain, such as example.org") }
        let address = EmailAddress(words.address)
        if address?.domain == nil || (domain != nil && address?.domain != domain) {
            problems.append(
                "“\(escapedForTerminal(words.address))” is no address in \(domain?.ascii ?? "the domain"); write, for "
                    + "example, anna@\(domain?.ascii ?? "example.org")")
        }
        let named = words.hostname ?? existing?.server.hostname?.ascii ?? domain.map { "mail.\($0.ascii)" } ?? ""
        let hostname = Domain(named)
        if hostname == nil, domain != nil {
            problems.append("--hostname: “\(escapedForTerminal(named))” is no host name, such as mail.example.org")
        }
        var addresses: [IPAddress] = []
        for text in words.addresses {
            guard let known = IPAddress(text) else {
                problems.append("--public-address: “\(escapedForTerminal(text))” is no IPv4 or IPv6 address")
                continue
            }
            addresses.append(known)
        }
        var settings: [(key: String, value: String)] = []
        for text in words.settings {
            guard let equals = text.firstIndex(of: "=") else {
                problems.append("--set: “\(escapedForTerminal(text))” has no “=”; write --set KEY=VALUE")
                continue
            }
            settings.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
        }
        if (words.certificate == nil) != (words.key == nil) { problems.append("--certificate and --key go together") }
        guard problems.isEmpty, let domain, let address, let hostname else { throw QuickstartFailure(.usage, problems) }
        self.domain = domain
        self.address = address
        self.hostname = hostname
        self.addresses = addresses
        self.settings = settings
        configurationFile = absolute(words.configurationFile)
        dataDirectory = DataDirectory(words.dataDirectory ?? existing?.server.dataDirectory ?? "/var/lib/martlet")
        certificate = words.certificate.map(absolute) ?? existing?.tls?.certificate ?? ""
        key = words.key.map(absolute) ?? existing?.tls?.key ?? ""
        isDryRun = words.isDryRun
        user =
            words.user ?? existing?.server.user
            ?? (Privileges.isRoot ? QuickstartOptions.serverUser : SystemUser.current?.name ?? "")
        let hasSystemUnits = FileManager.default.fileExists(atPath: QuickstartOptions.systemUnits)
        unitDirectory =
            words.unitDirectory.map(absolute)
            ?? (Privileges.isRoot && hasSystemUnits ? QuickstartOptions.systemUnits : nil)
    }
}

/// Why a quickstart ended before its end: a line each.
package struct QuickstartFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// What was asked for, or a file that is there: exit code 2.
        case usage
        /// The data cannot be reached: exit code 3.
        case unreachable
    }
    package let kind: Kind
    package let problems: [String]

    package init(_ kind: Kind, _ problems: [String]) {
        self.kind = kind
        self.problems = problems
    }

    package var description: String { problems.joined(separator: "\n") }
}
