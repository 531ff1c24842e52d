internal import MartletCore

extension RouteSearch {
    /// Addresses of each host that the last step names.
    static let toldAddresses = 4

    /// `[192.0.2.1]` or `example.test`.
    private var destinationText: String {
        switch destination {
        case .domain(let domain): domain.ascii
        case .literal(let literal): "[\(DNSAnswer.printable(literal))]"
        }
    }

    /// `IPv4 address` where only these are used.
    var wantedAddress: String {
        let families = router.families.inUse
        return families.count == 1 ? families.map { "\($0.rawValue) address" }.joined() : "address"
    }

    mutating func succeed(_ hosts: [MailHost]) -> MailRoute {
        let told = hosts.map { host in
            let shown = host.addresses.prefix(RouteSearch.toldAddresses).map(\.description).joined(separator: ", ")
            let more = host.addresses.count - RouteSearch.toldAddresses
            let addresses = more > 0 ? "\(shown) and \(more) more" : shown
            return host.name.map { "\($0) (\(addresses))" } ?? addresses
        }
        note(.conclusion, "Tried in this order: \(told.joined(separator: ", then "))", reference: "RFC 5321 §5.1")
        return route(.hosts(hosts))
    }

    mutating func fail(_ failure: MailRouteFailure) -> MailRoute {
        var failure = failure
        // No sender is told that an administrator's mistake is final.
        if isRelay, failure.isPermanent { failure.status = EnhancedStatus(4, 4, 4) }
        note(.conclusion, failure.text, reference: failure.reference)
        return route(.failure(failure))
    }

    /// A look-up that says nothing, now: the message waits (RFC 5321 §5.1).
    func failed(_ failure: DNSAnswer.Failure, _ what: String) -> MailRouteFailure {
        let isBogus = if case .bogus = failure { true } else { false }
        return MailRouteFailure(
            reason: isBogus ? .bogus : .lookupFailed, status: EnhancedStatus(4, 4, 3),
            text: "The look-up of \(what) \(failure.summary)",
            reference: isBogus ? "RFC 4035 §4.3" : "RFC 5321 §5.1")
    }

    /// A step for a host that is this server.
    func ours(_ exchange: Exchange) -> String {
        exchange.origin == .mx
            ? "\(exchange.name) is this server: hosts of preference \(exchange.preference) and higher are dropped"
            : "\(exchange.name) is this server"
    }

    func loop(_ exchanges: [Exchange]) -> MailRouteFailure {
        let others =
            exchanges.contains { $0.origin == .mx } ? "This server is the best mail server of" : "This server is"
        return MailRouteFailure(
            reason: .loop, status: EnhancedStatus(5, 4, 6),
            text: "\(others) \(destinationText), whose mail it does not take: sending it on would go in a circle",
            reference: "RFC 5321 §5.1")
    }

    /// All answers came, and no host is left.
    func unusable(_ exchanges: [Exchange]) -> MailRouteFailure {
        guard exchanges.contains(where: { $0.origin == .mx }) else {
            return MailRouteFailure(
                reason: .noAddress, status: EnhancedStatus(5, 1, 2),
                text: "\(destinationText) has neither a mail server nor an \(wantedAddress) of its own",
                reference: "RFC 5321 §5.1")
        }
        return MailRouteFailure(
            reason: .noUsableExchange, status: EnhancedStatus(5, 4, 4),
            text: "No mail server of \(destinationText) has an \(wantedAddress)", reference: "RFC 5321 §5.1")
    }
}
