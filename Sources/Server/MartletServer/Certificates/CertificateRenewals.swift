internal import ACMEProtocol
internal import CertificateIssuance
internal import Foundation
internal import Logging
internal import MartletCore
internal import NIOCore
internal import NetworkTransport

/// Has the certificates of `acme.names` issued, one for each name, and renewed in time. The old one is shown until the new one
/// is there and found good; what fails is logged with what to do, remembered over a restart, and tried again by a schedule.
actor CertificateRenewals {
    private struct Entry {
        let name: String
        var current: ServerTLS?
        var history: IssuedCertificateFiles.History
        /// Where in its span the renewal lies.
        let chance: Double
        /// The one under way.
        var attempt: Task<ACMEFailure?, Never>?
        /// It is shown until the present authority's is there, which is asked at once.
        var isByAnotherAuthority: Bool

        /// When the next attempt is made; nil: at once.
        func nextAttempt(now: Instant) -> Instant? {
            let earliest = RenewalSchedule.earliest(history.notBefore.map { Instant(microseconds: $0) }, now: now)
            guard !isByAnotherAuthority, let facts = current?.facts else { return earliest }
            let renewal = RenewalSchedule.renewal(notBefore: facts.notBefore, notAfter: facts.notAfter, chance: chance)
            return max(renewal, earliest ?? renewal)
        }
    }

    private let acme: Configuration.ACME
    private let files: IssuedCertificateFiles
    private let keeper: CertificateKeeper
    private let proofs: ProofBook
    private let group: any EventLoopGroup
    private let clock: any WallClock
    private let logger: Logger
    private var entries: [Entry]
    private var isEnding = false

    /// The longest and the shortest pause between two looks at the clock: it may have been set.
    private static let longestPause = Duration.seconds(60)
    private static let shortestPause = Duration.milliseconds(200)
    /// A certificate is not asked for again so soon after one came, or after a tenth of its lifetime where that is less.
    private static let rest = Duration.seconds(3_600)
    /// Characters of what failed that are told.
    private static let maximumProblem = 600

    /// Nothing happens before `run`; certificates that are kept are shown from now on.
    init(_ server: Server, _ acme: Configuration.ACME, proofs: ProofBook) {
        self.acme = acme
        files = IssuedCertificateFiles(directory: server.directory)
        keeper = server.certificates
        self.proofs = proofs
        group = server.group
        clock = server.clock
        logger = server.log.logger("acme")
        let files = self.files
        let names = acme.names.isEmpty ? [server.configuration.effectiveHostname] : acme.names
        entries = names.map { name in
            let history = files.history(name).counted(by: acme.directory)
            return Entry(
                name: name, current: files.certificate(name), history: history, chance: .random(in: 0..<1),
                isByAnotherAuthority: history.authority.map { $0 != acme.directory } ?? false)
        }
        keeper.setIssued(CertificateRenewals.issued(entries), now: clock.now())
    }

    private static func issued(_ entries: [Entry]) -> CertificateKeeper.Issued {
        CertificateKeeper.Issued(
            first: entries.first?.current, others: entries.dropFirst().compactMap(\.current))
    }

    /// Goes on until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            for index in entries.indices where isDue(index) { _ = await attempt(index) }
            let now = clock.now()
            let next = entries.map { ($0.nextAttempt(now: now) ?? now) - now }.min() ?? CertificateRenewals.longestPause
            let pause = min(max(next, CertificateRenewals.shortestPause), CertificateRenewals.longestPause)
            try? await Task.sleep(for: pause)
        }
    }

    private func isDue(_ index: Int) -> Bool {
        guard entries[index].attempt == nil else { return false }
        let now = clock.now()
        return entries[index].nextAttempt(now: now).map { $0 <= now } ?? true
    }

    /// Gives up what is under way, waits for its end, and begins nothing any more.
    func stop() async {
        isEnding = true
        let attempts = entries.compactMap(\.attempt)
        for attempt in attempts { attempt.cancel() }
        for attempt in attempts { _ = await attempt.value }
    }

    /// Asks now, whatever the schedule says.
    /// - Parameter name: nil: all.
    func renew(_ name: String?) async throws -> [CertificateView] {
        let wanted = name?.lowercased()
        let indices = entries.indices.filter { wanted == nil || entries[$0].name == wanted }
        guard !indices.isEmpty else {
            throw AdministrationFailure(
                .notFound, "no certificate for \(escapedForTerminal(name ?? "")) is issued by an authority",
                remedy: "“martlet certificate list” lists them; acme.names says which are wanted")
        }
        var failures: [ACMEFailure] = []
        for index in indices {
            guard entries[index].attempt == nil else {
                throw AdministrationFailure(.refused, "\(entries[index].name) is asked for at this moment")
            }
            if let failure = await attempt(index) { failures.append(failure) }
        }
        guard let first = failures.first else { return views().filter { $0.source == .acme } }
        let others = failures.count > 1 ? " (and \(failures.count - 1) more failed)" : ""
        throw AdministrationFailure(
            first.kind == .unreachable ? .unavailable : .refused,
            escapedForTerminal(first.problem, limit: CertificateRenewals.maximumProblem) + others, remedy: first.remedy)
    }

    // MARK: One attempt

    /// - Returns: why it failed; nil when there is a new certificate.
    private func attempt(_ index: Int) async -> ACMEFailure? {
        guard !isEnding else { return .ending }
        // A task of its own, whoever waits for it: the server's end is what cancels it.
        let attempt = Task { await ask(index) }
        entries[index].attempt = attempt
        return await attempt.value
    }

    private func ask(_ index: Int) async -> ACMEFailure? {
        let name = entries[index].name
        entries[index].history.asked = acme.directory
        defer { entries[index].attempt = nil }
        logger.info("asking for a certificate", metadata: ["name": "\(name)", "authority": "\(acme.directory)"])
        do throws(ACMEFailure) {
            // What comes has to be kept: better to find out before the authority has counted one more.
            do { try files.keep(entries[index].history, name) } catch {
                throw ACMEFailure(
                    .setup, "a new certificate could not be kept: \(error)",
                    remedy: "look at the disk and at who owns tls/acme")
            }
            let issued = try await issue(name)
            let tls: ServerTLS
            do { tls = try files.keep(issued, name) } catch {
                throw ACMEFailure(
                    .setup, "the new certificate cannot be kept: \(error)",
                    remedy: "look at the disk and at who owns tls/acme")
            }
            entries[index].current = tls
            let lifetime = tls.facts.notAfter - tls.facts.notBefore
            let rest = min(CertificateRenewals.rest, lifetime / 10)
            entries[index].history = .init(
                authority: acme.directory, notBefore: (clock.now() + rest).microseconds, asked: acme.directory)
            entries[index].isByAnotherAuthority = false
            keeper.setIssued(CertificateRenewals.issued(entries), now: clock.now())
            logger.notice(
                "a certificate was issued and is shown from now on",
                metadata: ["name": "\(name)", "until": "\(tls.facts.notAfter)", "serial": "\(tls.facts.serialNumber)"])
            remember(index)
            return nil
        } catch {
            // A server that ends has not failed.
            if !Task.isCancelled { failed(index, error) }
            return error
        }
    }

    private func failed(_ index: Int, _ failure: ACMEFailure) {
        let now = clock.now()
        let failures = entries[index].history.failures + 1
        let pause = RenewalSchedule.pause(
            failures: failures, first: acme.firstRetry, retryAfter: failure.retryAfter, chance: .random(in: 0..<1))
        entries[index].history = .init(
            failures: failures, failedAt: now.microseconds, problem: failure.problem, remedy: failure.remedy,
            authority: entries[index].history.authority, notBefore: (now + pause).microseconds, asked: acme.directory)
        let old =
            entries[index].current.map { "the old one is shown on, until \($0.facts.notAfter)" } ?? "there is none yet"
        logger.error(
            "no certificate was issued",
            metadata: [
                "name": "\(entries[index].name)",
                "reason": "\(escapedForTerminal(failure.problem, limit: CertificateRenewals.maximumProblem))",
                "remedy": "\(failure.remedy)", "attempts": "\(failures)", "next": "\(now + pause)", "now": "\(old)",
            ])
        remember(index)
    }

    private func remember(_ index: Int) {
        do { try files.keep(entries[index].history, entries[index].name) } catch {
            logger.error("what was tried cannot be kept", metadata: ["reason": "\(error)"])
        }
    }

    private func issue(_ name: String) async throws(ACMEFailure) -> IssuedCertificate {
        var settings = CertificateIssuer.Settings(directory: acme.directory, userAgent: "martlet/\(Version.text)")
        settings.contacts = acme.contacts
        settings.agreesToTerms = acme.agreesToTerms
        settings.challenge = acme.challenge
        if let path = acme.trustedCertificates {
            settings.trustedCertificates = try CertificateRenewals.content(path, "acme.ca-certificates")
        }
        if let path = acme.externalAccount {
            settings.externalAccount = try CertificateRenewals.externalAccount(path)
        }
        let accountKey: String
        do throws(FileFailure) { accountKey = try files.accountKey(authority: acme.directory) } catch {
            throw ACMEFailure(.setup, error.description, remedy: "look at the disk and at who owns tls/acme")
        }
        let clock = self.clock
        return try await CertificateIssuer(settings, accountKey: accountKey, proofs: proofs, group: group).issue(
            names: [name], now: { clock.now() })
    }

    private static func content(_ path: String, _ key: String) throws(ACMEFailure) -> [UInt8] {
        if let bytes = DataDirectory.bytes(of: path) { return bytes }
        throw ACMEFailure(
            .setup, "\(key): \(path) cannot be read", remedy: "is the path right, and may this user read it?")
    }

    /// Two words: the identifier, and the MAC key in base64url.
    private static func externalAccount(_ path: String) throws(ACMEFailure) -> ACMEExternalAccount {
        let words = String(decoding: try content(path, "acme.external-account"), as: UTF8.self).split {
            $0.isWhitespace
        }
        guard words.count == 2, let key = Base64URL.decode(String(words[1].filter { $0 != "=" })), !key.isEmpty else {
            throw ACMEFailure(
                .setup, "acme.external-account: \(path) does not hold an identifier and a key",
                remedy: "write both as the authority gave them, with a space between them")
        }
        return ACMEExternalAccount(identifier: String(words[0]), macKey: key)
    }

    // MARK: What is told

    /// All certificates that are shown, and those that are wanted and not there.
    func views() -> [CertificateView] {
        let now = clock.now()
        var views = keeper.views(now: now)
        for entry in entries {
            let index = views.firstIndex { $0.source == .acme && $0.names.contains(entry.name) }
            var view =
                index.map { views[$0] }
                ?? CertificateView(source: .acme, names: [entry.name], isStandard: false, isExpired: false, failures: 0)
            view.nextAttempt = (entry.nextAttempt(now: now) ?? now).description
            view.failures = entry.history.failures
            view.failedAt = entry.history.failedAt.map { Instant(microseconds: $0).description }
            view.problem = entry.history.problem
            view.remedy = entry.history.remedy
            if let index { views[index] = view } else { views.append(view) }
        }
        return views
    }
}
