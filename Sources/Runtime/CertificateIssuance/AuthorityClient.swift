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

    /// How long one request may take, from the connection to the last octet of the answer.
    private static let patience = Duration.seconds(30)
    private static let connectPatience = TimeAmount.seconds(15)
    private static let idlePatience = TimeAmount.seconds(10)
    /// How long the authority's goodbye is waited for, and the end of all connections.
    private static let goodbyePatience = TimeAmount.seconds(1)
    private static let closePatience = Duration.seconds(2)
    /// Characters of an error of a library that are told.
    private static let maximumReason = 200
    /// Seconds of the longest Retry-After that is read; a number above it is none.
    private static let longestRetryAfter: Int64 = 1 << 31

    /// - Parameter trustedCertificates: PEM: who may vouch for the authority; nil: whom the machine trusts.
    init(group: any EventLoopGroup, trustedCertificates: [UInt8]?, userAgent: String) throws(ACMEFailure) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.shutdownTimeout = AuthorityClient.goodbyePatience
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
            timeout: .init(connect: AuthorityClient.connectPatience, read: TimeAmount(AuthorityClient.patience)))
        configuration.connectionPool.idleTimeout = AuthorityClient.idlePatience
        // Whoever asks tries again, by a schedule.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
        self.userAgent = userAgent
    }

    /// Ends all connections. One that is still being made cannot be taken back, and is not waited for.
    func close() async {
        let (ended, end) = AsyncStream<Void>.makeStream()
        Task { [client] in
            try? await client.shutdown()
            end.finish()
        }
        // In a task of its own: a caller that is cancelled waits as well.
        _ = await Task { try? await within(AuthorityClient.closePatience) { for await _ in ended {} } }.value
    }

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
        let (client, ready) = (self.client, message)
        do {
            return try await within(AuthorityClient.patience) { try await AuthorityClient.answer(client, to: ready) }
        } catch {
            throw AuthorityClient.failure(error, url: request.url)
        }
    }

    private static func answer(_ client: HTTPClient, to message: HTTPClientRequest) async throws -> ACMEResponse {
        // This timeout ends with the head of the answer: whoever calls bounds the rest.
        let response = try await client.execute(message, timeout: TimeAmount(patience))
        let body = try await response.body.collect(upTo: ACMEResponse.maximumBody)
        return ACMEResponse(
            status: Int(response.status.code), location: response.headers.first(name: "Location"),
            nonce: response.headers.first(name: "Replay-Nonce"),
            retryAfter: response.headers.first(name: "Retry-After").flatMap(retryAfter),
            body: Array(body.readableBytesView))
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
        case is TimeLimitPassed: return "it does not come to the end of its answer"
        default: return String("\(error)".prefix(maximumReason))
        }
    }

    /// Seconds or a date (RFC 9110 §10.2.3).
    private static func retryAfter(_ text: String) -> Duration? {
        if let seconds = Int64(text) { return (0...longestRetryAfter).contains(seconds) ? .seconds(seconds) : nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return formatter.date(from: text).map {
            .seconds(max(0, min($0.timeIntervalSinceNow, Double(longestRetryAfter))))
        }
    }
}
