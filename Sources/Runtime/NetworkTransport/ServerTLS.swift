public import MartletCore
internal import NIOCore
internal import NIOSSL

/// A server's certificate chain and key, ready for handshakes.
public struct ServerTLS: Sendable {
    let context: NIOSSLContext
    /// The certificate's hash for `tls-server-end-point`.
    let serverEndPoint: [UInt8]
    public let facts: CertificateFacts

    /// Forward secrecy and authenticated encryption, nothing else (RFC 9325 §4.2); TLS 1.3 has no other suites.
    static let cipherSuites: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    /// - Parameters:
    ///   - certificates: PEM, the leaf first.
    ///   - key: PEM.
    ///   - origin: where they are from, for people.
    /// - Throws: `TLSConfigurationError` with what is wrong, for people.
    public init(certificates: [UInt8], key: [UInt8], origin: String) throws {
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
        configuration.cipherSuiteValues = ServerTLS.cipherSuites
        configuration.certificateVerification = .none
        configuration.shutdownTimeout = .seconds(1)
        do { context = try NIOSSLContext(configuration: configuration) } catch {
            throw TLSConfigurationError(reason: "certificate and key do not go together: \(error)")
        }
        let der = try leaf.toDERBytes()
        serverEndPoint = ServerEndPoint.hash(certificate: der)
        do { facts = try CertificateFacts(der: der, origin: origin) } catch {
            throw TLSConfigurationError(reason: "the certificate is not readable: \(error)")
        }
    }
}

public struct TLSConfigurationError: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
}
