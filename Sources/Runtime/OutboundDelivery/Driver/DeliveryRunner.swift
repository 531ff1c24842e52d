public import DNSProtocol
public import Logging
public import MailStore
public import MartletCore
internal import MessageFormat
public import NIOCore
public import NetworkTransport
public import QueueEngine
public import Records
public import SMTPProtocol
internal import Synchronization

/// Makes an attempt by SMTP: finds the route, goes through its servers' addresses until one has decided, and tells what happened
/// (RFC 5321 §5).
public final class DeliveryRunner: AttemptRunning {
    public struct Options: Sendable {
        /// Where mail for a domain goes instead of to its MX; nil for every domain.
        public struct FixedRoute: Sendable, Hashable {
            public var domain: Domain?
            public var host: EmailAddress.Host
            public var port: Int
            public init(domain: Domain?, host: EmailAddress.Host, port: Int) {
                self.domain = domain
                self.host = host
                self.port = port
            }
        }

        /// What EHLO says.
        public var hostname: String
        public var router: MailRouter
        public var port: Int
        public var fixedRoutes: [FixedRoute]
        public var tls: RelayTarget.TLSPolicy
        public var timeouts: RelayServices.Timeouts
        /// Whose certificates count as verified.
        public var trustRoots: ClientTLS.TrustRoots
        public init(
            hostname: String, router: MailRouter, port: Int = 25, fixedRoutes: [FixedRoute] = [],
            tls: RelayTarget.TLSPolicy = .opportunistic, timeouts: RelayServices.Timeouts = RelayServices.Timeouts(),
            trustRoots: ClientTLS.TrustRoots = .system
        ) {
            self.hostname = hostname
            self.router = router
            self.port = port
            self.fixedRoutes = fixedRoutes
            self.tls = tls
            self.timeouts = timeouts
            self.trustRoots = trustRoots
        }
    }

    /// Addresses that one attempt goes to; the others have their turn at the next.
    static let maximumAddresses = 6
    /// Connections that were kept and turn out dead, before a new one is made.
    static let maximumStale = 3

    private let options: Options
    private let routes: RouteFinder
    private let pool: RelayConnectionPool
    private let memory = Mutex(HostMemory())
    private let clock: any WallClock
    private let logger: Logger

    /// - Throws: `TLSConfigurationError`.
    public init(
        options: Options, resolver: any Resolving, clock: any WallClock, group: any EventLoopGroup, logger: Logger
    ) throws {
        self.options = options
        self.clock = clock
        self.logger = logger
        routes = RouteFinder(
            router: options.router, resolver: resolver, fixed: options.fixedRoutes, port: options.port)
        pool = RelayConnectionPool(
            services: RelayServices(
                group: group, tls: try ClientTLS(trustRoots: options.trustRoots),
                opportunisticTLS: try ClientTLS(trustRoots: options.trustRoots, allowsOldVersions: true),
                timeouts: options.timeouts, makeSevenBit: { SevenBitConversion.sevenBit($0) }))
    }

    public func close() async { await pool.close() }

    public func run(_ delivery: QueuedDelivery, content store: any QueueStore) async -> (AttemptReport, DeliveryAttempt)
    {
        let began = ContinuousClock.now
        guard let first = delivery.recipients.first else {
            preconditionFailure("a delivery has recipients")
        }
        var attempt = DeliveryAttempt(at: clock.now(), duration: .zero, destination: first.destination)
        let report = await run(delivery, first, store, &attempt)
        attempt.duration = ContinuousClock.now - began
        return (report, attempt)
    }

