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
    /// What took long to see is good for so many times as long: no more than about a twentieth of the time goes into looking.
    private static let rest = 20
    /// How long a look is waited for. A store whose commits take longer counts as one that does not write.
    private static let patience = Duration.seconds(10)
    /// For how long a message that could not be stored counts, when none has come since.
    private static let troubleLasts = Duration.seconds(60)
    /// Between two looks when nobody asks.
    private static let interval = Duration.seconds(60)

    let engine: EmbeddedStore
    private let certificates: CertificateKeeper
    private let clock: any WallClock
    private let thresholds: AlarmThresholds
    private let logger: Logger
    var parts = ObservedParts()
    private(set) var phase = Readiness.Phase.starting
    private var board = AlarmBoard()
    private var kept: (facts: Facts, until: ContinuousClock.Instant)?
    private var looking: Task<Facts, Never>?
    /// Commits at the last look: one more since then is proof enough.
    private var knownCommits: UInt64?
    private let diskLook: PatientLook<DiskFacts>
    private let storeLook: PatientLook<StoreObservation?>
    private let commitLook: PatientLook<ObservedFacts.Writing>

    init(_ server: Server) {
        let (engine, directory) = (server.store.engine, server.directory)
        self.engine = engine
        diskLook = PatientLook(patience: ServerObserver.patience, rest: ServerObserver.rest) {
            await DiskFacts.look(at: directory)
        }
        storeLook = PatientLook(patience: ServerObserver.patience, rest: ServerObserver.rest) {
            try? await engine.observe()
        }
        commitLook = PatientLook(patience: ServerObserver.patience) { await ServerObserver.commit(engine) }
        certificates = server.certificates
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
        let facts = await look()
        looking = nil
        kept = (facts, .now + ServerObserver.validity)
        tell(board.update(AlarmRules.findings(facts.observed, thresholds)))
        return facts
    }

    /// All looks side by side, so that one that hangs holds up no other. What does not come in time is not known.
    private func look() async -> Facts {
        let now = clock.now()
        async let seenDisk = diskLook()
        async let seenStore = storeLook()
        var observed = ObservedFacts()
        observed.writing = await writing()
        if observed.writing == .works, let trouble = engine.contentTrouble, now - trouble < ServerObserver.troubleLasts
        {
            observed.writing = .fails("messages cannot be put on the disk")
        }
        let disk = await seenDisk ?? DiskFacts()
        let store = await seenStore ?? nil
        observed.ledgerDrift = store?.drift
        observed.queueAge = store.map { store in store.oldestQueued.map { max(.zero, now - $0) } ?? .zero }
        observed.certificates = certificates.inForce(now: now).map {
            ObservedFacts.Certificate($0.facts, $0.source, now: now)
        }
        observed.disk = disk.space
        return Facts(store: store, disk: disk, observed: observed)
    }

    /// Whether the store commits: known from what others have committed since the last look, otherwise by a commit of our own.
    private func writing() async -> ObservedFacts.Writing {
        let commits = engine.commitDurations.snapshot.count
        defer { knownCommits = engine.commitDurations.snapshot.count }
        if let knownCommits, commits > knownCommits { return .works }
        return await commitLook()
            ?? .fails("a commit takes longer than \(ServerObserver.patience.components.seconds) seconds")
    }

    private static func commit(_ engine: EmbeddedStore) async -> ObservedFacts.Writing {
        do throws(StoreError) {
            try await engine.checkWritable()
            return .works
        } catch {
            return .fails("\(error)")
        }
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

extension ObservedFacts.Certificate {
    init(_ facts: CertificateFacts, _ source: CertificateView.Source, now: Instant) {
        let renewer: Source =
            switch source {
            case .file: .file
            case .acme: .acme
            case .own: .own
            }
        self.init(
            names: facts.names, origin: facts.origin, source: renewer, rest: facts.notAfter - now,
            lifetime: facts.notAfter - facts.notBefore)
    }
}
