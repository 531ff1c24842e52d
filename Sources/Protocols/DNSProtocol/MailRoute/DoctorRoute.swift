internal import MartletCore

/// What `martlet doctor route` tells: the way to a destination's servers, what they answered, and one next step. As text
/// for people (`text`), and as JSON for programs (`Encodable`).
public struct DoctorRoute: Sendable, Hashable {
    /// What came of it. Stable names for programs.
    public enum Verdict: String, Sendable, Hashable, CaseIterable {
        /// A server takes the recipient.
        case accepted
        /// The first server that answered refused the recipient for good.
        case refused
        /// Servers answered, and none of them took the recipient now.
        case deferred
        /// No server could be spoken to.
        case unreachable
        /// There is a route; no server was asked.
        case notAsked = "not-asked"
        /// There is no route, and that may pass.
        case noRouteNow = "no-route-now"
        /// There is no route, and mail bounces.
        case noRoute = "no-route"
    }

    /// The address or domain that was asked about.
    public let subject: String
    public let route: MailRoute
    /// In the order of the route.
    public let probes: [RouteProbe]
    /// What this server would do with such mail: one sentence; nil when nobody has said. Follows from `verdict` and the configuration.
    public var plan: String?

    /// - Parameters:
    ///   - subject: as the user wrote it.
    ///   - probes: of the route's hosts and addresses, none or some, in any order; others are left out.
    public init(subject: String, route: MailRoute, probes: [RouteProbe] = []) {
        self.subject = subject
        self.route = route
        self.probes = route.hosts.flatMap { host in
            host.addresses.compactMap { DoctorRoute.probe(of: host, at: $0, in: probes) }
        }
    }

    public var verdict: Verdict {
        if let failure = route.failure { return failure.isPermanent ? .noRoute : .noRouteNow }
        guard !probes.isEmpty else { return .notAsked }
        // Delivery ends at the first server that takes or refuses it for good (RFC 5321 §4.2.1).
        for probe in probes {
            guard let reply = probe.recipientReply else { continue }
            if reply.isPositive { return .accepted }
            if reply.code >= 500 { return .refused }
        }
        return probes.contains { $0.greeting != nil } ? .deferred : .unreachable
    }

    func probe(of host: MailHost, at address: IPAddress) -> RouteProbe? {
        DoctorRoute.probe(of: host, at: address, in: probes)
    }

    private static func probe(of host: MailHost, at address: IPAddress, in probes: [RouteProbe]) -> RouteProbe? {
        probes.first { $0.host == host.name && $0.address == address }
    }

    /// One sentence.
    public var summary: String {
        let subject = DoctorRoute.line(self.subject)
        switch verdict {
        case .accepted: return "Mail for \(subject) can be delivered."
        case .refused: return "Mail for \(subject) is refused by its server, and bounces."
        case .deferred: return "Mail for \(subject) waits: its servers do not take it now."
        case .unreachable: return "Mail for \(subject) waits: none of its servers can be spoken to."
        case .notAsked: return "Mail for \(subject) has servers to go to; they were not asked."
        case .noRouteNow: return "Mail for \(subject) waits: its route cannot be found now (\(status))."
        case .noRoute: return "Mail for \(subject) cannot be delivered, and bounces (\(status))."
        }
    }

    private var status: String { route.failure?.status.description ?? "" }

    /// One thing to do; nil when nothing is wrong.
    public var nextStep: String? {
        switch verdict {
        case .accepted:
            probes.contains { $0.problem != nil }
                ? "Nothing is needed. The servers that did not answer are passed over until they do." : nil
        case .refused:
            "Read the server's reply above: most often the address is misspelt, or its policy refuses this server."
        case .deferred:
            "Wait: the message is tried again. If it stays so, ask the destination's postmaster with the reply above."
        case .unreachable:
            "See whether this machine may connect to port \(probes.first?.port ?? 25) of others: many networks block it."
        case .notAsked: nil
        case .noRouteNow, .noRoute: route.failure.map(DoctorRoute.remedy)
        }
    }

    static func remedy(_ failure: MailRouteFailure) -> String {
        switch failure.reason {
        case .noSuchDomain: "Check how the domain is spelt; its owner has to register it or publish its zone."
        case .nullMX: "Nothing can be done: the domain's owner says that it takes no mail."
        case .noAddress, .noUsableExchange:
            "The domain's owner has to publish an MX record whose host has an address that this server can use."
        case .loop:
            "Add the domain to this server's configuration if it is to take its mail; otherwise correct the domain's MX."
        case .badLiteral: "Write [192.0.2.1] or [IPv6:2001:db8::1], or better a domain."
        case .familyIsOff: "Switch the address family on, or use another address."
        case .lookupFailed:
            "See whether this server's resolver works; if it does, the domain's name servers are at fault."
        case .bogus:
            "The domain's owner has to repair its DNSSEC signatures; until then nobody who validates sends to it."
        }
    }
}
