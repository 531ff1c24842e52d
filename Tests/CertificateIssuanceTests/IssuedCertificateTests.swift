import ACMEProtocol
import CertificateIssuance
import Crypto
import Foundation
import MartletCore
import Testing
import X509

/// An authority with an intermediate one, as real ones have.
private struct Chain {
    let root = P256.Signing.PrivateKey()
    let intermediate = P256.Signing.PrivateKey()
    let leaf = P256.Signing.PrivateKey()
    var names = ["mail.example.test"]
    var validFrom = -3_600.0
    var validTo = 90 * 86_400.0
    var signsWithAnotherKey = false

    static let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func certificate(
        _ key: P256.Signing.PrivateKey, _ subject: String, by issuerKey: P256.Signing.PrivateKey, _ issuer: String,
        names: [String] = []
    ) throws -> String {
        try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: Chain.now + validFrom, notValidAfter: Chain.now + validTo,
            issuer: try DistinguishedName { CommonName(issuer) },
            subject: try DistinguishedName { CommonName(subject) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                if !names.isEmpty { SubjectAlternativeNames(names.map { .dnsName($0) }) }
            }, issuerPrivateKey: .init(issuerKey)
        ).serializeAsPEM().pemString + "\n"
    }

    /// The leaf first, then the intermediate one.
    func pem() throws -> [UInt8] {
        let issuerKey = signsWithAnotherKey ? root : intermediate
        let first = try certificate(leaf, "leaf", by: issuerKey, "intermediate", names: names)
        return Array((first + (try certificate(intermediate, "intermediate", by: root, "root"))).utf8)
    }

    func issued(key: P256.Signing.PrivateKey? = nil, names: [String] = ["mail.example.test"]) throws
        -> IssuedCertificate
    {
        try IssuedCertificate(
            chain: pem(), key: (key ?? leaf).pemRepresentation, names: names,
            now: Instant(seconds: Int64(Chain.now.timeIntervalSince1970)))
    }
}

@Suite("A certificate that came") struct IssuedCertificateTests {
    private func refusal(_ body: () throws -> IssuedCertificate) -> String {
        do {
            _ = try body()
            return "it was taken"
        } catch let failure as ACMEFailure {
            #expect(failure.kind == .invalid && failure.remedy.contains("by itself"))
            return failure.problem
        } catch {
            return "\(error)"
        }
    }

    @Test("is taken with its key, its names, in its time; and one text holds it all")
    func good() throws {
        var chain = Chain()
        chain.names = ["MAIL.example.test", "other.test"]
        let issued = try chain.issued()
        let parts = try #require(IssuedCertificate.parts(of: issued.text))
        #expect(parts.chain == issued.chain)
        let key = try P256.Signing.PrivateKey(pemRepresentation: parts.key)
        #expect(key.rawRepresentation == chain.leaf.rawRepresentation)
        #expect(IssuedCertificate.parts(of: "nothing") == nil)
    }

    @Test("is not used when it is for another key")
    func otherKey() { #expect(refusal { try Chain().issued(key: .init()) }.contains("for another key")) }

    @Test("is not used when a name is missing", arguments: ["imap.example.test", "a.mail.example.test", ""])
    func missingName(name: String) {
        #expect(refusal { try Chain().issued(names: ["mail.example.test", name]) }.contains("is not for \(name)"))
    }

    @Test("is not used before or after its time")
    func time() {
        var over = Chain()
        over.validFrom = -7_200
        over.validTo = -1
        #expect(refusal { try over.issued() }.contains("has expired"))
        var early = Chain()
        early.validFrom = 7_200
        #expect(refusal { try early.issued() }.contains("not valid yet"))
    }

    @Test("is not used when its chain does not hang together")
    func chain() {
        var broken = Chain()
        broken.signsWithAnotherKey = true
        #expect(refusal { try broken.issued() }.contains("does not hang together"))
    }

    @Test(
        "is not used when it is none",
        arguments: [
            "", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "{\"type\":\"urn:ietf:params:acme:error:malformed\"}",
        ])
    func nonsense(text: String) {
        let told = refusal {
            try IssuedCertificate(
                chain: Array(text.utf8), key: P256.Signing.PrivateKey().pemRepresentation, names: ["a.test"],
                now: Instant(seconds: 1_800_000_000))
        }
        #expect(told.hasPrefix("the certificate that came is not used: it"))
    }
}
