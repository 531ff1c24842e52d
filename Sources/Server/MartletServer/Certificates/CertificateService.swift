internal import CertificateIssuance
internal import MartletCore
internal import NetworkTransport

/// What a running server does for its certificates: answers authorities, renews, and is asked by administration.
struct CertificateService: Sendable {
    private let server: ProofServer?
    private let renewals: CertificateRenewals?
    private let work: Task<Void, Never>?

    /// - Throws: `BindError` naming the address that could not be had.
    static func start(_ server: Server) async throws -> CertificateService {
        let configuration = server.configuration
        guard let acme = configuration.acme else {
            let keeper = server.certificates
            let clock = server.clock
            server.store.certificates.connect(
                CertificateDesk.Clerk(
                    list: { keeper.views(now: clock.now()) },
                    renew: { _ in
                        throw AdministrationFailure(
                            .refused, "no authority issues certificates for this server",
                            remedy: "set acme.directory, or renew the files of tls.certificate and send a SIGHUP")
                    }))
            return CertificateService(server: nil, renewals: nil, work: nil)
        }
        let proofs = ProofBook()
        var boundSocket: (@Sendable (Listener.Endpoint) -> CInt?)?
        if let sockets = server.sockets { boundSocket = { sockets.take($0) } }
        let proofServer: ProofServer =
            switch acme.challenge {
            case .http:
                try await .files(
                    proofs, on: configuration.listeners.acme, group: server.group, boundSocket: boundSocket)
            case .tlsALPN:
                try await .certificates(
                    proofs, on: configuration.listeners.acmeTLS, group: server.group, boundSocket: boundSocket)
            }
        let renewals = CertificateRenewals(server, acme, proofs: proofs)
        server.store.certificates.connect(
            CertificateDesk.Clerk(
                list: { await renewals.views() }, renew: { try await renewals.renew($0) }))
        return CertificateService(server: proofServer, renewals: renewals, work: Task { await renewals.run() })
    }

    /// Nothing of it is under way afterwards.
    func stop() async {
        work?.cancel()
        await renewals?.stop()
        await work?.value
        await server?.close()
    }
}
