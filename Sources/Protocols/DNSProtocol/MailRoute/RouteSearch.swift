internal import MartletCore

/// One search for a route: what was found so far, and the steps. The router asks; this draws the conclusions.
struct RouteSearch {
    /// A host before its addresses are known.
    struct Exchange: Hashable {
        var name: Domain
        var preference: UInt16
        var origin: MailHost.Origin
    }

    enum Exchanges {
        /// In the order in which they are tried; at least one.
        case exchanges([Exchange])
        case failure(MailRouteFailure)
    }

    let router: MailRouter
    let destination: EmailAddress.Host
    let isRelay: Bool
    private(set) var steps: [RouteStep] = []
    private var security: DNSAnswer.Security
    private var ttl = RouteSearch.longestTTL

    /// Seconds; also of what no look-up was needed for.
    static let longestTTL: UInt32 = 86_400
    /// How long a route is used that was found although a look-up for it failed.
    static let failedLookupTTL: UInt32 = 60

    /// - Parameter isRelay: it is a server of the configuration.
    init(router: MailRouter, destination: EmailAddress.Host, isRelay: Bool = false) {
        self.router = router
        self.destination = destination
        self.isRelay = isRelay
        security = isRelay ? .secure : .indeterminate
    }

    func route(_ outcome: MailRoute.Outcome) -> MailRoute {
        let mayPass = if case .failure(let failure) = outcome { !failure.isPermanent } else { false }
        return MailRoute(
            destination: destination, outcome: outcome, security: security, ttl: mayPass ? 0 : ttl, steps: steps)
    }

    mutating func note(
        _ kind: RouteStep.Kind, _ text: String, answer: DNSAnswer? = nil, reference: String? = nil
    ) {
        let step = RouteStep(kind, text, answer: answer, reference: reference)
        if steps.count >= MailRouter.maximumSteps { steps.removeLast() }
        steps.append(step)
    }

    private mutating func heard(_ answer: DNSAnswer) {
        ttl = min(ttl, answer.failure == nil ? answer.ttl : RouteSearch.failedLookupTTL)
        note(.lookup, "\(answer.question): \(answer)", answer: answer)
    }

    /// What the answer to the question for MX records says (RFC 5321 §5.1).
    mutating func exchanges(
        from answer: DNSAnswer, of domain: Domain, using generator: inout some RandomNumberGenerator
    ) -> Exchanges {
        heard(answer)
        security = answer.security
        if answer.isAlias {
            note(
                .conclusion, "\(domain) is an alias of \(answer.finalName), whose records count",
                reference: "RFC 5321 §5.1")
        }
        switch answer.outcome {
        case .failure(let failure): return .failure(failed(failure, "the MX records of \(domain)"))
        case .noSuchName:
            return .failure(
                MailRouteFailure(
                    reason: .noSuchDomain, status: EnhancedStatus(5, 1, 2), text: "The domain \(domain) does not exist",
                    reference: "RFC 5321 §5.1"))
        case .noSuchRecords:
            note(
                .conclusion, "\(domain) has no MX record: it is its own mail server, if it has an address",
                reference: "RFC 5321 §5.1")
            return .exchanges([Exchange(name: domain, preference: 0, origin: .implicitMX)])
        case .records(let records):
            var read = MXReading(records: records, domain: domain)
            let outcome = read.exchanges(using: &generator)
            for step in read.steps { note(step.kind, step.text, reference: step.reference) }
            return outcome
        }
    }

    func questions(for exchanges: [Exchange]) -> [DNSQuestion] {
        exchanges.flatMap { exchange in
            router.families.inUse.map { DNSQuestion(DNSName(exchange.name), $0 == .ipv4 ? .a : .aaaa) }
        }
    }

