internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// A server's certificate chain and key, ready for handshakes.
public struct ServerTLS: Sendable {
    let context: NIOSSLContext
    /// The certificate's hash for `tls-server-end-point`.
    let serverEndPoint: [UInt8]

    /// - Parameters:
    ///   - certificates: PEM, the leaf first.
    ///   - key: PEM.
    /// - Throws: `TLSConfigurationError` with what is wrong, for people.
    public init(certificates: [UInt8], key: [UInt8]) throws {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(certificates) } catch {
            throw TLSConfigurationError(reason: "the certificate is not readable PEM: \(error)")
        }
        guard let leaf = chain.first else {
            throw TLSConfigurationError(reason: "the certificate file holds no certificate")
        }
        let privateKey: NIOSSLPrivateKey
        do { privateKey = try NIOSSLPrivateKey(bytes: key, format: .pem) } catch {
            throw TLSConfigurationError(reason: "the private key is not readable PEM: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .none
        configuration.shutdownTimeout = .seconds(1)
        do { context = try NIOSSLContext(configuration: configuration) } catch {
            throw TLSConfigurationError(reason: "certificate and key do not go together: \(error)")
        }
        serverEndPoint = ServerEndPoint.hash(certificate: try leaf.toDERBytes())
    }
}

public struct TLSConfigurationError: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
}

/// The certificate in force. Replacing it touches new handshakes only; connections that stand go on.
public final class TLSContextBox: Sendable {
    private let state: Mutex<ServerTLS>

    public init(_ tls: ServerTLS) { state = Mutex(tls) }

    public var current: ServerTLS { state.withLock { $0 } }
    public func replace(with tls: ServerTLS) { state.withLock { $0 = tls } }
}
