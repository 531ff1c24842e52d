internal import Logging
internal import MartletCore
internal import NetworkTransport
internal import Synchronization

/// Which certificates a server shows, from wherever they are: those that the configuration names, or one by the server's own
/// authority where it names none for everybody. Each change puts all of them in force at once, or none.
final class CertificateKeeper: Sendable {
    /// What listeners take their certificates from.
    let box: TLSContextBox
    private let directory: DataDirectory
    private let names: Server.CertificateNames
    private let logger: Logger
    private let parts: Mutex<Parts>

    private struct Parts {
        var configured: ConfiguredCertificates
        /// By the server's own authority; nil where the configuration names one for everybody.
        var own: ServerTLS?

        /// nil when nothing is there for everybody.
        var all: ServerCertificates? {
            guard let standard = configured.standard ?? own else { return nil }
            return ServerCertificates(standard, others: configured.listed)
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
        let standard: ServerTLS
        if let named = configured.standard {
            standard = named
            parts = Mutex(Parts(configured: configured))
        } else {
            standard = try CertificateKeeper.makeOwn(directory, names, now: now, logger: logger)
            parts = Mutex(Parts(configured: configured, own: standard))
        }
        box = TLSContextBox(ServerCertificates(standard, others: configured.listed))
    }

    /// Reads the certificates that the configuration names again.
    /// - Throws: what is wrong; then the old ones stay, all of them.
    func reload(_ configuration: Configuration, now: Instant) throws(ServerFailure) {
        let fresh = try ConfiguredCertificates(configuration)
        var own: ServerTLS?
        if fresh.standard == nil { own = try makeOwn(now: now) }
        change { parts in
            parts.configured = fresh
            parts.own = own
        }
    }

    /// Looks at the certificate by the server's own authority, where it has one, and renews it in time.
    func renewOwn(now: Instant) throws(ServerFailure) {
        guard parts.withLock({ $0.own != nil }) else { return }
        let own = try makeOwn(now: now)
        change { parts in if parts.own != nil { parts.own = own } }
    }

    private func change(_ body: (inout sending Parts) -> Void) {
        parts.withLock { parts in
            body(&parts)
            if let all = parts.all { box.replace(with: all) }
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
