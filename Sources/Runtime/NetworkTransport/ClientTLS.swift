internal import MartletCore
package import NIOCore
internal import NIOSSL
internal import X509

/// What a client's handshakes need; made once, shared by all connections.
///
/// Certificates are looked at here and not by the TLS library, so that an unverified one can be lived with and what is wrong with it is
/// known (RFC 7435: opportunistic security).
public struct ClientTLS: Sendable {
    public enum TrustRoots: Sendable, Hashable {
        /// Those of the machine.
        case system
        /// PEM.
        case certificates([UInt8])
    }

    private let context: NIOSSLContext
    private let roots: CertificateStore

    /// - Parameters:
    ///   - trustRoots: who may issue certificates.
    ///   - allowsOldVersions: TLS 1.0 and 1.1 too: better than no TLS at all where that would be the alternative (RFC 8996 §5).
    /// - Throws: `TLSConfigurationError`.
    public init(trustRoots: TrustRoots = .system, allowsOldVersions: Bool = false) throws {
        switch trustRoots {
        case .system: roots = .systemTrustRoots
        case .certificates(let pem):
            do {
                // The library takes no certificates for unreadable PEM.
                let certificates = try pem.isEmpty ? [] : NIOSSLCertificate.fromPEMBytes(pem)
                roots = CertificateStore(
                    try certificates.map { try Certificate(derEncoded: $0.toDERBytes()) })
            } catch { throw TLSConfigurationError(reason: "the trusted certificates are not readable PEM: \(error)") }
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = allowsOldVersions ? .tlsv1 : .tlsv12
        // The names are checked with the rest; and the library need not read the machine's roots, which it would not use.
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.shutdownTimeout = .seconds(1)
        do { context = try NIOSSLContext(configuration: configuration) } catch {
            throw TLSConfigurationError(reason: "TLS cannot be set up: \(error)")
        }
    }

    /// Puts TLS below what is in the channel's pipeline and begins the handshake, on the channel's event loop. Whoever waits for its end
    /// hears `TLSUserEvent.handshakeCompleted` or an error.
    /// - Parameters:
    ///   - serverName: for SNI and for the certificate; nil or an address: no SNI, and no certificate is for it.
    ///   - isVerifiedOnly: the handshake fails when the certificate does.
    package func begin(on channel: any Channel, serverName: String?, isVerifiedOnly: Bool) throws -> ClientHandshake {
        let isAddress = serverName.map { (try? SocketAddress(ipAddress: $0, port: 0)) != nil } ?? false
        let name = isAddress ? nil : serverName
        let handshake = ClientHandshake(serverName: name)
        let handler = try NIOSSLClientHandler(context: context, serverHostname: name) { [roots] certificates, promise in
            let chain = certificates.compactMap { try? $0.toDERBytes() }
            Task {
                let check = await CertificateCheck.check(chain, serverName: name, roots: roots)
                promise.futureResult.eventLoop.execute {
                    handshake.check = check
                    promise.succeed(check == .verified || !isVerifiedOnly ? .certificateVerified : .failed)
                }
            }
        }
        try channel.pipeline.syncOperations.addHandler(handler, position: .first)
        try channel.pipeline.syncOperations.addHandler(handshake, position: .first)
        return handshake
    }
}
