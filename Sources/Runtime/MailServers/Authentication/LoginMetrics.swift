public import ServerMetrics

/// Logins since the start, by how they ended.
public final class LoginMetrics: Sendable {
    public let succeeded = Counter()
    public let failed = CounterFamily<LoginFailure.Kind>()

    public init() {}
}
