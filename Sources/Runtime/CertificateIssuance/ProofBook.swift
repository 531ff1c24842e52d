package import ACMEProtocol
internal import Crypto
internal import Foundation
internal import NIOSSL
internal import SwiftASN1
internal import Synchronization
internal import X509

/// The proofs that stand ready for an authority to look at. Shared by the issuer, which puts them there, and the servers.
public final class ProofBook: Sendable {
    private struct State {
        /// By token.
        var files: [String: String] = [:]
        /// By name.
        var certificates: [String: NIOSSLContext] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    package func add(_ proof: ACMEProof) throws(ACMEFailure) {
        switch proof.kind {
        case .http: state.withLock { $0.files[proof.token] = proof.keyAuthorization }
        case .tlsALPN:
            let context: NIOSSLContext
            do { context = try ProofBook.context(for: proof) } catch {
                throw ACMEFailure(
                    .setup, "no certificate for the proof can be made: \(error)", remedy: "tell its developers")
            }
            state.withLock { $0.certificates[proof.name] = context }
        }
    }

    func remove(_ proof: ACMEProof) {
        state.withLock { state in
            state.files[proof.token] = nil
            state.certificates[proof.name] = nil
        }
    }

    /// The content of `/.well-known/acme-challenge/TOKEN`.
    func file(_ token: String) -> String? { state.withLock { $0.files[token] } }

    /// TLS for a handshake that asks for this name and for `acme-tls/1`.
    func context(for name: String) -> NIOSSLContext? { state.withLock { $0.certificates[name.lowercased()] } }

    /// RFC 8737 §3
    static let applicationProtocol = "acme-tls/1"
    /// A proof's certificate is valid so long before it is made, and after: the authority looks at neither (RFC 8737 §3).
    private static let backdating: TimeInterval = 3_600
    private static let lifetime: TimeInterval = 86_400

    /// A certificate for the name alone, with the key authorization's hash in a critical extension (RFC 8737 §3).
    private static func context(for proof: ACMEProof) throws -> NIOSSLContext {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("ACME proof") }
        // id-pe-acmeIdentifier; its value is an OCTET STRING of 32 octets.
        let digest = SHA256.hash(data: Array(proof.keyAuthorization.utf8))
        let identifier = Certificate.Extension(
            oid: [1, 3, 6, 1, 5, 5, 7, 1, 31], critical: true, value: ([0x04, 0x20] + Array(digest))[...])
        let now = Date()
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: now - backdating,
            notValidAfter: now + lifetime, issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                SubjectAlternativeNames([.dnsName(proof.name)])
                identifier
            }, issuerPrivateKey: .init(key))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .none
        configuration.applicationProtocols = [applicationProtocol]
        return try NIOSSLContext(configuration: configuration)
    }
}
