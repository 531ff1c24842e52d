internal import Foundation
public import Logging
public import MailStore
public import MartletCore
public import QueueEngine
public import Records
internal import Synchronization

/// The shell of `QueueEngine`: carries its actions out on the store and the network, and tells it what came of them.
///
/// One runs in a process. Attempts are tasks; their number is the engine's to bound.
public actor OutboundQueue {
    public typealias Store = QueueStore & DeliveryStore & DirectoryStore & RecordStore

    private let store: any Store
    private let runner: any AttemptRunning
    private let notices: NoticeMaker
    private let clock: any WallClock
    private let logger: Logger
    private let owner: Int64
    private var engine: QueueEngine
    private var generator = SystemRandomNumberGenerator()
    private var tasks: [AttemptID: Task<Void, Never>] = [:]
    /// Attempts that wait for their commit.
    private var ended: [AttemptID: DeliveryAttempt] = [:]
    private var timer: Task<Void, Never>?
    private var stopped: CheckedContinuation<Void, Never>?
    private var isStopped = false
    private nonisolated let arrivals = Arrivals()
    public nonisolated let metrics = RelayMetrics()

    /// Lanes with new work that the actor has not been told of: many commits make one event.
    private final class Arrivals: Sendable {
        private let lanes = Mutex<Set<QueueLane>>([])
        /// Whether somebody has to tell the actor.
        func add(_ new: Set<QueueLane>) -> Bool {
            lanes.withLock { lanes in
                let wasEmpty = lanes.isEmpty
                lanes.formUnion(new)
                return wasEmpty && !lanes.isEmpty
            }
        }
        func take() -> [QueueLane] {
            lanes.withLock { lanes in
                defer { lanes = [] }
                return Array(lanes)
            }
        }
    }

    public init(
        store: any Store, runner: any AttemptRunning, notices: NoticeMaker, configuration: QueueEngineConfiguration,
        clock: any WallClock, logger: Logger
    ) {
        self.store = store
        self.runner = runner
        self.notices = notices
        self.clock = clock
        self.logger = logger
        owner = configuration.owner
        engine = QueueEngine(configuration: configuration)
    }

    /// Takes up what is queued. With one process at a time, leases of others are those of the dead.
    public func start() async throws(StoreError) {
        try await store.endLeases(exceptOf: owner, now: clock.now())
        handle(.started)
    }

    /// New work was committed; from any thread, at once.
    public nonisolated func arrived(_ lanes: Set<QueueLane>) {
        guard arrivals.add(lanes) else { return }
        Task { await takeArrivals() }
    }

    /// An administrator changed what waits.
    public func changed() { handle(.arrived([])) }

    /// An administrator wants these destinations tried now, also where they are left alone; nil: all.
    public func askedAgain(_ destinations: [String]?) { handle(.askedAgain(destinations)) }

    public var load: QueueEngine.Load { engine.load }

    /// Begins nothing new, and waits for what is on its way, at most `patience`; then it is cut off, and is tried again after
    /// the next start.
    public func stop(patience: Duration) async {
        guard !isStopped else { return }
        handle(.stop)
        timer?.cancel()
        guard !isStopped else { return }
        let limit = Task {
            try? await Task.sleep(for: patience)
            cutOff()
        }
        await withCheckedContinuation { stopped = $0 }
        limit.cancel()
        await runner.close()
    }

    private func takeArrivals() {
        let lanes = arrivals.take()
        if !lanes.isEmpty { handle(.arrived(lanes)) }
    }

    private func cutOff() {
        for task in tasks.values { task.cancel() }
    }

    // MARK: Events and actions

    private func handle(_ event: QueueEvent) {
        guard !isStopped else { return }
        for action in engine.handle(event, now: clock.now(), using: &generator) { perform(action) }
    }

    private func perform(_ action: QueueAction) {
        switch action {
        case .lookForDue(let excluded, let limit): Task { await look(excluding: excluded, limit: limit) }
        case .claim(let claims): Task { await claim(claims) }
        case .attempt(let id, let delivery):
            tasks[id] = Task { await attempt(id, delivery) }
        case .settle(let id, let plan): Task { await settle(id, plan) }
        case .postpone(let destination, let until):
            Task {
                do throws(StoreError) { try await store.postpone(destination: destination, until: until) } catch {
                    told(error)
                }
                handle(.postponed(destination: destination))
            }
        case .renew(let leases, let until): Task { await renew(leases, until: until) }
        case .cancel(let id): tasks[id]?.cancel()
        case .wake(let instant): setTimer(instant)
        case .stopped:
            isStopped = true
            timer?.cancel()
            stopped?.resume()
            stopped = nil
        }
    }

    private func setTimer(_ instant: Instant) {
        timer?.cancel()
        let pause = max(.zero, instant - clock.now())
        timer = Task {
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            handle(.wake)
        }
    }

    private func look(excluding excluded: QueueExclusion, limit: Int) async {
        do throws(StoreError) {
            let lanes = try await store.dueLanes(now: clock.now(), excluding: excluded, limit: limit)
            var next: Instant?
            if lanes.count < limit {
                var known = excluded
                known.lanes.formUnion(lanes)
                next = try await store.nextDue(excluding: known)
            }
            handle(.dueLanes(lanes, next: next))
        } catch {
            told(error)
            handle(.lookFailed)
        }
    }

    private func claim(_ claims: [QueueClaim]) async {
        do throws(StoreError) {
            handle(.claimed(claims, try await store.claim(claims, now: clock.now())))
        } catch {
            told(error)
            handle(.claimFailed(claims))
        }
    }

    private func renew(_ leases: [AttemptID: QueueLease], until: Instant) async {
        do throws(StoreError) {
            let kept = Set(try await store.renew(Array(leases.values), until: until))
            let ids = leases.filter { kept.contains($0.value) }.map(\.key)
            let lost = leases.filter { !kept.contains($0.value) }.map(\.key)
            handle(.renewed(ids, until: until, lost: lost))
        } catch { told(error) }
    }

    private func attempt(_ id: AttemptID, _ delivery: QueuedDelivery) async {
        let (report, attempt) = await runner.run(delivery, content: store)
        metrics.attempts.observe(attempt.duration)
        tasks[id] = nil
        ended[id] = attempt
        handle(.attemptEnded(id, report))
    }

    private func settle(_ id: AttemptID, _ plan: SettlementPlan) async {
        // Also of work that was never attempted: what has outlived its time at a dead destination.
        let delivery = engine.delivery(of: id)
        var plan = plan
        var attempt = plan.isWithoutAttempt ? nil : ended[id]
        do throws(StoreError) {
            var made: [AcceptedMessage] = []
            if let delivery, !plan.notices.isEmpty {
                made = try await notices.make(plan, of: delivery, attempt: attempt, from: store)
                if made.isEmpty { plan = plan.untold(rule: "unknown sender") }
            }
            if let delivery { attempt?.recipients = DeliveryAttempt.Recipient.all(plan, of: delivery) }
            let settlement = QueueSettlement(
                code: plan.code, outcomes: plan.outcomes, attempt: attempt, notices: made)
            try await store.settle([settlement], owner: owner)
            ended[id] = nil
            count(plan)
            log(plan, delivery, attempt)
            // A notice for somebody elsewhere is work too.
            let lanes = settlement.notices.compactMap(\.outbound).flatMap { outbound in
                outbound.recipients.map { QueueLane(destination: $0.destination, lane: outbound.message.lane) }
            }
            handle(.settled(id))
            if !lanes.isEmpty { handle(.arrived(Array(Set(lanes)))) }
        } catch {
            told(error)
            handle(.settleFailed(id))
        }
    }

    private func count(_ plan: SettlementPlan) {
        for recipient in plan.recipients {
            switch recipient.outcome {
            case .relayed: metrics.recipients.add(to: .relayed)
            case .retry: metrics.recipients.add(to: .deferred)
            case .failed: metrics.recipients.add(to: .bounced)
            case .discarded: metrics.recipients.add(to: .discarded)
            case .returned: break
            }
        }
    }

    private func told(_ error: StoreError) {
        logger.error("the queue cannot use the store", metadata: ["error": "\(error)"])
    }

    private func log(_ plan: SettlementPlan, _ delivery: QueuedDelivery?, _ attempt: DeliveryAttempt?) {
        guard logger.logLevel <= .info, let attempt else { return }
        for recipient in attempt.recipients {
            logger.info(
                "\(recipient.outcome.rawValue)",
                metadata: [
                    "code": "\(plan.code)", "recipient": "\(recipient.address)", "host": "\(attempt.host ?? "-")",
                    "reply": "\(recipient.reply)",
                ])
        }
    }
}

extension DeliveryAttempt.Recipient {
    /// What a plan means for each recipient of an attempt, for its record.
    static func all(_ plan: SettlementPlan, of delivery: QueuedDelivery) -> [DeliveryAttempt.Recipient] {
        let addresses = Dictionary(
            delivery.recipients.map { ($0.number, $0.address.description) }, uniquingKeysWith: { first, _ in first })
        return plan.recipients.compactMap { recipient in
            guard let address = addresses[recipient.number] else { return nil }
            switch recipient.outcome {
            case .relayed(let reply): return Self(address: address, outcome: .relayed, reply: reply)
            case .retry(let at, let reply, _):
                return Self(address: address, outcome: .delayed, reply: reply, nextAttempt: at)
            case .failed(let reply): return Self(address: address, outcome: .failed, reply: reply)
            case .discarded(let reply, let rule):
                return Self(address: address, outcome: .failed, reply: "\(reply) (no notice: \(rule))")
            case .returned(let at):
                return Self(address: address, outcome: .delayed, reply: "not tried", nextAttempt: at)
            }
        }
    }
}
