internal import NetworkTransport

/// A certificate chain and its key, as `tls.certificates` names them: `CERTIFICATE:KEY`.
package struct CertificatePair: Sendable, Hashable {
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// nil when there is not exactly one colon with a path on either side.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.init(certificate: String(parts[0]), key: String(parts[1]))
    }
}

/// The certificates that the configuration names, read and found usable, all of them.
struct ConfiguredCertificates: Sendable {
    /// For everybody: `tls.certificate`; nil when none is named.
    let standard: ServerTLS?
    /// Chosen by name: `tls.certificates`.
    let listed: [ServerTLS]

    /// - Throws: everything that is wrong, a line each.
    init(_ configuration: Configuration) throws(ServerFailure) {
        var problems: [String] = []
        var standard: ServerTLS?
        if let files = configuration.tls {
            standard = ConfiguredCertificates.read(
                CertificatePair(certificate: files.certificate, key: files.key), "tls.certificate", "tls.key", &problems
            )
        }
        var listed: [ServerTLS] = []
        for pair in configuration.certificates {
            let name = "tls.certificates"
            guard let tls = ConfiguredCertificates.read(pair, name, name, &problems) else { continue }
            if tls.facts.names.isEmpty {
                problems.append(
                    "\(name): \(pair.certificate) has no DNS name in its subjectAltName, so that no client would be shown it; "
                        + "have one issued with names, or make it tls.certificate")
            }
            listed.append(tls)
        }
        guard problems.isEmpty else { throw ServerFailure(.configuration, problems) }
        self.standard = standard
        self.listed = listed
    }

    private static func read(
        _ pair: CertificatePair, _ certificateName: String, _ keyName: String, _ problems: inout [String]
    ) -> ServerTLS? {
        func content(_ path: String, _ name: String) -> [UInt8]? {
            if let bytes = DataDirectory.bytes(of: path) { return bytes }
            problems.append("\(name): \(path) cannot be read; is the path right, and may this user read it?")
            return nil
        }
        let certificate = content(pair.certificate, certificateName)
        guard let key = content(pair.key, keyName), let certificate else { return nil }
        do { return try ServerTLS(certificates: certificate, key: key, origin: pair.certificate) } catch {
            let names = certificateName == keyName ? certificateName : "\(certificateName) and \(keyName)"
            problems.append("\(names): \(pair.certificate) and \(pair.key): \(error)")
            return nil
        }
    }
}
