public import ACMEProtocol
internal import Crypto
internal import Foundation
public import MartletCore
internal import NIOSSL
internal import X509

/// A certificate that an authority issued, with its key: found to be what was asked for, and good for handshakes.
public struct IssuedCertificate: Sendable {
    /// PEM, the leaf first.
    public let chain: [UInt8]
    /// PEM.
    public let key: String

    /// Certificates of the longest chain that is taken.
    private static let maximumChain = 10
    /// The clock here may be so much behind the authority's.
    private static let clockTolerance: TimeInterval = 3_600

    /// - Parameter names: all of them must stand in the leaf.
    /// - Throws: `ACMEFailure` that says what is wrong.
    public init(chain: [UInt8], key: String, names: [String], now: Instant) throws(ACMEFailure) {
        let certificates: [Certificate]
        let privateKey: P256.Signing.PrivateKey
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(chain).map {
                try Certificate(derEncoded: $0.toDERBytes())
            }
            privateKey = try P256.Signing.PrivateKey(pemRepresentation: key)
        } catch {
            throw IssuedCertificate.failure("it cannot be read: \(error)")
        }
        guard let leaf = certificates.first, certificates.count <= IssuedCertificate.maximumChain else {
            throw IssuedCertificate.failure("it is a chain of \(certificates.count) certificates")
        }
        guard leaf.publicKey == Certificate.PublicKey(privateKey.publicKey) else {
            throw IssuedCertificate.failure("it is for another key")
        }
        var covered: Set<String> = []
        for case .dnsName(let name) in (try? leaf.extensions.subjectAlternativeNames) ?? SubjectAlternativeNames() {
            covered.insert(name.lowercased())
        }
        if let missing = names.first(where: { !covered.contains($0) }) {
            throw IssuedCertificate.failure("it is not for \(missing)")
        }
        let moment = Date(timeIntervalSince1970: Double(now.seconds))
        guard leaf.notValidAfter > moment else {
            throw IssuedCertificate.failure("it has expired; is the clock right?")
        }
        guard leaf.notValidBefore < moment + IssuedCertificate.clockTolerance else {
            throw IssuedCertificate.failure("it is not valid yet; is the clock right?")
        }
        for (certificate, issuer) in zip(certificates, certificates.dropFirst())
        where !issuer.publicKey.isValidSignature(certificate.signature, for: certificate) {
            throw IssuedCertificate.failure("its chain does not hang together")
        }
        self.chain = chain
        self.key = key
    }

    private static func failure(_ what: String) -> ACMEFailure {
        ACMEFailure(
            .invalid, "the certificate that came is not used: \(what)", remedy: "it is tried again later, by itself")
    }

    /// Key and chain in one text, so that one file can be replaced at once.
    public var text: String { key + String(decoding: chain, as: UTF8.self) }

    /// Takes `text` apart; nil when it is none.
    public static func parts(of text: String) -> (chain: [UInt8], key: String)? {
        guard let start = text.range(of: "-----BEGIN CERTIFICATE-----") else { return nil }
        return (Array(text[start.lowerBound...].utf8), String(text[..<start.lowerBound]))
    }
}
