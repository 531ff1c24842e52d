internal import DNSProtocol
internal import Foundation
package import MartletCore

/// What `martlet lab` was asked for, checked. The interface is a contract (Docs/lab.md): it grows, it does not change.
package struct LabOptions: Sendable {
    /// Mail for a domain that goes to a fixed place instead of to its MX.
    package struct Route: Sendable, Hashable {
        package var domain: Domain
        package var host: String
        package var port: Int

        /// As `outbound.routes` has it.
        var text: String { "\(domain.ascii)=\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    }

    package var directory: DataDirectory
    package var portBase: Int
    package var domain: Domain
    /// Accounts `user0001@domain` and on, besides `admin@domain`.
    package var users: Int
    package var password: String
    /// No rate and connection limits: for load tests.
    package var isOpen: Bool
    /// `KEY=VALUE`, above the lab's own.
    package var overrides: [String]
    /// Paths of zone files.
    package var zones: [String]
    package var resolver: (host: String, port: Int)?
    package var routes: [Route]
    /// A file with the seconds that the server's clock is ahead.
    package var clockFile: String?

    /// Users of the largest lab.
    static let maximumUsers = 1_000_000
    /// The numbers that are added to the port base.
    package static let services: [(service: String, port: Int)] = [
        ("smtp", 25), ("submission", 587), ("submissions", 465), ("imap", 143), ("imaps", 993), ("pop3", 110),
        ("pop3s", 995), ("metrics", 161),
    ]

    /// What is wrong, a line each; then nothing may be made with these options.
    package private(set) var problems: [String] = []

    /// Reads all, and tells of every mistake in `problems`.
    package init(
        directory: String, portBase: Int, domain: String, users: Int, password: String, isOpen: Bool,
        overrides: [String], zones: [String],
        resolver: String?, routes: [String], clockFile: String?
    ) {
        self.directory = DataDirectory(directory)
        self.portBase = (0...61_345).contains(portBase) ? portBase : 20_000
        if directory.isEmpty { problems.append("--dir is empty; name a directory") }
        if !(0...61_345).contains(portBase) {
            problems.append("--port-base \(portBase): ports would end beyond 65535; choose 0 to 61345")
        }
        if let name = Domain(domain) {
            self.domain = name
        } else {
            problems.append("--domain “\(escapedForTerminal(domain))” is no domain; write a name such as example.test")
            self.domain = LabOptions.fallbackDomain
        }
        self.users = users
        if !(0...LabOptions.maximumUsers).contains(users) {
            problems.append("--users \(users): choose 0 to \(LabOptions.maximumUsers)")
        }
        self.password = password
        if password.isEmpty { problems.append("--password is empty; choose one") }
        self.isOpen = isOpen
        self.overrides = overrides
        self.zones = zones
        for zone in zones {
            problems += LabOptions.problems(withZone: zone).map { "--zone \($0)" }
        }
        self.resolver = nil
        if let resolver {
            self.resolver = LabOptions.hostAndPort(resolver)
            if self.resolver == nil {
                problems.append("--resolver “\(escapedForTerminal(resolver))”: write HOST:PORT, such as 127.0.0.1:5353")
            }
        }
        self.routes = []
        for route in routes {
            if let parsed = LabOptions.route(route) {
                self.routes.append(parsed)
            } else {
                problems.append(
                    "--route “\(escapedForTerminal(route))”: write DOMAIN=HOST:PORT, such as other.test=127.0.0.1:30025"
                )
            }
        }
        self.clockFile = clockFile
        if let clockFile, let problem = OffsetClock.problem(with: clockFile) {
            problems.append("--clock \(escapedForTerminal(clockFile)): \(problem)")
        }
    }

    private static let fallbackDomain: Domain = {
        guard let domain = Domain("example.test") else { preconditionFailure("example.test is a domain") }
        return domain
    }()

    /// What is wrong with a zone file, each with its line.
    private static func problems(withZone path: String) -> [String] {
        let name = escapedForTerminal(path)
        guard let data = FileManager.default.contents(atPath: path) else {
            return ["\(name): cannot be read; is the path right?"]
        }
        do throws(ZoneFileErrors) {
            let records = try ZoneFile.parse(Array(data)).records
            return records.isEmpty ? ["\(name): holds no record; is the file right?"] : []
        } catch {
            return error.errors.map { "\(name):\($0.line): \(escapedForTerminal($0.problem))" }
        }
    }

    static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            return ConfigurationKey.isIPv6(host) ? (host, Int(port)) : nil
        }
        return ConfigurationKey.isIPv4(host) || Domain(host) != nil ? (host, Int(port)) : nil
    }

    private static func route(_ text: String) -> Route? {
        guard let equals = text.firstIndex(of: "="), let domain = Domain(String(text[..<equals])),
            let target = hostAndPort(String(text[text.index(after: equals)...]))
        else { return nil }
        return Route(domain: domain, host: target.host, port: target.port)
    }

    /// The lab's own configuration, below `--set`.
    /// - Parameter hasIPv6: whether this machine has the address ::1.
    package func preset(hasIPv6: Bool) -> [(key: String, value: String)] {
        var preset = [
            ("server.hostname", "mail.\(domain.ascii)"), ("server.data-directory", directory.path),
            ("auth.plaintext-from-loopback", "true"), ("outbound.loopback-is-elsewhere", "true"),
            ("dns.servers", resolver.map { "\($0.host)@\($0.port)" } ?? "none"), ("dns.trust-anchor", ""),
            ("dns.zones", zones.joined(separator: ",")),
            ("outbound.routes", routes.isEmpty ? "none" : routes.map(\.text).joined(separator: ",")),
        ]
        // The two of an authority's proofs listen when acme.directory is set.
        for (service, number) in LabOptions.services + [("acme", 80), ("acme-tls", 443)] {
            let port = portBase + number
            // The metrics' library asks a resolver for its address, which refuses ::1 where that is all of IPv6.
            let isDual = hasIPv6 && service != "metrics"
            preset.append(("listeners.\(service)", "127.0.0.1:\(port)" + (isDual ? ", [::1]:\(port)" : "")))
        }
        if isOpen {
            preset.append(("auth.delay", "false"))
            for service in ["smtp", "imap", "pop3"] {
                preset.append(("\(service).max-connections", "1000000"))
                preset.append(("\(service).max-connections-per-address", "1000000"))
            }
        }
        return preset.map { (key: $0.0, value: $0.1) }
    }

    /// `user0001@domain` for 1.
    package func userAddress(_ number: Int) -> EmailAddress? {
        let digits = "\(number)"
        return EmailAddress(
            localPart: "user" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits, domain: domain)
    }

    package var administrator: EmailAddress? { EmailAddress(localPart: "admin", domain: domain) }
}

/// Why the lab was not started: one clear line each. Nothing was made.
package struct LabFailure: Error, Sendable, CustomStringConvertible {
    package let problems: [String]
    package init(_ problems: [String]) { self.problems = problems }
    package var description: String { problems.joined(separator: "\n") }
}