    private func run(
        _ delivery: QueuedDelivery, _ first: QueuedRecipient, _ store: any QueueStore, _ attempt: inout DeliveryAttempt
    ) async -> AttemptReport {
        let now = clock.now()
        let found = await routes.find(first.address.host, now: now)
        attempt.decisions.append(Decision(found.route))
        if let failure = found.route.failure {
            let reply = "\(failure.status) \(failure.text)"
            return failure.isPermanent
                ? AttemptReport(connection: .unknown, others: .permanent(reply: reply))
                : AttemptReport(connection: .unreachable(reply: reply), others: .temporary(reply: reply))
        }
        let port = UInt16(clamping: found.port)
        let hosts = memory.withLock { $0.alive(found.route.hosts, port: port, at: now) }
        guard !hosts.isEmpty else {
            let reply = "4.4.1 none of the servers could be reached a short while ago"
            return AttemptReport(connection: .unreachable(reply: reply), others: .temporary(reply: reply))
        }
        let content: any MessageReading
        do throws(StoreError) {
            let message = try await store.content(of: delivery.message.blob)
            content = first.deliveredTo.map { ForwardedContent(message, deliveredTo: $0) } ?? message
        } catch {
            logger.error(
                "a queued message cannot be read", metadata: ["code": "\(delivery.message.code)", "error": "\(error)"])
            return AttemptReport(
                connection: .unknown, others: .temporary(reply: "4.3.0 the message cannot be read here: \(error)"))
        }
        let transaction = SMTPClientTransaction(delivery, size: content.size)
        var report: AttemptReport?
        var tried = 0
        search: for host in hosts {
            for address in host.addresses {
                guard tried < DeliveryRunner.maximumAddresses, !Task.isCancelled else { break search }
                tried += 1
                let (result, isDecided) = await hand(transaction, content, to: host, address, port, delivery, &attempt)
                report = result
                if isDecided { return result }
            }
        }
        let reply = "4.4.1 no server was tried"
        return report ?? AttemptReport(connection: .unreachable(reply: reply), others: .temporary(reply: reply))
    }

    /// Speaks to one address. - Returns: what came of it, and whether another address could not do better.
    private func hand(
        _ transaction: SMTPClientTransaction, _ content: any MessageReading, to host: MailHost, _ address: IPAddress,
        _ port: UInt16, _ delivery: QueuedDelivery, _ attempt: inout DeliveryAttempt
    ) async -> (AttemptReport, isDecided: Bool) {
        let endPoint = HostMemory.EndPoint(address, port: port)
        attempt.host = host.name?.ascii ?? attempt.destination
        attempt.address = address.description
        attempt.tls = nil
        var target = RelayTarget(
            address: address.description, port: Int(port), serverName: host.name?.ascii, tls: options.tls,
            localName: options.hostname)
        for round in 0...DeliveryRunner.maximumStale {
            let (result, info): (SMTPTransactionResult, RelayConnectionInfo)
            do throws(RelayFailure) {
                (result, info) = try await deliver(transaction, content, &target, &attempt)
            } catch {
                return (failed(error, endPoint), false)
            }
            attempt.tls = info.tls
            if result.isStaleConnection, round < DeliveryRunner.maximumStale { continue }
            attempt.add(result.transcript)
            if let certificate = info.certificate { attempt.decisions.append(Decision(certificate, of: host)) }
            memory.withLock { $0.succeeded(endPoint) }
            return report(result, delivery)
        }
        preconditionFailure("the last round returns")
    }

    private func deliver(
        _ transaction: SMTPClientTransaction, _ content: any MessageReading, _ target: inout RelayTarget,
        _ attempt: inout DeliveryAttempt
    ) async throws(RelayFailure) -> (SMTPTransactionResult, RelayConnectionInfo) {
        do throws(RelayFailure) { return try await pool.deliver(transaction, content: content, to: target) } catch {
            attempt.add(error.transcript)
            guard target.tls == .opportunistic, error.isTLSFailure else { throw error }
            // RFC 7435: in clear is what it would have been without the offer.
            attempt.add(["* \(error.text); trying again in clear"])
            target.tls = .none
        }
        do throws(RelayFailure) { return try await pool.deliver(transaction, content: content, to: target) } catch {
            attempt.add(error.transcript)
            throw error
        }
    }

    private func failed(_ failure: RelayFailure, _ endPoint: HostMemory.EndPoint) -> AttemptReport {
        switch failure.cause {
        case .unreachable:
            let now = clock.now()
            memory.withLock { _ = $0.failed(endPoint, at: now) }
            let reply = "4.4.1 \(endPoint.address): \(failure.text)"
            return AttemptReport(connection: .unreachable(reply: reply), others: .temporary(reply: reply))
        case .session(let session):
            let reply = session.cause.reply.map { "\($0)" } ?? "\(session.cause.status) \(failure.text)"
            return AttemptReport(connection: .refused(reply: reply), others: .temporary(reply: reply))
        case .handshake, .certificate:
            let reply = "4.7.5 \(failure.text)"
            return AttemptReport(connection: .refused(reply: reply), others: .temporary(reply: reply))
        }
    }

