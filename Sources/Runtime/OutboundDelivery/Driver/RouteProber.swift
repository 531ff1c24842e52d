public import DNSProtocol
public import MartletCore
public import NIOCore
internal import NetworkTransport
internal import SMTPProtocol

/// Walks the way of mail to an address without sending any: finds the route as a delivery would, and asks each address whether it
/// takes the recipient. For `martlet doctor route`.
public struct RouteProber: Sendable {
    /// Addresses that are asked, in the order of the route, all at once.
    public static let maximumAddresses = 12

    private let options: DeliveryRunner.Options
    private let routes: RouteFinder
    private let services: RelayServices

    /// - Throws: `TLSConfigurationError`.
    public init(options: DeliveryRunner.Options, resolver: any Resolving, group: any EventLoopGroup) throws {
        self.options = options
        routes = RouteFinder(
            router: options.router, resolver: resolver, fixed: options.fixedRoutes, port: options.port)
        services = RelayServices(
            group: group, tls: try ClientTLS(trustRoots: options.trustRoots),
            opportunisticTLS: try ClientTLS(trustRoots: options.trustRoots, allowsOldVersions: true),
            timeouts: options.timeouts, makeSevenBit: { _ in nil })
    }

    /// - Parameter subject: what the user asked about, for the report.
    public func probe(_ recipient: EmailAddress, subject: String, now: Instant) async -> DoctorRoute {
        let found = await routes.find(recipient.host, now: now)
        let port = UInt16(clamping: found.port)
        let places = found.route.hosts.flatMap { host in host.addresses.map { (host: host, address: $0) } }
        let probes = await withTaskGroup(of: RouteProbe.self) { group in
            for place in places.prefix(RouteProber.maximumAddresses) {
                group.addTask { await probe(place.address, of: place.host, port: port, recipient) }
            }
            var probes: [RouteProbe] = []
            for await probe in group { probes.append(probe) }
            return probes
        }
        return DoctorRoute(subject: subject, route: found.route, probes: probes)
    }

    private func probe(
        _ address: IPAddress, of host: MailHost, port: UInt16, _ recipient: EmailAddress
    ) async -> RouteProbe {
        var probe = RouteProbe(host: host.name, address: address, port: port)
        let target = RelayTarget(
            address: address.description, port: Int(port), serverName: host.name?.ascii, tls: options.tls,
            localName: options.hostname)
        guard let connection = await connect(target, &probe) else { return probe }
        let info = await connection.info
        probe.note(info)
        let result = await connection.probe(recipient)
        await connection.close()
        probe.note(result)
        return probe
    }

    /// As a delivery does: in clear when TLS was offered, need not be, and fails (RFC 7435 §3).
    private func connect(_ target: RelayTarget, _ probe: inout RouteProbe) async -> RelayConnection? {
        do throws(RelayFailure) { return try await RelayConnection.connect(to: target, services: services) } catch {
            probe.note(error)
            guard target.tls == .opportunistic, error.isTLSFailure else { return nil }
        }
        var inClear = target
        inClear.tls = .none
        do throws(RelayFailure) { return try await RelayConnection.connect(to: inClear, services: services) } catch {
            probe.note(error)
            return nil
        }
    }
}

extension RouteProbe {
    mutating func note(_ failure: RelayFailure) {
        greeting = greeting ?? RelayConnectionInfo.greeting(in: failure.transcript)
        switch failure.cause {
        case .handshake(let reason): tls = .failed(reason)
        case .session(let session) where failure.isTLSFailure: tls = .failed(session.cause.text)
        case .unreachable, .session, .certificate: break
        }
        problem = failure.text
    }

    mutating func note(_ info: RelayConnectionInfo) {
        problem = nil
        greeting = info.greeting ?? greeting
        timeToGreeting = info.timeToGreeting
        extensions = info.capabilities.told
        if let parameters = info.tls {
            tls = .established(parameters, Certificate(info.certificate))
        } else if let refusal = info.startTLSRefusal {
            tls = .failed("\(refusal)")
        } else if tls == nil {
            tls = .notOffered
        }
    }

    mutating func note(_ result: SMTPProbeResult) {
        if let reply = result.senderReply, !reply.isPositive { senderReply = "\(reply)" }
        recipientReply = result.recipientReply
        if result.needsSMTPUTF8 { problem = "the address needs SMTPUTF8, which the server does not offer" }
        if let failure = result.failure, recipientReply == nil {
            problem = "\(failure.cause.text) (\(failure.stage.rawValue))"
        }
    }
}

extension RouteProbe.Certificate {
    init(_ check: CertificateCheck?) {
        switch check {
        case nil: self = .notChecked
        case .verified: self = .valid
        case .failed(let reason):
            let subject = ["the certificate ", "the server's certificate "].first { reason.hasPrefix($0) }
            self = .invalid(subject.map { String(reason.dropFirst($0.count)) } ?? "does not count: \(reason)")
        }
    }
}
