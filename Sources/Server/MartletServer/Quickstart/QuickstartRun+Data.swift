internal import Foundation
internal import Glibc
internal import MartletCore
internal import NetworkTransport

// User, data directory, certificate, domain and account.
extension QuickstartRun {
    func makeUser(_ report: inout QuickstartReport) throws(QuickstartFailure) {
        guard Privileges.isRoot, user == nil else { return }
        let name = configuration.server.user ?? options.user
        guard !options.isDryRun else {
            report.steps.append(.init("user", .wouldMake, "\(escapedForTerminal(name)), a system user without a login"))
            return
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/useradd")
        process.arguments = [
            "--system", "--user-group", "--no-create-home", "--home-dir", directory.path, "--shell",
            "/usr/sbin/nologin",
            name,
        ]
        do { try process.run() } catch {
            throw QuickstartFailure(
                .usage,
                ["there is no user \(escapedForTerminal(name)) and no useradd; make it, or name another with --user"])
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0, SystemUser(named: name) != nil else {
            throw QuickstartFailure(.usage, ["useradd did not make the user \(escapedForTerminal(name))"])
        }
        report.steps.append(.init("user", .made, "\(escapedForTerminal(name)), a system user without a login"))
    }

    /// The server's user, who may have been made a moment ago.
    private var owner: SystemUser? { user ?? SystemUser(named: configuration.server.user ?? options.user) }

    func makeData(_ report: inout QuickstartReport) throws(QuickstartFailure) {
        let isThere = directory.isInUse
        guard !options.isDryRun else {
            report.steps.append(.init("data", isThere ? .unchanged : .wouldMake, directory.path))
            return
        }
        do throws(FileFailure) {
            if Privileges.isRoot, let owner {
                var status = stat()
                // What root made is given away when all is done.
                if stat(directory.path, &status) != 0 || status.st_uid != 0 {
                    try DataOwnership.prepare(directory, for: owner)
                }
            }
            try directory.create()
        } catch {
            throw QuickstartFailure(.usage, [error.description])
        }
        report.steps.append(.init("data", isThere ? .unchanged : .made, directory.path))
    }

    func makeCertificate(_ report: inout QuickstartReport, now: Instant) throws(QuickstartFailure) {
        if let files = configuration.tls {
            let certificate = DataDirectory.bytes(of: files.certificate)
            let key = DataDirectory.bytes(of: files.key)
            guard let certificate, let key else {
                let missing = certificate == nil ? files.certificate : files.key
                throw QuickstartFailure(.usage, ["\(missing) cannot be read; is the path right?"])
            }
            do { _ = try ServerTLS(certificates: certificate, key: key, origin: files.certificate) } catch {
                throw QuickstartFailure(.usage, ["\(files.certificate) and \(files.key): \(error)"])
            }
            report.steps.append(.init("certificate", .unchanged, files.certificate))
            return
        }
        let told = "\(directory.serverCertificate), by an authority of its own: \(directory.authorityCertificate)"
        let before = directory.read(directory.serverCertificate)
        guard !options.isDryRun else {
            report.steps.append(.init("certificate", before == nil ? .wouldMake : .unchanged, told))
            return
        }
        // The same as “martlet serve” asks for, which then uses it.
        let hostname = configuration.effectiveHostname
        do throws(CertificateAuthority.Failure) {
            _ = try CertificateAuthority(directory: directory).identity(
                names: hostname == "localhost" ? [hostname] : [hostname, "localhost"],
                addresses: Server.CertificateNames.loopback, now: now)
        } catch {
            throw QuickstartFailure(.usage, [error.description])
        }
        let isSame = before == directory.read(directory.serverCertificate)
        report.steps.append(.init("certificate", isSame ? .unchanged : .made, told))
    }

    func makeAccount(
        _ report: inout QuickstartReport, _ askPassword: AskPassword
    ) async throws {
        let (domain, address) = (options.domain.ascii, options.address.description)
        // A dry run opens no store: that could bring it up to date.
        if options.isDryRun, !isRunning {
            let note = directory.isInUse ? " (unless it is there)" : ""
            report.steps += [
                .init("domain", .wouldMake, domain + note), .init("account", .wouldMake, address + note),
            ]
            return
        }
        let session: AdministrationSession
        do throws(AdministrationUnreachable) {
            session = try await AdministrationSession.open(directory, configuration: configuration)
        } catch {
            throw QuickstartFailure(.unreachable, [error.description])
        }
        defer {
            session.close()
            if !options.isDryRun, let owner { _ = DataOwnership.give(directory, to: owner) }
        }
        let done: QuickstartReport.Step.State = options.isDryRun ? .wouldMake : .made
        var hasDomain = false
        if case .domains(let domains) = try await ask(session, .domainList) {
            hasDomain = domains.contains { $0.domain == domain }
        }
        if !hasDomain, !options.isDryRun {
            _ = try await ask(session, .domainAdd(domain: domain, catchAll: nil, separator: .keep))
        }
        report.steps.append(.init("domain", hasDomain ? .unchanged : done, domain))

        var hasAccount = false
        if case .accounts(let accounts) = try await ask(session, .accountList) {
            hasAccount = accounts.contains { $0.address.lowercased() == address.lowercased() }
        }
        if !hasAccount, !options.isDryRun {
            let (password, isGenerated) = try askPassword(address)
            _ = try await ask(
                session,
                .accountAdd(
                    address: address, displayName: "", quota: nil, usesDefaultQuota: true, isAdministrator: false,
                    password: password))
            if isGenerated { report.password = String(decoding: password.secret.exposed, as: UTF8.self) }
        }
        report.steps.append(.init("account", hasAccount ? .unchanged : done, address))
    }

    private func ask(
        _ session: AdministrationSession, _ request: AdministrationRequest
    ) async throws(QuickstartFailure) -> AdministrationResponse {
        let response: AdministrationResponse
        do throws(AdministrationUnreachable) { response = try await session.perform(request) } catch {
            throw QuickstartFailure(.unreachable, [error.description])
        }
        guard case .failure(let failure) = response else { return response }
        throw QuickstartFailure(failure.kind == .unavailable ? .unreachable : .usage, [failure.description])
    }
}
