internal import MartletCore

/// Makes exchanges of MX records: passes over what names no host, orders the rest.
struct MXReading {
    let records: [DNSRecordData]
    let domain: Domain
    private(set) var steps: [RouteStep] = []

    init(records: [DNSRecordData], domain: Domain) {
        self.records = records
        self.domain = domain
    }

    mutating func exchanges(using generator: inout some RandomNumberGenerator) -> RouteSearch.Exchanges {
        if records.count > MailRouter.maximumRecords {
            steps.append(
                RouteStep(
                    .problem, "\(domain) has more than \(MailRouter.maximumRecords) MX records; the first are read"))
        }
        var preferences: [Domain: UInt16] = [:]
        var nulls = 0
        for case .mx(let preference, let exchange) in records.prefix(MailRouter.maximumRecords) {
            guard !exchange.labels.isEmpty else {
                nulls += 1
                continue
            }
            guard let name = host(exchange) else { continue }
            preferences[name] = min(preference, preferences[name] ?? .max)
        }
        if nulls > 0 {
            if nulls == records.count {
                return .failure(
                    MailRouteFailure(
                        reason: .nullMX, status: EnhancedStatus(5, 1, 10), text: "\(domain) takes no mail (null MX)",
                        reference: "RFC 7505 §3"))
            }
            steps.append(
                RouteStep(
                    .problem, "\(domain) has a null MX beside other MX records; it is passed over",
                    reference: "RFC 7505 §3"))
        }
        guard !preferences.isEmpty else {
            return .failure(
                MailRouteFailure(
                    reason: .noUsableExchange, status: EnhancedStatus(5, 4, 4),
                    text: "No MX record of \(domain) names a host", reference: "RFC 5321 §5.1"))
        }
        return .exchanges(order(preferences, using: &generator))
    }

    /// nil for what is no host name. An address is passed over, as no name of the DNS can be made of it.
    private mutating func host(_ exchange: DNSName) -> Domain? {
        let name = exchange.domain
        let text = String(exchange.description.dropLast())
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        let isAddress = IPAddress(bare) != nil || IPAddress(literal: bare) != nil
        if let name, !isAddress { return name }
        steps.append(
            RouteStep(
                .problem,
                isAddress
                    ? "An MX record of \(domain) has the address \(text) where a name belongs; it is passed over"
                    : "An MX record of \(domain) has \(exchange), which is no host name; it is passed over",
                reference: "RFC 5321 §5.1"))
        return nil
    }

    /// By preference, equal ones at random (RFC 5321 §5.1).
    private mutating func order(
        _ preferences: [Domain: UInt16], using generator: inout some RandomNumberGenerator
    ) -> [RouteSearch.Exchange] {
        // Sorted by name first: a dictionary's own order would be randomness that the generator does not know.
        var exchanges = preferences.sorted { $0.key < $1.key }.map {
            RouteSearch.Exchange(name: $0.key, preference: $0.value, origin: .mx)
        }
        exchanges.shuffle(using: &generator)
        let ranked = exchanges.enumerated().sorted {
            ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
        }
        if ranked.count > MailRouter.maximumExchanges {
            steps.append(
                RouteStep(
                    .problem,
                    "\(domain) has \(ranked.count) mail servers; the best \(MailRouter.maximumExchanges) are looked up")
            )
        }
        return ranked.prefix(MailRouter.maximumExchanges).map(\.element)
    }
}