    private func report(
        _ result: SMTPTransactionResult, _ delivery: QueuedDelivery
    ) -> (AttemptReport, isDecided: Bool) {
        var results: [Int: AttemptReport.Result] = [:]
        var isDecided = false
        var broken: String?
        for (queued, recipient) in zip(delivery.recipients, result.recipients) {
            let reply = recipient.reportedReply
            if recipient.isAccepted {
                results[queued.number] = .relayed(reply: reply, announcesDSN: result.passedDSN)
                isDecided = true
            } else if recipient.isPermanent {
                results[queued.number] = .permanent(reply: reply)
                isDecided = true
            } else {
                results[queued.number] = .temporary(reply: reply)
                switch recipient.outcome {
                case .failed: broken = broken ?? reply
                // It may have been taken: another server would get it a second time.
                case .unknown: isDecided = true
                default: isDecided = isDecided || recipient.stage == .recipient
                }
            }
        }
        let connection: AttemptReport.Connection = broken.map { isDecided ? .worked : .refused(reply: $0) } ?? .worked
        return (
            AttemptReport(
                connection: connection, results: results, others: .temporary(reply: "4.3.0 not told of")), isDecided
        )
    }
}

extension SMTPTransactionResult.Recipient {
    /// The reply as one line that begins with a code, which the notice to the sender is made of.
    fileprivate var reportedReply: String {
        switch outcome {
        case .accepted, .refused: text
        case .failed(let cause): cause.reply.map { "\($0)" } ?? "\(status) \(text)"
        case .unknown, .needsSMTPUTF8, .tooLarge, .cannotBeConverted: "\(status) \(text)"
        }
    }
}

extension SMTPClientTransaction {
    init(_ delivery: QueuedDelivery, size: Int) {
        let message = delivery.message
        self.init(
            reversePath: delivery.recipients.first?.reversePath.map { .address($0) } ?? .null,
            recipients: delivery.recipients.map {
                Recipient(
                    $0.address, notify: $0.notify == .standard ? nil : $0.notify,
                    originalRecipient: $0.originalRecipient)
            }, size: size, body: message.body, needsSMTPUTF8: message.needsSMTPUTF8, envelopeID: message.envelopeID,
            returnContent: message.returnContent)
    }
}

extension DeliveryAttempt {
    /// Lines of a transcript that are kept of one attempt, whatever its addresses are.
    private static let maximumLines = 400

    mutating func add(_ lines: [String]) {
        transcript += lines.prefix(max(0, DeliveryAttempt.maximumLines - transcript.count))
    }
}

extension Decision {
    /// How the route was found.
    init(_ route: MailRoute) {
        let failure = route.failure
        let hosts = route.hosts.map { host in host.name?.ascii ?? host.addresses.first?.description ?? "?" }
        self.init(
            check: "route", outcome: failure.map { $0.isPermanent ? .refuse : .defer } ?? .pass,
            summary: failure?.text ?? "The mail goes to \(hosts.prefix(5).joined(separator: ", ")).",
            evidence: route.steps.prefix(20).map { step in
                Evidence(step.kind.rawValue, step.answer.map { "\($0.question): \($0)" } ?? step.text)
            }, reference: failure?.reference ?? "RFC 5321 §5.1")
    }

    /// What the server's certificate was worth.
    init(_ check: CertificateCheck, of host: MailHost) {
        let name = host.name?.ascii ?? "the server"
        switch check {
        case .verified:
            self.init(
                check: "certificate", outcome: .pass, summary: "The certificate is valid for \(name).",
                reference: "RFC 6125 §6")
        case .failed(let reason):
            self.init(
                check: "certificate", outcome: .pass,
                summary:
                    "The certificate of \(name) does not count, and encryption without it is better than none: \(reason).",
                reference: "RFC 7435 §3")
        }
    }
}

/// A message on its way from an alias of ours: with a Delivered-To above it, by which a circle is known.
private struct ForwardedContent: MessageReading {
    private let message: any MessageReading
    private let prefix: [UInt8]

    init(_ message: any MessageReading, deliveredTo address: EmailAddress) {
        self.message = message
        prefix = Array("Delivered-To: \(address)\r\n".utf8)
    }

    var size: Int { prefix.count + message.size }

    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<size)
        let ofPrefix = range.clamped(to: 0..<prefix.count)
        let ofMessage = max(0, range.lowerBound - prefix.count)..<max(0, range.upperBound - prefix.count)
        let head = Array(prefix[ofPrefix])
        return ofMessage.isEmpty ? head : head + (try await message.read(ofMessage))
    }
}

extension SevenBitConversion {
    /// nil when it cannot be.
    fileprivate static func sevenBit(_ message: [UInt8]) -> [UInt8]? {
        switch convert(message) {
        case .converted(let bytes): bytes
        case .unchanged: message
        case .impossible: nil
        }
    }
}
