public import ServerMetrics

/// What one listener has counted since the start.
public final class ConnectionMetrics: Sendable {
    /// Why connections were refused, as a label.
    public enum Refusal: String, Sendable, Hashable, CaseIterable {
        case tooMany = "too_many"
        case tooManyFromAddress = "too_many_from_address"
        case closing
    }

    public let opened = Counter()
    public let closed = Counter()
    public let refused = CounterFamily<Refusal>()
    /// Octets of the protocol, that is, inside TLS.
    public let receivedBytes = Counter()
    public let sentBytes = Counter()

    public init() {}
}

extension ConnectionMetrics.Refusal {
    init(_ refusal: ConnectionGate.Refusal) {
        switch refusal {
        case .tooMany: self = .tooMany
        case .tooManyFromAddress: self = .tooManyFromAddress
        case .closing: self = .closing
        }
    }
}
