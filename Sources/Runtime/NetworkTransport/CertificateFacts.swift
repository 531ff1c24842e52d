internal import Foundation
public import MartletCore
internal import X509

/// What is known about a certificate that is shown to clients: for lists, alarms, and the choice by name.
public struct CertificateFacts: Sendable, Hashable {
    /// The DNS names of its subjectAltName, in lower case, `*.` in front where it is for a whole level.
    public let names: [String]
    /// The issuer's distinguished name.
    public let issuer: String
    /// Hexadecimal, lower case.
    public let serialNumber: String
    public let notBefore: Instant
    public let notAfter: Instant
    /// Where it is from, for people: a file's path.
    public let origin: String

    /// - Parameter der: the leaf.
    /// - Throws: when it is no X.509 certificate.
    init(der: [UInt8], origin: String) throws {
        let certificate = try Certificate(derEncoded: der)
        var names: [String] = []
        for case .dnsName(let name) in try certificate.extensions.subjectAlternativeNames ?? SubjectAlternativeNames() {
            names.append(name.lowercased())
        }
        self.names = names
        issuer = "\(certificate.issuer)"
        serialNumber = certificate.serialNumber.bytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        notBefore = CertificateFacts.instant(certificate.notValidBefore)
        notAfter = CertificateFacts.instant(certificate.notValidAfter)
        self.origin = origin
    }

    /// X.509 tells times from 1950 to 9999.
    private static func instant(_ date: Date) -> Instant {
        Instant(seconds: Int64(min(max(date.timeIntervalSince1970, -631_152_000), 253_402_300_799)))
    }
}
