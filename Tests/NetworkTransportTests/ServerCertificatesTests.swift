import Crypto
import Foundation
import MartletCore
import NetworkTransport
import Testing
import X509

@Suite("Certificates in force") struct ServerCertificatesTests {
    private func tls(_ names: [String], until: Int64, origin: String) throws -> ServerTLS {
        let key = P256.Signing.PrivateKey()
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(bytes: [0x0A, 0x0B]), publicKey: .init(key.publicKey),
            notValidBefore: Date(timeIntervalSince1970: 1_700_000_000),
            notValidAfter: Date(timeIntervalSince1970: Double(until)),
            issuer: try DistinguishedName { CommonName("Tests") },
            subject: try DistinguishedName { CommonName("not a name that counts") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                if !names.isEmpty { SubjectAlternativeNames(names.map { .dnsName($0) }) }
            }, issuerPrivateKey: .init(key))
        return try ServerTLS(
            certificates: Array(try certificate.serializeAsPEM().pemString.utf8),
            key: Array(key.pemRepresentation.utf8), origin: origin)
    }

    @Test("are told with names, issuer, serial number, times and origin; the one for everybody first")
    func facts() throws {
        let box = TLSContextBox(try tls(["Mail.Example.test"], until: 1_800_000_000, origin: "a.pem"))
        #expect(box.certificatesInForce.map(\.origin) == ["a.pem"])
        box.replace(
            with: ServerCertificates(
                try tls([], until: 1_900_000_000, origin: "b.pem"),
                others: [try tls(["*.example.net", "example.net"], until: 1_850_000_000, origin: "c.pem")]))
        let facts = box.certificatesInForce
        #expect(facts.map(\.names) == [[], ["*.example.net", "example.net"]])
        #expect(facts.map(\.notAfter) == [Instant(seconds: 1_900_000_000), Instant(seconds: 1_850_000_000)])
        #expect(facts.allSatisfy { $0.notBefore == Instant(seconds: 1_700_000_000) && $0.serialNumber == "0a0b" })
        #expect(facts.allSatisfy { $0.issuer.contains("Tests") })
    }

    @Test("the last resort is for everybody, and gives way for its names to others that have them")
    func lastResort() throws {
        let own = try tls(["mail.example.test", "localhost"], until: 1_900_000_000, origin: "own")
        let others = [try tls(["mail.example.test"], until: 1_900_000_000, origin: "other")]
        func origins(isLastResort: Bool) -> [String] {
            let certificates = ServerCertificates(own, others: others, isLastResort: isLastResort)
            return ["mail.example.test", "localhost", "unknown.test", nil].map {
                certificates.chosen(for: $0).facts.origin
            }
        }
        #expect(origins(isLastResort: true) == ["other", "own", "own", "own"])
        #expect(origins(isLastResort: false) == ["own", "own", "own", "own"])
    }

    @Test("a key that is another's, and what is no certificate, are refused with words")
    func refused() throws {
        let key = Array(P256.Signing.PrivateKey().pemRepresentation.utf8)
        let other = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("x") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(other.publicKey),
            notValidBefore: Date(timeIntervalSince1970: 0), notValidAfter: Date(timeIntervalSince1970: 1), issuer: name,
            subject: name, signatureAlgorithm: .ecdsaWithSHA256, extensions: .init(), issuerPrivateKey: .init(other))
        let pem = Array(try certificate.serializeAsPEM().pemString.utf8)
        for (chain, key, said) in [
            (pem, key, "do not go together"), ([], key, "certificate"), (pem, Array("x".utf8), "private key"),
        ] {
            do {
                _ = try ServerTLS(certificates: chain, key: key, origin: "x")
                Issue.record("it was taken")
            } catch { #expect("\(error)".contains(said)) }
        }
    }
}
