public import DNSProtocol
public import MartletCore

/// Finds where a destination's mail goes: a fixed route of the configuration, otherwise what the DNS says. Routes are kept for as long
/// as their records may be.
actor RouteFinder {
    /// A route with the port that its servers listen on.
    struct Found: Sendable {
        var route: MailRoute
        var port: Int
    }

    private struct Kept {
        var route: MailRoute
        var until: Instant
    }

    /// Routes that are kept; beyond it all are found anew.
    private static let capacity = 10_000
    /// Seconds for which a route is kept at least and at most, whatever its TTL: many messages to one domain ask once.
    private static let keptSeconds: ClosedRange<UInt32> = 5...3_600

    private let router: MailRouter
    private let resolver: any Resolving
    private let fixed: [DeliveryRunner.Options.FixedRoute]
    private let port: Int
    private var kept: [EmailAddress.Host: Kept] = [:]
    private var generator = SystemRandomNumberGenerator()

    init(router: MailRouter, resolver: any Resolving, fixed: [DeliveryRunner.Options.FixedRoute], port: Int) {
        self.router = router
        self.resolver = resolver
        self.fixed = fixed
        self.port = port
    }

    func find(_ destination: EmailAddress.Host, now: Instant) async -> Found {
        var domain: Domain?
        if case .domain(let name) = destination { domain = name }
        let given = fixed.first { $0.domain == domain && domain != nil } ?? fixed.first { $0.domain == nil }
        let target = given?.host ?? destination
        let port = given?.port ?? self.port
        if let known = kept[target], known.until > now { return Found(route: known.route, port: port) }
        let resolver = AnyResolver(resolver)
        let route: MailRoute
        if given != nil {
            route = await router.route(toServer: target, via: resolver)
        } else {
            var local = generator
            route = await router.route(to: target, via: resolver, using: &local)
            generator = local
        }
        let isLasting = route.failure.map(\.isPermanent) ?? true
        if isLasting {
            if kept.count >= RouteFinder.capacity { kept = [:] }
            let seconds = min(max(route.ttl, RouteFinder.keptSeconds.lowerBound), RouteFinder.keptSeconds.upperBound)
            kept[target] = Kept(route: route, until: now + .seconds(Int64(seconds)))
        }
        return Found(route: route, port: port)
    }
}

/// A resolver of whatever kind, for generic code.
private struct AnyResolver: Resolving {
    private let resolver: any Resolving
    init(_ resolver: any Resolving) { self.resolver = resolver }
    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer { await resolver.resolve(name, type) }
    func resolve(_ questions: [DNSQuestion]) async -> [DNSAnswer] { await resolver.resolve(questions) }
}
