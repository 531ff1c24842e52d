internal import Foundation
internal import X509

/// What the certificate that a server showed is worth: whether it leads to a trusted root, is in its time and names the server
/// (RFC 5280 §6, RFC 9525 §6).
public enum CertificateCheck: Sendable, Hashable {
    case verified
    /// One line that says why not.
    case failed(String)

    /// - Parameters:
    ///   - chain: as it came, DER, the leaf first.
    ///   - serverName: the host name that it has to be for; nil: none will do.
    static func check(_ chain: [[UInt8]], serverName: String?, roots: CertificateStore) async -> CertificateCheck {
        guard let first = chain.first, let leaf = try? Certificate(derEncoded: first) else {
            return .failed("the server's certificate cannot be read")
        }
        let now = Date()
        if leaf.notValidAfter < now { return .failed("the certificate expired on \(time(leaf.notValidAfter))") }
        if leaf.notValidBefore > now { return .failed("the certificate is valid from \(time(leaf.notValidBefore)) on") }
        let others = CertificateStore(chain.dropFirst().compactMap { try? Certificate(derEncoded: $0) })
        if let serverName {
            var verifier = Verifier(rootCertificates: roots) {
                RFC5280Policy()
                ServerIdentityPolicy(serverHostname: serverName, serverIP: nil)
            }
            if case .validCertificate = await verifier.validate(leaf: leaf, intermediates: others) { return .verified }
        }
        // Once more without the name, to tell what is wrong.
        var verifier = Verifier(rootCertificates: roots) { RFC5280Policy() }
        switch await verifier.validate(leaf: leaf, intermediates: others) {
        case .validCertificate:
            guard let serverName else { return .failed("there is no name that the certificate could be checked for") }
            return .failed("the certificate is not for \(serverName)")
        case .couldNotValidate:
            return .failed(
                leaf.issuer == leaf.subject
                    ? "the certificate is self-signed" : "the certificate was not issued by anybody who is trusted here"
            )
        }
    }

    private static func time(_ date: Date) -> String {
        date.formatted(.iso8601.year().month().day())
    }
}
