internal import Authentication
internal import Glibc
internal import MailStore
internal import MartletCore

/// `martlet lab`: a complete server in one directory on loopback, with its accounts made.
package struct Lab: Sendable {
    package let options: LabOptions
    package let configuration: Configuration
    /// A line each.
    package let warnings: [String]

    /// Accounts made in one commit.
    static let batch = 500

    /// Checks everything that can be wrong before anything is made.
    /// - Throws: every mistake at once, in the options and in the configuration.
    package init(_ options: LabOptions, environment: [String: String]) throws(LabFailure) {
        self.options = options
        do throws(ConfigurationErrors) {
            let loaded = try Configuration.load(
                preset: options.preset(hasIPv6: PortCheck.hasIPv6Loopback), environment: environment,
                overrides: options.overrides)
            configuration = loaded.configuration
            warnings = loaded.settings.warnings.map(\.description)
        } catch {
            throw LabFailure(options.problems + error.issues.map(\.description))
        }
        guard options.problems.isEmpty else { throw LabFailure(options.problems) }
    }

    /// Serves until SIGTERM.
    package func run() async throws(ServerFailure) {
        let clock: any WallClock = if let file = options.clockFile { OffsetClock(path: file) } else { SystemClock() }
        let names = Server.CertificateNames(
            names: ["localhost", "mail.\(options.domain.ascii)", options.domain.ascii],
            addresses: Server.CertificateNames.loopback)
        let server = try await Server.open(configuration, directory: options.directory, clock: clock, names: names)
        // Whoever waits for the file is not to see that of an earlier start.
        unlink(options.directory.labFile)
        let users: Int
        do {
            users = try await makeAccounts(server, now: clock.now())
        } catch {
            await server.abandon()
            throw ServerFailure(.configuration, ["cannot make the lab's accounts: \(error)"])
        }
        try await server.run(reload: { nil }) { (ports) throws(FileFailure) in
            let readiness = LabReadiness(
                pid: getpid(), domain: options.domain.ascii, users: users, password: options.password,
                authority: options.directory.authorityCertificate, ports: ports)
            try options.directory.write(readiness.json + "\n", to: options.directory.labFile, mode: 0o644)
            print(readiness.json)
            fflush(nil)
        }
    }

    // MARK: Accounts

    /// Makes domain and accounts that are missing and gives all of the lab's the lab's password.
    /// - Returns: how many users there are now.
    private func makeAccounts(_ server: Server, now: Instant) async throws -> Int {
        let directory = server.store.engine
        if directory.domain(options.domain) == nil {
            try await directory.putDomain(
                LocalDomain(domain: options.domain, subaddressSeparator: configuration.subaddressSeparator))
        }
        let existing = Dictionary(
            directory.accounts().filter { $0.address.domain == options.domain }.map {
                ($0.address.foldedLocalPart, $0.id)
            },
            uniquingKeysWith: { first, _ in first })
        let highest = existing.keys.compactMap(Lab.userNumber).max() ?? 0
        let users = max(options.users, highest)

        var missing: [EmailAddress] = []
        var kept: [AccountID] = []
        for address in [options.administrator] + (0..<users).map({ options.userAddress($0 + 1) }) {
            guard let address else { continue }
            if let id = existing[address.foldedLocalPart] { kept.append(id) } else { missing.append(address) }
        }
        let state = "\(options.domain.ascii)\n\(options.password)\n"
        let isSamePassword = options.directory.read(options.directory.labState) == state
        guard !missing.isEmpty || !isSamePassword else { return users }

        // One hash for all: it takes a third of a second, and these accounts share their password anyway.
        let credential = try CredentialMaker.make(password: Secret(options.password), now: now)
        if !isSamePassword { for id in kept { try await directory.putCredential(credential, of: id) } }
        for start in stride(from: 0, to: missing.count, by: Lab.batch) {
            let accounts = missing[start..<min(start + Lab.batch, missing.count)].map { address in
                NewAccount(
                    address: address, quota: configuration.store.defaultQuota,
                    isAdministrator: address == options.administrator,
                    credential: credential)
            }
            _ = try await directory.createAccounts(accounts)
        }
        // Written last: a start that was cut short gives all accounts the password again.
        try options.directory.write(state, to: options.directory.labState, mode: 0o600)
        return users
    }

    /// 17 for `user0017`.
    static func userNumber(_ localPart: String) -> Int? {
        guard localPart.hasPrefix("user") else { return nil }
        let digits = localPart.dropFirst(4)
        guard digits.count >= 4, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(digits),
            number > 0
        else { return nil }
        return number
    }
}
