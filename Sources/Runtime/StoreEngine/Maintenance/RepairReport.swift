/// What a repair did and what it left.
public struct RepairReport: Sendable, Hashable {
    /// One sentence for each thing that was put right, the first thousand.
    public var repairs: [String] = []
    public var repairCount = 0
    /// Messages whose octets are damaged or gone, in words. They stay, and reading them fails, unless they were to be removed.
    public var damagedMessages: [String] = []
    public var damagedCount = 0
    /// Whether `damagedMessages` were removed.
    public var isDamagedRemoved = false
    /// The store after the repair.
    public var verification = VerifyReport()

    public init() {}

    static let maximumTold = 1_000

    mutating func add(_ repair: String) {
        repairCount += 1
        if repairs.count < RepairReport.maximumTold { repairs.append(repair) }
    }

    mutating func addDamaged(_ message: String) {
        damagedCount += 1
        if damagedMessages.count < RepairReport.maximumTold { damagedMessages.append(message) }
    }
}
