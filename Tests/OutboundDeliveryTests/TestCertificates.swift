import Crypto
import Foundation
import NIOSSL
import NetworkTransport
import X509

/// A certificate authority of the test's own, and certificates by it.
struct TestCertificates {
    let key = P256.Signing.PrivateKey()
    let root: Certificate

    init() throws {
        let name = try DistinguishedName { CommonName("Test root") }
        let privateKey = Certificate.PrivateKey(key)
        root = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: privateKey.publicKey,
            notValidBefore: Date().addingTimeInterval(-86_400), notValidAfter: Date().addingTimeInterval(86_400 * 30),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: privateKey)
    }

    enum Kind {
        case good
        case expired
        case early
        case selfSigned
    }

    /// What a server shows: a certificate for `name`.
    func server(_ name: String, _ kind: Kind = .good) throws -> NIOSSLContext {
        let leafKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let subject = try DistinguishedName { CommonName(name) }
        let now = Date()
        let begin = kind == .early ? now.addingTimeInterval(86_400) : now.addingTimeInterval(-86_400 * 10)
        let end = kind == .expired ? now.addingTimeInterval(-86_400 * 2) : now.addingTimeInterval(86_400 * 10)
        let leaf = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: leafKey.publicKey, notValidBefore: begin,
            notValidAfter: end, issuer: kind == .selfSigned ? subject : root.subject, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions { SubjectAlternativeNames([.dnsName(name)]) },
            issuerPrivateKey: kind == .selfSigned ? leafKey : Certificate.PrivateKey(key))
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: Array(leaf.pem.utf8), format: .pem))],
            privateKey: .privateKey(
                try NIOSSLPrivateKey(bytes: Array(leafKey.serializeAsPEM().pemString.utf8), format: .pem)))
        configuration.certificateVerification = .none
        return try NIOSSLContext(configuration: configuration)
    }

    var client: ClientTLS {
        get throws { try ClientTLS(trustRoots: .certificates(Array(root.pem.utf8))) }
    }
}

extension Certificate {
    var pem: String { (try? serializeAsPEM().pemString) ?? "" }
}
