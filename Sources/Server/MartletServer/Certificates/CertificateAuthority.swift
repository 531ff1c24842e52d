internal import Crypto
internal import Foundation
package import MartletCore
internal import X509

/// The authority that a server without a certificate of its own makes for itself, and the certificate that it signs.
///
/// Kept in the data directory: `ca.pem` for clients, `tls/ca-key.pem`, `tls/server.pem` and `tls/server-key.pem` for the
/// server. Used again at the next start. The certificate is renewed before it ends or when other names are wanted; the
/// authority, which clients were told to trust, only when it is absent or near its end: never because it cannot be read, and
/// never because the clock is behind.
package struct CertificateAuthority: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// PEM, ready for `ServerTLS`.
    package struct Identity: Sendable {
        package let certificates: [UInt8]
        package let key: [UInt8]
        /// For the log: what is not as it should be.
        package var warning: String?
    }

    /// How long the authority and a certificate are valid, and how long before its end one is renewed.
    static let authorityLifetime = Duration.seconds(3_650 * 86_400)
    static let certificateLifetime = Duration.seconds(397 * 86_400)
    static let renewal = Duration.seconds(30 * 86_400)
    /// Clocks of clients may be this much behind.
    static let backdating = Duration.seconds(3_600)

    let directory: DataDirectory

    package init(directory: DataDirectory) { self.directory = directory }

    /// The server's certificate for these names and addresses: the kept one, or a new one.
    /// - Parameters:
    ///   - names: DNS names, the server's own first.
    ///   - addresses: IPv4 in 4 octets, IPv6 in 16.
    package func identity(names: [String], addresses: [[UInt8]], now: Instant) throws(Failure) -> Identity {
        do {
            let authority = try keptAuthority(now: now) ?? makeAuthority(now: now)
            // A clock before the authority's beginning is wrong: that beginning is nearer to the truth.
            let moment = max(now, instant(authority.certificate.notValidBefore))
            var identity =
                try keptIdentity(authority, names: names, addresses: addresses, now: moment)
                ?? makeIdentity(authority, names: names, addresses: addresses, now: moment)
            if moment > now {
                identity.warning =
                    "\(directory.authorityCertificate) is valid from \(moment) on and it is \(now): is the clock right?"
            }
            return identity
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(description: "cannot make a certificate in \(directory.tls): \(error)")
        }
    }

    private struct Authority {
        let certificate: Certificate
        let key: P256.Signing.PrivateKey
    }

    // MARK: Kept ones

    /// nil when there is none, or when it is near its end.
    private func keptAuthority(now: Instant) throws -> Authority? {
        guard FileManager.default.fileExists(atPath: directory.authorityCertificate) else { return nil }
        guard let certificateText = directory.read(directory.authorityCertificate),
            let certificate = try? Certificate(pemEncoded: certificateText)
        else { throw unusable("\(directory.authorityCertificate) is no certificate that can be read") }
        guard isLasting(certificate, now: now) else { return nil }
        guard let keyText = directory.read(directory.authorityKey),
            let key = try? P256.Signing.PrivateKey(pemRepresentation: keyText),
            certificate.publicKey == Certificate.PublicKey(key.publicKey)
        else { throw unusable("\(directory.authorityKey) is not the key of \(directory.authorityCertificate)") }
        return Authority(certificate: certificate, key: key)
    }

    private func unusable(_ what: String) -> Failure {
        Failure(
            description: what
                + "; clients trust this authority, so it is not written over: bring the file back, or move ca.pem away to have a new one made"
        )
    }

    private func keptIdentity(_ authority: Authority, names: [String], addresses: [[UInt8]], now: Instant) throws
        -> Identity?
    {
        guard let certificateText = directory.read(directory.serverCertificate),
            let keyText = directory.read(directory.serverKey),
            let certificate = try? Certificate(pemEncoded: certificateText),
            let key = try? P256.Signing.PrivateKey(pemRepresentation: keyText),
            certificate.publicKey == Certificate.PublicKey(key.publicKey), isGood(certificate, now: now),
            authority.certificate.publicKey.isValidSignature(certificate.signature, for: certificate),
            let kept = try certificate.extensions.subjectAlternativeNames,
            Set(kept) == Set(alternativeNames(names, addresses))
        else { return nil }
        return Identity(certificates: Array(certificateText.utf8), key: Array(keyText.utf8))
    }

    private func isGood(_ certificate: Certificate, now: Instant) -> Bool {
        certificate.notValidBefore <= date(now) && isLasting(certificate, now: now)
    }

    private func isLasting(_ certificate: Certificate, now: Instant) -> Bool {
        certificate.notValidAfter > date(now + CertificateAuthority.renewal)
    }

    // MARK: New ones

    private func makeAuthority(now: Instant) throws -> Authority {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName {
            CommonName("Martlet authority of this machine")
            OrganizationName("Martlet")
        }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: date(now + (.zero - CertificateAuthority.backdating)),
            notValidAfter: date(now + CertificateAuthority.authorityLifetime), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: Certificate.PublicKey(key.publicKey))
            }, issuerPrivateKey: .init(key))
        try directory.write(key.pemRepresentation + "\n", to: directory.authorityKey, mode: 0o600)
        try directory.write(
            try certificate.serializeAsPEM().pemString + "\n", to: directory.authorityCertificate, mode: 0o644)
        return Authority(certificate: certificate, key: key)
    }

    private func makeIdentity(_ authority: Authority, names: [String], addresses: [[UInt8]], now: Instant) throws
        -> Identity
    {
        let key = P256.Signing.PrivateKey()
        let commonName = names.first ?? "localhost"
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: date(now + (.zero - CertificateAuthority.backdating)),
            notValidAfter: date(now + CertificateAuthority.certificateLifetime), issuer: authority.certificate.subject,
            subject: try DistinguishedName { CommonName(String(commonName.prefix(64))) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternativeNames(names, addresses))
                SubjectKeyIdentifier(hash: Certificate.PublicKey(key.publicKey))
                AuthorityKeyIdentifier(
                    keyIdentifier: try authority.certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
            }, issuerPrivateKey: .init(authority.key))
        let certificateText = try certificate.serializeAsPEM().pemString + "\n"
        let keyText = key.pemRepresentation + "\n"
        try directory.write(keyText, to: directory.serverKey, mode: 0o600)
        try directory.write(certificateText, to: directory.serverCertificate, mode: 0o644)
        return Identity(certificates: Array(certificateText.utf8), key: Array(keyText.utf8))
    }

    private func alternativeNames(_ names: [String], _ addresses: [[UInt8]]) -> [GeneralName] {
        names.map { .dnsName($0) } + addresses.map { .ipAddress(.init(contentBytes: $0[...])) }
    }

    private func date(_ instant: Instant) -> Date { Date(timeIntervalSince1970: Double(instant.seconds)) }

    /// X.509 tells times from 1950 to 9999.
    private func instant(_ date: Date) -> Instant {
        Instant(seconds: Int64(min(max(date.timeIntervalSince1970, -631_152_000), 253_402_300_799)))
    }
}
