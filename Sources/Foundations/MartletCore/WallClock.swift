/// Where the time comes from. Pure code takes an `Instant` as argument; shells ask this.
public protocol WallClock: Sendable {
    /// The present moment.
    func now() -> Instant
}
