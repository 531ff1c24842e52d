internal import Logging
internal import MartletCore
internal import NetworkTransport
internal import Synchronization

/// Which certificates a server shows, from wherever they are: those that the configuration names, those that an authority issued,
/// and, where neither gives one for everybody, one by the server's own authority, as the last resort. Nobody is shown a certificate
/// for somebody else's name because his own is not there. Each change puts all in force at once, or none.
final class CertificateKeeper: Sendable {
    /// What listeners take their certificates from.
    let box: TLSContextBox
    private let directory: DataDirectory
    private let names: Server.CertificateNames
    private let logger: Logger
    private let parts: Mutex<Parts>

    /// By the authority of acme.directory.
    struct Issued: Sendable {
        /// For the first of acme.names, and so for everybody where the configuration names none; nil while it is not there.
        var first: ServerTLS?
        var others: [ServerTLS] = []
    }

    private struct Parts {
        var configured: ConfiguredCertificates
        /// By the server's own authority; nil where the configuration names one for everybody.
        var own: ServerTLS?
        var issued = Issued()

        /// The one for everybody first, each with where it is from. Empty when nothing is there for everybody.
        func list(now: Instant) -> [(tls: ServerTLS, source: CertificateView.Source)] {
            let files = configured.listed.map { (tls: $0, source: CertificateView.Source.file) }
            let others = issued.others.map { (tls: $0, source: CertificateView.Source.acme) }
            let first = [issued.first].compactMap { $0 }.map { (tls: $0, source: CertificateView.Source.acme) }
            if let standard = configured.standard { return [(standard, .file)] + files + (first + others) }
            if let tls = issued.first, tls.facts.notAfter > now { return first + files + others }
            guard let own else { return [] }
            return [(own, .own)] + files + (first + others)
        }
    }

    /// - Throws: when a certificate cannot be used, or none can be made.
    init(
        _ configured: ConfiguredCertificates, directory: DataDirectory, names: Server.CertificateNames, now: Instant,
        logger: Logger
    ) throws(ServerFailure) {
        self.directory = directory
        self.names = names
        self.logger = logger
        if let standard = configured.standard {
            parts = Mutex(Parts(configured: configured))
            box = TLSContextBox(ServerCertificates(standard, others: configured.listed))
        } else {
            let own = try CertificateKeeper.makeOwn(directory, names, now: now, logger: logger)
            parts = Mutex(Parts(configured: configured, own: own))
            box = TLSContextBox(ServerCertificates(own, others: configured.listed, isLastResort: true))
        }
    }

    /// Reads the certificates that the configuration names again.
    /// - Throws: what is wrong; then the old ones stay, all of them.
    func reload(_ configuration: Configuration, now: Instant) throws(ServerFailure) {
        let fresh = try ConfiguredCertificates(configuration)
        var own: ServerTLS?
        if fresh.standard == nil { own = try makeOwn(now: now) }
        change(now: now) { parts in
            parts.configured = fresh
            parts.own = own
        }
    }

    /// Looks at the certificate by the server's own authority, where it has one, and renews it in time; and shows it again where the
    /// one for everybody is over.
    func renewOwn(now: Instant) throws(ServerFailure) {
        guard parts.withLock({ $0.own != nil }) else { return }
        let own = try makeOwn(now: now)
        change(now: now) { parts in if parts.own != nil { parts.own = own } }
    }

    /// What the authority of acme.directory has issued so far.
    func setIssued(_ issued: Issued, now: Instant) { change(now: now) { $0.issued = issued } }

    /// What is known of each that is shown now, and where it is from; the one for everybody first.
    func inForce(now: Instant) -> [(facts: CertificateFacts, source: CertificateView.Source)] {
        parts.withLock { $0.list(now: now) }.map { (facts: $0.tls.facts, source: $0.source) }
    }

    /// What is shown now, the one for everybody first.
    func views(now: Instant) -> [CertificateView] {
        parts.withLock { $0.list(now: now) }.enumerated().map { index, shown in
            let facts = shown.tls.facts
            return CertificateView(
                source: shown.source, names: facts.names, isStandard: index == 0, origin: facts.origin,
                issuer: facts.issuer, serialNumber: facts.serialNumber, notBefore: facts.notBefore.description,
                notAfter: facts.notAfter.description, isExpired: facts.notAfter < now, failures: 0)
        }
    }

    private func change(now: Instant, _ body: (inout Parts) -> Void) {
        parts.withLock { parts in
            body(&parts)
            let all = parts.list(now: now)
            guard let standard = all.first else { return }
            box.replace(
                with: ServerCertificates(
                    standard.tls, others: all.dropFirst().map(\.tls), isLastResort: standard.source == .own))
        }
    }

    private func makeOwn(now: Instant) throws(ServerFailure) -> ServerTLS {
        try CertificateKeeper.makeOwn(directory, names, now: now, logger: logger)
    }

    private static func makeOwn(
        _ directory: DataDirectory, _ names: Server.CertificateNames, now: Instant, logger: Logger
    ) throws(ServerFailure) -> ServerTLS {
        do {
            let identity = try CertificateAuthority(directory: directory).identity(
                names: names.names, addresses: names.addresses, now: now)
            if let warning = identity.warning { logger.warning("certificate", metadata: ["reason": "\(warning)"]) }
            return try ServerTLS(
                certificates: identity.certificates, key: identity.key, origin: directory.serverCertificate)
        } catch {
            throw ServerFailure(.configuration, ["\(error)"])
        }
    }
}
