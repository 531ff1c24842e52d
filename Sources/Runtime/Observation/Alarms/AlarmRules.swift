/// The rules: facts and thresholds in, a finding for each alarm out. Pure.
public enum AlarmRules {
    public enum Finding: Sendable, Hashable {
        case clear
        case alarm(Alarm)
        /// The fact is not known: what was found before still stands.
        case unknown
    }

    public static func findings(_ facts: ObservedFacts, _ thresholds: AlarmThresholds) -> [Alarm.Name: Finding] {
        Dictionary(uniqueKeysWithValues: Alarm.Name.allCases.map { ($0, finding($0, facts, thresholds)) })
    }

    private static func finding(
        _ name: Alarm.Name, _ facts: ObservedFacts, _ thresholds: AlarmThresholds
    ) -> Finding {
        switch name {
        case .ledgerDrift: facts.ledgerDrift.map(ledger) ?? .unknown
        case .queueAge: facts.queueAge.map { queue($0, thresholds.queueAge) } ?? .unknown
        case .certificateExpiry: facts.certificates.map { certificates($0, thresholds.certificateRest) } ?? .unknown
        case .diskSpace: facts.disk.map { disk($0, thresholds) } ?? .unknown
        case .storeUnwritable: writing(facts, thresholds)
        }
    }

    private static func ledger(_ drift: Int64) -> Finding {
        guard drift != 0 else { return .clear }
        return .alarm(
            Alarm(
                .ledgerDrift, "The ledger does not account for all mail: it is off by \(drift).",
                remedy: "look at “martlet ledger” and “martlet verify”, and keep the log"))
    }

    private static func queue(_ age: Duration, _ limit: Duration?) -> Finding {
        guard let limit, age > limit else { return .clear }
        return .alarm(
            Alarm(
                .queueAge, "A message has waited \(told(age)) for another server, longer than \(told(limit)).",
                remedy: "see why with “martlet queue list” and “martlet doctor route ADDRESS”"))
    }

    private static func disk(_ disk: ObservedFacts.Disk, _ thresholds: AlarmThresholds) -> Finding {
        let share = disk.total > 0 ? Double(disk.free) / Double(disk.total) : 1
        guard disk.free < thresholds.diskFree || share * 100 < Double(thresholds.diskFreePercent) else { return .clear }
        let limit =
            disk.free < thresholds.diskFree
            ? megabytes(thresholds.diskFree) : "\(thresholds.diskFreePercent) percent"
        return .alarm(
            Alarm(
                .diskSpace, "\(megabytes(disk.free)) of the disk are free, less than \(limit).",
                remedy: "make room, or put the data on a larger disk"))
    }

    private static func writing(_ facts: ObservedFacts, _ thresholds: AlarmThresholds) -> Finding {
        if case .fails(let reason)? = facts.writing {
            return .alarm(
                Alarm(
                    .storeUnwritable, "The store cannot be written: \(reason).",
                    remedy: "look at the disk and at the log; mail is refused for now and comes again", stopsMail: true)
            )
        }
        if let disk = facts.disk, disk.free < thresholds.diskReserve {
            return .alarm(
                Alarm(
                    .storeUnwritable,
                    "\(megabytes(disk.free)) of the disk are free, and store.free-space-reserve leaves "
                        + "\(megabytes(thresholds.diskReserve)) alone: mail is refused for now.",
                    remedy: "make room", stopsMail: true))
        }
        return facts.writing == nil ? .unknown : .clear
    }

    /// In the two largest units: `3 days 4 hours`.
    static func told(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let units: [(name: String, size: Int64)] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)]
        guard let first = units.firstIndex(where: { seconds >= $0.size }) else { return "0 seconds" }
        var rest = seconds
        var words: [String] = []
        for (name, size) in units[first...].prefix(2) {
            let count = rest / size
            rest %= size
            if count > 0 { words.append("\(count) \(name)\(count == 1 ? "" : "s")") }
        }
        return words.joined(separator: " ")
    }

    private static func megabytes(_ octets: Int64) -> String { "\(octets / 1_000_000) MB" }
}
