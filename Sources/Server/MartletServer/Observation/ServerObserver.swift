internal import Logging
internal import MailStore
internal import MartletCore
internal import NetworkTransport
internal import Observation
internal import StoreEngine

/// Looks at a running server: gathers facts now and then, keeps the alarms, and makes the page of metrics.
///
/// What costs something to find out is kept for a while, whoever asks and however often.
actor ServerObserver: ObservationSource {
    /// What was seen at a moment.
    struct Facts: Sendable {
        var store: StoreObservation?
        var disk: DiskFacts
        var observed: ObservedFacts
    }

    /// For how long facts are good.
    static let validity = Duration.seconds(5)
    /// Of the time, so much may go into looking: facts that took long to find are good for longer.
    private static let share = 20
    /// How long a commit may take until the store counts as one that does not write.
    private static let writePatience = Duration.seconds(10)
    /// For how long a message that could not be stored counts, when none has come since.
    private static let troubleLasts = Duration.seconds(60)
    /// Between two looks when nobody asks.
    private static let interval = Duration.seconds(60)

    let engine: EmbeddedStore
    private let directory: DataDirectory
    private let tls: TLSContextBox
    private let clock: any WallClock
    private let thresholds: AlarmThresholds
    private let logger: Logger
    var parts = ObservedParts()
    private(set) var phase = Readiness.Phase.starting
    private var board = AlarmBoard()
    private var kept: (facts: Facts, until: ContinuousClock.Instant)?
    private var looking: Task<Facts, Never>?
    private var probe: Task<ObservedFacts.Writing, Never>?
    /// Commits at the last look: one more since then is proof enough.
    private var knownCommits: UInt64?

    init(_ server: Server, tls: TLSContextBox) {
        engine = server.store.engine
        directory = server.directory
        self.tls = tls
        clock = server.clock
        thresholds = AlarmThresholds(server.configuration)
        logger = server.log.logger("alarms")
    }

    func watch(_ parts: ObservedParts) { self.parts = parts }

    func enter(_ phase: Readiness.Phase) {
        self.phase = phase
        kept = nil
    }

    /// Looks once a minute until it is cancelled.
    func watch() async {
        while !Task.isCancelled {
            _ = await facts()
            try? await Task.sleep(for: ServerObserver.interval)
        }
    }

    var alarms: [Alarm] { board.alarms }

    func currentAlarms() async -> [Alarm] {
        _ = await facts()
        return board.alarms
    }

    func readiness() async -> Readiness {
        // A store that is being closed is not asked.
        if phase == .running { _ = await facts() }
        return Readiness(phase: phase, alarms: board.alarms)
    }

    // MARK: Facts

    func facts() async -> Facts {
        if let kept, kept.until > .now { return kept.facts }
        if let looking { return await looking.value }
        let task = Task { await lookAndTell() }
        looking = task
        return await task.value
    }

    /// Alarms are up to date when it returns, for all who wait for it.
    private func lookAndTell() async -> Facts {
        let began = ContinuousClock.now
        let facts = await look()
        looking = nil
        let effort = (ContinuousClock.now - began) * ServerObserver.share
        kept = (facts, .now + max(ServerObserver.validity, effort))
        tell(board.update(AlarmRules.findings(facts.observed, thresholds)))
        return facts
    }

    private func look() async -> Facts {
        let (directory, now) = (directory, clock.now())
        // Not on a thread that others wait for.
        let disk = await Task.detached { DiskFacts.read(directory) }.value
        let store = try? await engine.observe()
        var observed = ObservedFacts()
        observed.ledgerDrift = store?.drift
        observed.queueAge = store.map { store in store.oldestQueued.map { max(.zero, now - $0) } ?? .zero }
        // Of several certificates, the one that ends first.
        observed.certificateRest = tls.certificatesInForce.map(\.notAfter).min().map { $0 - now }
        observed.disk = disk.space
        observed.writing = await writing()
        if observed.writing == .works, let trouble = engine.contentTrouble, now - trouble < ServerObserver.troubleLasts
        {
            observed.writing = .fails("messages cannot be put on the disk")
        }
        return Facts(store: store, disk: disk, observed: observed)
    }

    /// Whether the store commits: known from what others have committed since the last look, otherwise by a commit of our own.
    private func writing() async -> ObservedFacts.Writing {
        let commits = engine.commitDurations.snapshot.count
        defer { knownCommits = engine.commitDurations.snapshot.count }
        if let knownCommits, commits > knownCommits { return .works }
        let task =
            probe
            ?? Task { [engine] in
                do throws(StoreError) {
                    try await engine.checkWritable()
                    return .works
                } catch {
                    return .fails("\(error)")
                }
            }
        probe = task
        // One that hangs is not waited for; it is still there at the next look.
        let result = await withTaskGroup(of: ObservedFacts.Writing?.self) { group in
            let (answers, answer) = AsyncStream<ObservedFacts.Writing>.makeStream()
            Task {
                answer.yield(await task.value)
                answer.finish()
            }
            group.addTask {
                for await first in answers { return first }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: ServerObserver.writePatience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let result else {
            return .fails("a commit takes longer than \(ServerObserver.writePatience.components.seconds) seconds")
        }
        probe = nil
        return result
    }

    private func tell(_ changes: [AlarmBoard.Change]) {
        for change in changes {
            switch change {
            case .began(let alarm):
                logger.warning(
                    "alarm",
                    metadata: [
                        "name": "\(alarm.name.rawValue)", "reason": "\(alarm.text)", "remedy": "\(alarm.remedy)",
                    ])
            case .ended(let alarm):
                logger.warning("alarm ended", metadata: ["name": "\(alarm.name.rawValue)"])
            }
        }
    }
}

extension AlarmThresholds {
    init(_ configuration: Configuration) {
        let alarms = configuration.alarms
        self.init(
            certificateRest: alarms.certificateExpiry, queueAge: alarms.queueAge, diskFree: alarms.diskFree,
            diskFreePercent: alarms.diskFreePercent, diskReserve: configuration.store.freeSpaceReserve)
    }
}
