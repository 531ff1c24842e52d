public import ACMEProtocol
internal import Crypto
public import MartletCore
public import NIOCore
internal import SwiftASN1
internal import X509

/// Has certificates issued by one authority, for one account.
public struct CertificateIssuer: Sendable {
    public struct Settings: Sendable {
        /// The directory's URL.
        public var directory: String
        /// PEM: who may vouch for the authority; nil: whom the machine trusts.
        public var trustedCertificates: [UInt8]?
        public var contacts: [String] = []
        public var agreesToTerms = false
        public var challenge = ACMEChallengeKind.http
        public var externalAccount: ACMEExternalAccount?
        public var userAgent: String
        /// How long the whole way may take.
        package var limit = CertificateIssuer.limit

        public init(directory: String, userAgent: String) {
            self.directory = directory
            self.userAgent = userAgent
        }
    }

    /// How long an issuance may take, whatever pauses an authority asks for.
    package static let limit = Duration.seconds(600)

    private let settings: Settings
    private let key: P256.Signing.PrivateKey
    private let accountKey: JSONWebKey
    private let proofs: ProofBook
    private let group: any EventLoopGroup

    /// - Parameters:
    ///   - accountKey: PEM, as `makeAccountKey` gave it.
    ///   - proofs: where proofs are put, from which a `ProofServer` answers.
    /// - Throws: `ACMEFailure` when the key cannot be read.
    public init(
        _ settings: Settings, accountKey: String, proofs: ProofBook, group: any EventLoopGroup
    ) throws(ACMEFailure) {
        guard let key = try? P256.Signing.PrivateKey(pemRepresentation: accountKey),
            let publicKey = JSONWebKey(uncompressedPoint: Array(key.publicKey.x963Representation))
        else {
            throw ACMEFailure(
                .setup, "the key of the account with the authority cannot be read",
                remedy: "bring the file back, or move it away to have a new one made")
        }
        self.settings = settings
        self.key = key
        self.accountKey = publicKey
        self.proofs = proofs
        self.group = group
    }

    /// A new key for an account, PEM.
    public static func makeAccountKey() -> String { P256.Signing.PrivateKey().pemRepresentation + "\n" }

    /// Goes the whole way; takes seconds to minutes, at most `limit`. A caller that is cancelled gets `ACMEFailure.ending`.
    /// - Parameters:
    ///   - names: DNS names in A-labels.
    ///   - now: for the check of what comes.
    public func issue(names: [String], now: @Sendable () -> Instant) async throws(ACMEFailure) -> IssuedCertificate {
        let certificateKey = P256.Signing.PrivateKey()
        let request = try CertificateIssuer.request(names: names, key: certificateKey)
        let client = try AuthorityClient(
            group: group, trustedCertificates: settings.trustedCertificates, userAgent: settings.userAgent)
        let result: Result<[UInt8], ACMEFailure>
        do {
            let chain = try await within(settings.limit) { () async throws -> [UInt8] in
                try await self.chain(names, request, client)
            }
            result = .success(chain)
        } catch {
            result = .failure(failure(error))
        }
        await client.close()
        return try IssuedCertificate(
            chain: try result.get(), key: certificateKey.pemRepresentation + "\n", names: names, now: now())
    }

    private func failure(_ error: any Error) -> ACMEFailure {
        if Task.isCancelled { return .ending }
        if let failure = error as? ACMEFailure { return failure }
        return ACMEFailure(
            .unreachable, "the authority has issued nothing within \(settings.limit.components.seconds) seconds",
            remedy: "see whether it has troubles; it is tried again later, by itself")
    }

    private func chain(
        _ names: [String], _ request: [UInt8], _ client: AuthorityClient
    ) async throws(ACMEFailure) -> [UInt8] {
        var shown: [ACMEProof] = []
        defer { for proof in shown { proofs.remove(proof) } }
        var issuance = ACMEIssuance(
            settings: ACMEIssuance.Settings(
                directory: settings.directory, contacts: settings.contacts, agreesToTerms: settings.agreesToTerms,
                challenge: settings.challenge, externalAccount: settings.externalAccount, names: names),
            key: accountKey, request: request)
        var action = issuance.begin()
        while true {
            switch action {
            case .send(let request): action = issuance.received(try await client.send(request, key: key))
            case .present(let proof):
                try proofs.add(proof)
                shown.append(proof)
                action = issuance.presented()
            case .wait(let duration):
                do { try await Task.sleep(for: duration) } catch { throw ACMEFailure.ending }
                action = issuance.waited()
            case .finished(let chain): return chain
            case .failed(let failure): throw failure
            }
        }
    }

    /// A signing request (RFC 2986) with the names as subjectAltName, DER.
    static func request(names: [String], key: P256.Signing.PrivateKey) throws(ACMEFailure) -> [UInt8] {
        do {
            let extensions = try Certificate.Extensions { SubjectAlternativeNames(names.map { .dnsName($0) }) }
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName(), privateKey: .init(key),
                attributes: .init([.init(ExtensionRequest(extensions: extensions))]),
                signatureAlgorithm: .ecdsaWithSHA256)
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            return serializer.serializedBytes
        } catch {
            throw ACMEFailure(
                .setup, "no request can be made for \(names.joined(separator: ", ")): \(error)",
                remedy: "see acme.names")
        }
    }
}
