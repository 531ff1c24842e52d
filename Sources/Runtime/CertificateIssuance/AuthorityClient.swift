internal import ACMEProtocol
internal import AsyncHTTPClient
internal import Crypto
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// Carries requests to an authority over HTTPS and brings back what matters of its answers.
struct AuthorityClient: Sendable {
    private let client: HTTPClient
    private let userAgent: String

    /// How long one request may take.
    private static let patience = TimeAmount.seconds(30)
    private static let connectPatience = TimeAmount.seconds(15)

    /// - Parameter trustedCertificates: PEM: who may vouch for the authority; nil: whom the machine trusts.
    init(group: any EventLoopGroup, trustedCertificates: [UInt8]?, userAgent: String) throws(ACMEFailure) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let trustedCertificates {
            guard let roots = try? NIOSSLCertificate.fromPEMBytes(trustedCertificates), !roots.isEmpty else {
                throw ACMEFailure(
                    .setup, "acme.ca-certificates is no readable PEM",
                    remedy: "name a file with the authority's root certificate")
            }
            tls.trustRoots = .certificates(roots)
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: AuthorityClient.connectPatience, read: AuthorityClient.patience))
        configuration.connectionPool.idleTimeout = .seconds(10)
        // Whoever asks tries again, by a schedule.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        self.userAgent = userAgent
    }

    func close() async { try? await client.shutdown() }

    /// - Parameter key: the account's, by which requests are signed.
    func send(_ request: ACMERequest, key: P256.Signing.PrivateKey) async throws(ACMEFailure) -> ACMEResponse {
        var message = HTTPClientRequest(url: request.url)
        message.headers.add(name: "User-Agent", value: userAgent)
        switch request.method {
        case .get: message.method = .GET
        case .head: message.method = .HEAD
        case .post(let signature):
            message.method = .POST
            message.headers.add(name: "Content-Type", value: "application/jose+json")
            message.headers.add(name: "Accept", value: "application/pem-certificate-chain, application/json")
            do {
                let signed = try key.signature(for: signature.signingInput)
                message.body = .bytes(ByteBuffer(bytes: signature.body(signature: Array(signed.rawRepresentation))))
            } catch {
                throw ACMEFailure(
                    .setup, "the account's key cannot sign: \(error)", remedy: "move it away to have a new one made")
            }
        }
        do {
            let response = try await client.execute(message, timeout: AuthorityClient.patience)
            let body = try await response.body.collect(upTo: ACMEResponse.maximumBody)
            return ACMEResponse(
                status: Int(response.status.code), location: response.headers.first(name: "Location"),
                nonce: response.headers.first(name: "Replay-Nonce"),
                retryAfter: response.headers.first(name: "Retry-After").flatMap(AuthorityClient.retryAfter),
                body: Array(body.readableBytesView))
        } catch {
            throw AuthorityClient.failure(error, url: request.url)
        }
    }

    private static func failure(_ error: any Error, url: String) -> ACMEFailure {
        let host = URL(string: url)?.host() ?? url
        let reason = words(error)
        if "\(error)".contains("CERTIFICATE_VERIFY_FAILED") {
            return ACMEFailure(
                .unreachable, "\(host) shows a certificate that is not trusted here",
                remedy: "see whether acme.directory is right; for an authority of your own set acme.ca-certificates")
        }
        return ACMEFailure(
            .unreachable, "the authority at \(host) cannot be reached: \(reason)",
            remedy: "see whether this machine can connect to it; it is tried again later, by itself")
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.dnsAError != nil || error.dnsAAAAError != nil { return "its name has no address" }
            return error.connectionErrors.first.map { words($0.error) } ?? "no connection"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case let error as HTTPClientError
        where [.connectTimeout, .readTimeout, .deadlineExceeded].contains(error):
            return "it does not answer"
        default: return String("\(error)".prefix(200))
        }
    }

    /// Seconds or a date (RFC 9110 §10.2.3).
    private static func retryAfter(_ text: String) -> Duration? {
        if let seconds = Int64(text) { return seconds >= 0 && seconds < 1 << 31 ? .seconds(seconds) : nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text).map { .seconds(max(0, min($0.timeIntervalSinceNow, 1e9))) }
    }
}
