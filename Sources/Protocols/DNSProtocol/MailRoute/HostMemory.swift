public import MartletCore

/// Remembers servers that could not be reached, so that not every message finds out anew (RFC 5321 §4.5.4.1). A pause grows
/// with each failure that comes after the last pause; success forgets.
public struct HostMemory: Sendable {
    /// An address with its port, in the form in which connections are made.
    public struct EndPoint: Sendable, Hashable {
        public var address: IPAddress
        public var port: UInt16
        public init(_ address: IPAddress, port: UInt16) {
            self.address = address.unmapped
            self.port = port
        }
    }

    public struct Schedule: Sendable, Hashable {
        /// After the first failure.
        public var firstPause: Duration
        /// Each pause is twice the one before, up to this.
        public var longestPause: Duration
        /// After a pause, how long a host's failures count as the ones before: then it starts afresh.
        public var forgetAfter: Duration
        public init(
            firstPause: Duration = .seconds(60), longestPause: Duration = .seconds(1_800),
            forgetAfter: Duration = .seconds(7_200)
        ) {
            self.firstPause = firstPause
            self.longestPause = longestPause
            self.forgetAfter = forgetAfter
        }
    }

    private struct Entry {
        var failures: Int
        var pauseEnds: Instant
    }

    /// Doublings of the pause: `firstPause` times 2³⁰ is more than any longest pause.
    private static let maximumDoublings = 30

    public let schedule: Schedule
    /// Hosts that are remembered; beyond it those whose pause ends first are forgotten.
    public let capacity: Int
    private var entries: [EndPoint: Entry] = [:]

    public init(schedule: Schedule = Schedule(), capacity: Int = 10_000) {
        precondition(capacity > 0, "a memory holds something")
        self.schedule = schedule
        self.capacity = capacity
    }

    public var count: Int { entries.count }

    /// Whether a connection may be tried.
    public func isAlive(_ endPoint: EndPoint, at now: Instant) -> Bool {
        entries[endPoint].map { $0.pauseEnds <= now } ?? true
    }

    /// When it may be tried again; nil when it may be now.
    public func retryTime(of endPoint: EndPoint, at now: Instant) -> Instant? {
        entries[endPoint].flatMap { $0.pauseEnds > now ? $0.pauseEnds : nil }
    }

    /// The hosts with those of their addresses that may be tried, in their order; hosts without any are left out.
    public func alive(_ hosts: [MailHost], port: UInt16, at now: Instant) -> [MailHost] {
        hosts.compactMap { host in
            var host = host
            host.addresses = host.addresses.filter { isAlive(EndPoint($0, port: port), at: now) }
            return host.addresses.isEmpty ? nil : host
        }
    }

    /// When the first of the hosts' addresses may be tried; nil when one may be now, or there is none.
    public func nextTry(_ hosts: [MailHost], port: UInt16, at now: Instant) -> Instant? {
        guard alive(hosts, port: port, at: now).isEmpty else { return nil }
        return hosts.flatMap(\.addresses).compactMap { retryTime(of: EndPoint($0, port: port), at: now) }.min()
    }

    /// A connection could not be made, or ended before the server took a part in it. Returns when it may be tried again.
    ///
    /// Connections that were begun before the pause and fail in it count as one failure. Costs O(1), and O(count) once for
    /// each eighth of the capacity that is added when it is full.
    @discardableResult
    public mutating func failed(_ endPoint: EndPoint, at now: Instant) -> Instant {
        if let entry = entries[endPoint] {
            if now < entry.pauseEnds { return entry.pauseEnds }
            let continues = now < entry.pauseEnds + schedule.forgetAfter
            return remember(endPoint, failures: continues ? entry.failures + 1 : 1, at: now)
        }
        if entries.count >= capacity { makeRoom(at: now) }
        return remember(endPoint, failures: 1, at: now)
    }

    /// It answered: whatever was known against it is forgotten.
    public mutating func succeeded(_ endPoint: EndPoint) { entries.removeValue(forKey: endPoint) }

    private mutating func remember(_ endPoint: EndPoint, failures: Int, at now: Instant) -> Instant {
        let doublings = min(failures - 1, HostMemory.maximumDoublings)
        let pause = min(schedule.firstPause * (1 << doublings), schedule.longestPause)
        let pauseEnds = now + pause
        entries[endPoint] = Entry(failures: failures, pauseEnds: pauseEnds)
        return pauseEnds
    }

    /// Forgets what has been long enough without a failure, and if that is less than an eighth, those whose pause ends first.
    private mutating func makeRoom(at now: Instant) {
        entries = entries.filter { $0.value.pauseEnds + schedule.forgetAfter > now }
        let wanted = capacity - max(capacity / 8, 1)
        guard entries.count > wanted else { return }
        let first = entries.sorted { $0.value.pauseEnds < $1.value.pauseEnds }.prefix(entries.count - wanted)
        for (endPoint, _) in first { entries.removeValue(forKey: endPoint) }
    }
}
