/// Turns of destinations in good standing and of suspects, apart, so that the latter can wait without being in the way.
struct StandingTurns: Sendable {
    private var good = TurnQueue<String>()
    private var suspect = TurnQueue<String>()
    private var suspectIsNext = false

    mutating func append(_ destination: String, isSuspect: Bool) {
        if isSuspect { suspect.append(destination) } else { good.append(destination) }
    }

    /// Takes from both in turn. - takesSuspects: false leaves those alone.
    mutating func popFirst(takesSuspects: Bool) -> String? {
        let suspectFirst = suspectIsNext && takesSuspects
        suspectIsNext.toggle()
        if suspectFirst, let destination = suspect.popFirst() { return destination }
        if let destination = good.popFirst() { return destination }
        return takesSuspects ? suspect.popFirst() : nil
    }

    var isEmpty: Bool { good.isEmpty && suspect.isEmpty }
    var goodCount: Int { good.count }
}
