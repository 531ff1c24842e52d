internal import CertificateIssuance
internal import Crypto
internal import Foundation
internal import MartletBytes
internal import MartletCore
internal import NetworkTransport

/// What is kept of an authority's certificates, in `tls/acme` of the data directory, for its owner alone: `NAME.pem` with key and
/// chain, `NAME.json` with what failed, `account-….key` for each authority. Each file is replaced whole.
struct IssuedCertificateFiles: Sendable {
    let directory: DataDirectory

    /// What is remembered of attempts, also over a restart: an authority counts them.
    struct History: Codable, Sendable {
        /// Attempts that failed since the last one that did not.
        var failures = 0
        var failedAt: Int64?
        var problem: String?
        var remedy: String?
        /// The directory of the authority that issued the kept certificate; nil for none.
        var authority: String?
        /// Microseconds since 1970; nothing is tried before.
        var notBefore: Int64?
        /// The directory of the authority that was asked last, whose limits these are.
        var asked: String?

        /// What of it counts for an authority: another one's attempts and limits are not its own.
        func counted(by directory: String) -> History {
            guard let last = asked ?? authority, last != directory else { return self }
            return History(authority: authority)
        }
    }

    /// - Parameter name: a domain, which is a file's name as it is.
    private func file(_ name: String) -> String { "\(directory.acme)/\(name).pem" }

    /// The kept certificate; nil when there is none, or none that can be used.
    func certificate(_ name: String) -> ServerTLS? {
        guard let text = directory.read(file(name)), let parts = IssuedCertificate.parts(of: text) else { return nil }
        return try? ServerTLS(certificates: parts.chain, key: Array(parts.key.utf8), origin: file(name))
    }

    /// The certificate made ready, and then kept: one that cannot be shown is not.
    func keep(_ issued: IssuedCertificate, _ name: String) throws -> ServerTLS {
        let tls = try ServerTLS(certificates: issued.chain, key: Array(issued.key.utf8), origin: file(name))
        try directory.write(issued.text, to: file(name), mode: 0o600)
        return tls
    }

    func history(_ name: String) -> History {
        let bytes = DataDirectory.bytes(of: "\(directory.acme)/\(name).json")
        return bytes.flatMap { try? JSONDecoder().decode(History.self, from: Data($0)) } ?? History()
    }

    func keep(_ history: History, _ name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let text = String(decoding: try encoder.encode(history), as: UTF8.self)
        try directory.write(text + "\n", to: "\(directory.acme)/\(name).json", mode: 0o600)
    }

    /// The key of the account with an authority; made and kept the first time.
    func accountKey(authority url: String) throws(FileFailure) -> String {
        let mark = Hex.encode(SHA256.hash(data: Array(url.utf8)).prefix(8))
        let path = "\(directory.acme)/account-\(mark).key"
        if let kept = directory.read(path) { return kept }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw FileFailure("\(path) cannot be read; may this user read it?")
        }
        let key = CertificateIssuer.makeAccountKey()
        try directory.write(key, to: path, mode: 0o600)
        return key
    }
}
