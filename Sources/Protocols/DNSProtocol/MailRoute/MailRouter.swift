public import MartletCore

/// Finds the servers that take a destination's mail (RFC 5321 §5): MX records by preference, at random among equals; without
/// any the domain's own addresses; null MX (RFC 7505); never a circle through this server.
///
/// A value that holds what is configured; each route is found anew. Keeping it for `MailRoute.ttl` is up to the caller.
public struct MailRouter: Sendable, Hashable {
    /// Which addresses are connected to.
    public enum Families: String, Sendable, Hashable, CaseIterable {
        /// A host's IPv6 and IPv4 addresses in turn, IPv6 first, so that one broken family costs one attempt.
        case both
        case ipv4Only
        case ipv6Only

        /// In the order in which they are tried.
        var inUse: [IPAddress.Family] {
            switch self {
            case .both: [.ipv6, .ipv4]
            case .ipv4Only: [.ipv4]
            case .ipv6Only: [.ipv6]
            }
        }
    }

    /// MX records that are read of one answer, in the order in which they came.
    public static let maximumRecords = 200
    /// Exchanges whose addresses are looked up; what is less preferred than these is left out.
    public static let maximumExchanges = 20
    /// Addresses of one host that are kept.
    public static let maximumAddresses = 10
    /// Questions for one route: that for MX, and two for each exchange.
    public static let maximumLookups = 1 + 2 * maximumExchanges
    /// Steps that are kept, the last one always.
    public static let maximumSteps = 100

    /// Names that this server is known by in mail: its host name, those that MX records give it.
    public var ourNames: Set<Domain>
    /// Addresses that this server listens on.
    public var ourAddresses: Set<IPAddress>
    /// Whatever has a loopback address is this server, as on any real host. Not so in a lab.
    public var loopbackIsOurs: Bool
    public var families: Families

    public init(
        ourNames: Set<Domain> = [], ourAddresses: Set<IPAddress> = [], loopbackIsOurs: Bool = true,
        families: Families = .both
    ) {
        self.ourNames = ourNames
        self.ourAddresses = Set(ourAddresses.map(\.unmapped))
        self.loopbackIsOurs = loopbackIsOurs
        self.families = families
    }

    /// - Parameters:
    ///   - destination: what stands right of the `@`.
    ///   - resolver: asked at most `maximumLookups` questions.
    ///   - generator: orders exchanges of equal preference.
    public func route(
        to destination: EmailAddress.Host, via resolver: some Resolving,
        using generator: inout some RandomNumberGenerator
    ) async -> MailRoute {
        switch destination {
        case .domain(let domain): await route(to: domain, via: resolver, using: &generator)
        case .literal(let literal): route(toLiteral: literal)
        }
    }

    /// As `route(to:via:using:)` with a domain.
    public func route(
        to domain: Domain, via resolver: some Resolving, using generator: inout some RandomNumberGenerator
    ) async -> MailRoute {
        var search = RouteSearch(router: self, destination: .domain(domain))
        let answer = await resolver.resolve(DNSName(domain), .mx)
        switch search.exchanges(from: answer, of: domain, using: &generator) {
        case .exchanges(let exchanges):
            let answers = await resolver.resolve(search.questions(for: exchanges))
            return search.conclude(exchanges, answers)
        case .failure(let failure): return search.fail(failure)
        }
    }

    /// The route to a relay of the configuration: its addresses, no MX record. It may be on this machine, and whatever is
    /// wrong with it is temporary.
    public func route(toServer server: EmailAddress.Host, via resolver: some Resolving) async -> MailRoute {
        var search = RouteSearch(router: self, destination: server, isRelay: true)
        switch server {
        case .literal(let literal): return search.conclude(literal: literal)
        case .domain(let name):
            let exchanges = [RouteSearch.Exchange(name: name, preference: 0, origin: .given)]
            let answers = await resolver.resolve(search.questions(for: exchanges))
            return search.conclude(exchanges, answers)
        }
    }

    /// The route to an address literal (RFC 5321 §4.1.3).
    ///
    /// - Parameter literal: what stands between the brackets: `192.0.2.1`, `ipv6:2001:db8::1`.
    public func route(toLiteral literal: String) -> MailRoute {
        var search = RouteSearch(router: self, destination: .literal(literal))
        return search.conclude(literal: literal)
    }

    /// Whether mail that goes there comes back here.
    func isOurs(_ address: IPAddress) -> Bool {
        ourAddresses.contains(address.unmapped) || (loopbackIsOurs && address.isLoopback)
    }
}
