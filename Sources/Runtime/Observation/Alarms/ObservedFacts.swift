/// What alarms are worked out from. What is not known is nil, and changes no alarm.
public struct ObservedFacts: Sendable, Hashable {
    public struct Disk: Sendable, Hashable {
        /// Octets that the server may still write.
        public var free: Int64
        public var total: Int64
        public init(free: Int64, total: Int64) {
            self.free = free
            self.total = total
        }
    }

    public enum Writing: Sendable, Hashable {
        case works
        /// Why not.
        case fails(String)
    }

    /// One that clients are shown.
    public struct Certificate: Sendable, Hashable {
        /// Who renews it.
        public enum Source: Sendable, Hashable {
            /// Whoever sees to the files that the configuration names.
            case file
            /// The server, after two thirds of its lifetime, from the authority of acme.directory.
            case acme
            /// The server, 30 days before its end, by an authority of its own.
            case own
        }

        /// The DNS names that it is for.
        public var names: [String]
        /// Its file's path.
        public var origin: String
        public var source: Source
        /// Until it expires; below zero afterwards.
        public var rest: Duration
        /// From its beginning to its end.
        public var lifetime: Duration

        public init(names: [String], origin: String, source: Source, rest: Duration, lifetime: Duration) {
            self.names = names
            self.origin = origin
            self.source = source
            self.rest = rest
            self.lifetime = lifetime
        }
    }

    /// Recipients that are not accounted for.
    public var ledgerDrift: Int64?
    /// Of the message that waits longest; zero when none waits.
    public var queueAge: Duration?
    public var certificates: [Certificate]?
    public var disk: Disk?
    public var writing: Writing?

    public init() {}
}

/// When an alarm begins. nil and 0 switch one off.
public struct AlarmThresholds: Sendable, Hashable {
    /// A certificate is valid for less than this. One that the server renews by itself is an alarm only when that is overdue as well.
    public var certificateRest: Duration?
    /// A message has waited for longer than this.
    public var queueAge: Duration?
    /// Octets: less is free.
    public var diskFree: Int64
    /// Of the disk: less is free.
    public var diskFreePercent: Int
    /// Octets that are left alone: with less, no message is taken.
    public var diskReserve: Int64

    public init(
        certificateRest: Duration?, queueAge: Duration?, diskFree: Int64, diskFreePercent: Int, diskReserve: Int64
    ) {
        self.certificateRest = certificateRest
        self.queueAge = queueAge
        self.diskFree = diskFree
        self.diskFreePercent = diskFreePercent
        self.diskReserve = diskReserve
    }
}
