internal import Crypto
internal import DNSProtocol
internal import DeliveryPolicy
internal import Foundation
internal import Logging
internal import MailStore
internal import MartletCore
internal import NameResolution
internal import NetworkTransport
internal import OutboundDelivery
internal import QueueEngine
internal import SMTPProtocol
internal import SMTPServer

/// How mail leaves a running server: resolver, connections, queue.
struct OutboundService: Sendable {
    let queue: OutboundQueue
    let resolution: Resolution
    /// What the SMTP services need to know.
    let settings: SMTPServerConfiguration.Outbound

    static func start(_ server: Server) async throws -> OutboundService {
        let configuration = server.configuration
        let resolution = try Resolution(configuration)
        let runner = try DeliveryRunner(
            options: try DeliveryRunner.Options(configuration), resolver: resolution.resolver, clock: server.clock,
            group: server.group, logger: server.log.logger("relay"))
        let queue = OutboundQueue(
            store: server.store.engine, runner: runner, notices: server.store.notices,
            configuration: QueueEngineConfiguration(configuration, owner: .random(in: 1 ... .max)), clock: server.clock,
            logger: server.log.logger("queue"))
        var settings = SMTPServerConfiguration.Outbound(
            senderRewriting: try OutboundService.senderRewriting(server),
            arrived: { lanes in queue.arrived(lanes) })
        settings.lifetime = configuration.queue.lifetime
        server.store.bell.connect { news in
            Task {
                switch news {
                case .changed: await queue.changed()
                case .tryAgain(let destinations): await queue.askedAgain(destinations)
                }
            }
        }
        try await queue.start()
        return OutboundService(queue: queue, resolution: resolution, settings: settings)
    }

    /// Ends what is on its way, at most within `patience`.
    func stop(patience: Duration) async {
        await queue.stop(patience: patience)
        await resolution.close()
    }

    /// The key is made once and kept: addresses that went out have to be known again for weeks.
    private static func senderRewriting(_ server: Server) throws(FileFailure) -> SenderRewriting? {
        // A domain of ours has an SPF record that names this server; the host's own name often has none.
        let ours = server.store.engine.domains().map(\.domain).min()
        guard server.configuration.outbound.rewritesSenders,
            let domain = ours ?? Domain(server.configuration.effectiveHostname)
        else { return nil }
        let file = server.directory.senderRewritingKey
        var key = server.directory.read(file).flatMap {
            Data(base64Encoded: $0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        if key == nil || key?.count != 32 {
            let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
            try server.directory.write(fresh.base64EncodedString() + "\n", to: file, mode: 0o600)
            key = fresh
        }
        guard let key else { return nil }
        let secret = SymmetricKey(data: key)
        return SenderRewriting(domain: domain) { data in
            Array(HMAC<SHA256>.authenticationCode(for: data, using: secret))
        }
    }
}

/// Who answers questions to the DNS, as configured.
struct Resolution: Sendable {
    let resolver: any Resolving
    private let unbound: UnboundResolver?

    init(_ configuration: Configuration) throws(ServerFailure) {
        let dns = configuration.dns
        do throws(ResolverSetupError) {
            unbound = dns.servers == ["none"] ? nil : try UnboundResolver(ResolverOptions(dns))
        } catch {
            throw ServerFailure(.configuration, ["dns.servers: \(error)"])
        }
        var zones: [ZoneFile] = []
        var problems: [String] = []
        for path in dns.zones {
            guard let bytes = DataDirectory.bytes(of: path) else {
                problems.append("dns.zones: \(path) cannot be read; is the path right?")
                continue
            }
            do throws(ZoneFileErrors) { zones.append(try ZoneFile.parse(bytes)) } catch {
                problems += error.errors.map { "dns.zones: \(path):\($0.line): \($0.problem)" }
            }
        }
        guard problems.isEmpty else { throw ServerFailure(.configuration, problems) }
        if let unbound, zones.isEmpty {
            resolver = unbound
        } else {
            resolver = ZoneResolver(zones: zones, otherwise: unbound)
        }
    }

    func close() async { await unbound?.close() }
}

extension ResolverOptions {
    init(_ dns: Configuration.DNS) {
        let upstream: Upstream
        switch dns.servers {
        case ["recursive"]: upstream = .recursive
        case ["system"]: upstream = .system
        default: upstream = .forwarders(dns.servers.compactMap { NameServer($0) })
        }
        let hasAnchor = !dns.trustAnchor.isEmpty && FileManager.default.isReadableFile(atPath: dns.trustAnchor)
        self.init(
            upstream: upstream, trustAnchorFile: hasAnchor ? dns.trustAnchor : nil, timeout: dns.timeout)
    }
}

extension QueueEngineConfiguration {
    init(_ configuration: Configuration, owner: Int64) {
        self.init(owner: owner)
        let queue = configuration.queue
        totalAttempts = queue.maximumDeliveries
        maximumWindow = queue.maximumDeliveriesPerDestination
        delayNoticeAfter = queue.delayNotice
        var steps: [Duration] = []
        var step = queue.firstRetry
        while step < queue.longestRetry, steps.count < 16 {
            steps.append(step)
            step *= 2
        }
        retries = RetrySchedule(steps: steps + [max(queue.longestRetry, queue.firstRetry)])
        // Where retries come quickly, a destination is not left alone for longer.
        pauses = RetrySchedule(
            steps: pauses.steps.map { min($0, queue.longestRetry) }, jitterPercent: pauses.jitterPercent)
    }
}

extension DeliveryRunner.Options {
    init(_ configuration: Configuration) throws(ServerFailure) {
        let outbound = configuration.outbound
        let families: MailRouter.Families =
            switch outbound.addresses {
            case "ipv4": .ipv4Only
            case "ipv6": .ipv6Only
            default: .both
            }
        var own: Set<IPAddress> = []
        for address in configuration.listeners.smtp {
            if case .internet(let host, _) = address, let known = IPAddress(host) { own.insert(known) }
        }
        // Where loopback is elsewhere, an address alone says nothing: labs share it, on ports of their own.
        let router = MailRouter(
            ourNames: Set([Domain(configuration.effectiveHostname)].compactMap { $0 }),
            ourAddresses: outbound.loopbackIsElsewhere ? [] : own,
            loopbackIsOurs: !outbound.loopbackIsElsewhere, families: families)
        var timeouts = RelayServices.Timeouts()
        timeouts.connect = outbound.connectTimeout
        timeouts.session = SMTPClientTimeouts(all: outbound.replyTimeout)
        timeouts.session.endOfContent = outbound.replyTimeout * 2
        timeouts.session.quit = min(timeouts.session.quit, outbound.replyTimeout)
        let tls: RelayTarget.TLSPolicy =
            switch outbound.tls {
            case "required": .required
            case "verified": .requiredVerified
            case "none": .none
            default: .opportunistic
            }
        self.init(
            hostname: configuration.effectiveHostname, router: router, port: outbound.port,
            fixedRoutes: outbound.routes.map { FixedRoute(domain: $0.domain, host: $0.host, port: $0.port) },
            tls: tls, timeouts: timeouts)
    }
}