    /// - Parameter answers: to `questions(for: exchanges)`, in their order.
    mutating func conclude(_ exchanges: [Exchange], _ answers: [DNSAnswer]) -> MailRoute {
        let perHost = router.families.inUse.count
        var hosts: [MailHost] = []
        var failures: [(failure: DNSAnswer.Failure, exchange: Exchange)] = []
        var ownPreference: UInt16?
        for (index, exchange) in exchanges.enumerated() {
            let found = Array(answers.dropFirst(index * perHost).prefix(perHost))
            if exchange.origin != .mx { security = found.reduce(security) { $0.combined(with: $1.security) } }
            for answer in found {
                heard(answer)
                if let failure = answer.failure { failures.append((failure, exchange)) }
            }
            let host = self.host(exchange, found)
            if isOurs(host) {
                note(.conclusion, ours(exchange), reference: "RFC 5321 §5.1")
                ownPreference = min(ownPreference ?? .max, exchange.preference)
            } else if !host.addresses.isEmpty {
                hosts.append(host)
            }
        }
        func isBetter(_ preference: UInt16) -> Bool { ownPreference.map { preference < $0 } ?? true }
        hosts.removeAll { !isBetter($0.preference) }
        if !hosts.isEmpty { return succeed(hosts) }
        if let (failure, exchange) = failures.first(where: { isBetter($0.exchange.preference) }) {
            return fail(failed(failure, "the addresses of \(exchange.name)"))
        }
        return fail(ownPreference == nil ? unusable(exchanges) : loop(exchanges))
    }

    /// Whether mail that goes there comes back here. A relay of the configuration may well be on this machine.
    private func isOurs(_ host: MailHost) -> Bool {
        guard !isRelay else { return false }
        return [host.name, host.canonicalName].contains { $0.map { router.ourNames.contains($0) } ?? false }
            || host.addresses.contains { router.isOurs($0) }
    }

    /// A host with those of its addresses that can be connected to.
    private mutating func host(_ exchange: Exchange, _ answers: [DNSAnswer]) -> MailHost {
        var host = MailHost(
            name: exchange.name, preference: exchange.preference, origin: exchange.origin, addresses: [],
            addressSecurity: answers.reduce(.secure) { $0.combined(with: $1.security) })
        if let alias = answers.first(where: \.isAlias) {
            host.canonicalName = alias.finalName.domain ?? host.name
            if exchange.origin == .mx {
                note(
                    .problem,
                    "\(exchange.name) is a CNAME of \(alias.finalName), which an MX record should not name; it is followed",
                    reference: "RFC 2181 §10.3")
            }
        }
        let addresses = inTurn(answers.map { $0.records.compactMap(\.address) })
        for address in addresses where !address.isUnicast {
            note(
                .problem, "\(exchange.name) has the address \(address), which no host can have; it is passed over",
                reference: "RFC 6890 §2.2")
        }
        let usable = addresses.filter(\.isUnicast)
        if usable.count > MailRouter.maximumAddresses {
            note(
                .problem,
                "\(exchange.name) has more than \(MailRouter.maximumAddresses) addresses; the first ones are tried")
        }
        host.addresses = Array(usable.prefix(MailRouter.maximumAddresses))
        if usable.isEmpty, answers.allSatisfy({ $0.failure == nil }), exchange.origin == .mx {
            note(.problem, "\(exchange.name) has no \(wantedAddress); it is passed over", reference: "RFC 5321 §5.1")
        }
        return host
    }

    /// One of each family, then the next of each; none twice.
    private func inTurn(_ families: [[IPAddress]]) -> [IPAddress] {
        var result: [IPAddress] = []
        // More than are kept, since some may be of no use.
        for place in 0..<(2 * MailRouter.maximumAddresses) {
            for addresses in families where place < addresses.count && !result.contains(addresses[place]) {
                result.append(addresses[place])
            }
        }
        return result
    }

    mutating func conclude(literal: String) -> MailRoute {
        guard let address = IPAddress(literal: literal), address.isUnicast else {
            return fail(
                MailRouteFailure(
                    reason: .badLiteral, status: EnhancedStatus(5, 1, 3),
                    text: "[\(DNSAnswer.printable(literal))] is no address that mail can be sent to",
                    reference: "RFC 5321 §4.1.3"))
        }
        if !isRelay, router.isOurs(address) { return fail(loop([])) }
        guard router.families.inUse.contains(address.unmapped.family) else {
            return fail(
                MailRouteFailure(
                    reason: .familyIsOff, status: EnhancedStatus(5, 4, 4),
                    text: "This server does not send by \(address.unmapped.family.rawValue)",
                    reference: "RFC 5321 §5.2"))
        }
        note(.conclusion, "An address literal needs no look-up", reference: "RFC 5321 §4.1.3")
        return succeed([
            MailHost(name: nil, origin: .given, addresses: [address], addressSecurity: .indeterminate)
        ])
    }
}

extension DNSRecordData {
    /// Of an A or AAAA record.
    public var address: IPAddress? {
        switch self {
        case .a(let octets), .aaaa(let octets): IPAddress(octets: octets)
        default: nil
        }
    }
}
