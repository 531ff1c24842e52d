/// The alarms in force, and what changed: each is told of when it begins and when it ends, and not in between.
public struct AlarmBoard: Sendable, Hashable {
    public enum Change: Sendable, Hashable {
        case began(Alarm)
        /// With its last text.
        case ended(Alarm)
    }

    private var inForce: [Alarm.Name: Alarm] = [:]

    public init() {}

    /// In the order of their names' table.
    public var alarms: [Alarm] { Alarm.Name.allCases.compactMap { inForce[$0] } }

    public mutating func update(_ findings: [Alarm.Name: AlarmRules.Finding]) -> [Change] {
        var changes: [Change] = []
        for name in Alarm.Name.allCases {
            switch findings[name] ?? .unknown {
            case .alarm(let alarm):
                // What it says changes from minute to minute; that it is there does not.
                if inForce.updateValue(alarm, forKey: name) == nil { changes.append(.began(alarm)) }
            case .clear:
                if let alarm = inForce.removeValue(forKey: name) { changes.append(.ended(alarm)) }
            case .unknown: break
            }
        }
        return changes
    }
}
