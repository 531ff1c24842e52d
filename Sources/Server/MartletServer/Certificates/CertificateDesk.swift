internal import Synchronization

/// Where administration asks about certificates: the running server answers, and where none runs nobody does.
package final class CertificateDesk: Sendable {
    struct Clerk: Sendable {
        var list: @Sendable () async -> [CertificateView]
        /// nil: all that an authority issues.
        var renew: @Sendable (_ name: String?) async throws -> [CertificateView]
    }

    private let clerk = Mutex<Clerk?>(nil)

    package init() {}

    func connect(_ clerk: Clerk) { self.clerk.withLock { $0 = clerk } }

    /// nil: no server runs.
    func list() async -> [CertificateView]? { await clerk.withLock({ $0 })?.list() }

    func renew(_ name: String?) async throws(AdministrationFailure) -> [CertificateView] {
        guard let clerk = clerk.withLock({ $0 }) else { throw CertificateDesk.nobody }
        do { return try await clerk.renew(name) } catch {
            throw error as? AdministrationFailure ?? AdministrationFailure(.unavailable, "\(error)")
        }
    }

    static let nobody = AdministrationFailure(
        .unavailable, "no server runs here, and certificates are the running server's",
        remedy: "start it with “martlet serve”")
}

/// A certificate as people and programs are told of it.
package struct CertificateView: Codable, Sendable, Hashable {
    package enum Source: String, Codable, Sendable {
        /// Named in the configuration.
        case file
        /// Issued by the authority of acme.directory.
        case acme
        /// By the server's own authority, which clients do not trust by themselves.
        case own
    }
    package var source: Source
    /// The names that it is for; of one that is not issued yet, those that it is to be for.
    package var names: [String]
    /// Whether clients get it that ask for no name of another one.
    package var isStandard: Bool
    /// A file's path. This and the times are absent while it is not issued.
    package var origin: String?
    package var issuer: String?
    package var serialNumber: String?
    /// RFC 3339.
    package var notBefore: String?
    package var notAfter: String?
    package var isExpired: Bool
    /// When it is renewed next, or an attempt that failed is made again.
    package var nextAttempt: String?
    /// Attempts that failed since the last one that did not.
    package var failures: Int
    package var failedAt: String?
    package var problem: String?
    package var remedy: String?
}
