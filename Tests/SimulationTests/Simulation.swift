import MailStore
import MartletCore
import QueueEngine
import Records

/// Servers that share one queue, the internet that they send to, and a virtual clock. A run is its seed.
///
/// Whatever the store does takes a while, may fail, and may be over when its server has crashed before it hears of it.
/// Servers crash, are stopped, and stall for longer than their leases; another one takes over.
struct Simulation {
    struct Settings {
        var seed: UInt64
        var messages: Int
        var destinations = 1_000
        var senders = 200
        /// During which messages arrive; the run ends when all of them, and their bounces, have ended.
        var arrivals: Duration = .seconds(10 * 86_400)
        var servers = 2
        /// Between crashes, stalls and stops of one server, on average; nil for none.
        var crashEvery: Duration? = .seconds(2 * 3_600)
        var storeFailure = 0.002
        /// The part of messages that is held at first.
        var held = 0.02
        /// The part of bounces that is sent to other servers.
        var bouncesElsewhere = 0.1
        var timeToLive: Duration = .seconds(5 * 86_400)
        var change: @Sendable (inout QueueEngineConfiguration) -> Void = { _ in }
    }

    enum Event {
        case arrival(sender: Int, destination: Int, recipients: Int, count: Int)
        case release(message: Int)
        case tell(server: Int, owner: Int64, QueueEvent)
        case store(server: Int, owner: Int64, QueueAction)
        case attemptDone(server: Int, owner: Int64, AttemptID)
        case timer(server: Int, owner: Int64, at: Instant)
        case crash(server: Int)
        case stall(server: Int)
        case stop(server: Int)
        case restart(server: Int)
    }

    static let begin = Instant(seconds: 1_700_000_000)
    let settings: Settings
    var generator: SeededGenerator
    var now = Simulation.begin
    var events = EventHeap<Event>()
    var queue = QueueModel()
    var internet: Internet
    var servers: [SimulatedServer] = []
    var lastOwner: Int64 = 0
    /// By row.
    var journeys: [Journey] = []
    var counts = SimulationCounts()
    var violations: [String] = []
    /// Of any server; fairness is judged between these.
    var lastDisturbance = Simulation.begin
    var senderNames: [String]

    init(_ settings: Settings) {
        self.settings = settings
        generator = SeededGenerator(seed: settings.seed)
        let end = Simulation.begin + settings.arrivals + settings.timeToLive
        internet = Internet(hosts: settings.destinations, begin: Simulation.begin, end: end, using: &generator)
        senderNames = (0..<settings.senders).map { "sender\($0)" }
        for number in 0..<settings.servers {
            servers.append(SimulatedServer())
            events.add(.restart(server: number), at: now)
            planTrouble(number)
        }
    }

    mutating func violated(_ text: String) {
        if violations.count < 20 { violations.append("\(now): \(text)") }
    }

    /// Runs until nothing is queued and no arrival is left, or until `limit`.
    mutating func run(until limit: Instant) {
        while let next = events.nextTime, next <= limit, let (at, event) = events.popFirst() {
            now = at
            counts.events += 1
            handle(event)
            if queue.ledger[.queued] == 0, counts.arrivalsLeft == 0 { break }
            if violations.count >= 20 { break }
        }
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .arrival(let sender, let destination, let recipients, let count):
            counts.arrivalsLeft -= 1
            for _ in 0..<count { arrive(sender: sender, destination: destination, recipients: recipients) }
        case .release(let message): release(message)
        case .tell(let server, let owner, let event):
            guard servers[server].owner == owner else { return }
            if servers[server].stalledUntil > now {
                events.add(.tell(server: server, owner: owner, event), at: servers[server].stalledUntil)
            } else {
                tell(server, event)
            }
        case .store(let server, let owner, let action):
            if servers[server].owner == owner { useStore(server, owner, action) }
        case .attemptDone(let server, let owner, let id):
            if servers[server].owner == owner { finishAttempt(server, id) }
        case .timer(let server, let owner, let at):
            guard servers[server].owner == owner, servers[server].timer == at else { return }
            servers[server].timer = nil
            if servers[server].stalledUntil > now {
                events.add(.tell(server: server, owner: owner, .wake), at: servers[server].stalledUntil)
            } else {
                tell(server, .wake)
            }
        case .crash(let server): crash(server)
        case .stall(let server): stall(server)
        case .stop(let server):
            planTrouble(server)
            lastDisturbance = max(lastDisturbance, now)
            guard servers[server].owner != 0, servers[server].stalledUntil <= now else { return }
            servers[server].isStopping = true
            tell(server, .stop)
        case .restart(let server): restart(server)
        }
    }

    /// Tells an engine, and begins what it asks for.
    mutating func tell(_ server: Int, _ event: QueueEvent) {
        let owner = servers[server].owner
        guard var engine = servers[server].engine else { return }
        servers[server].engine = nil
        let actions = engine.handle(event, now: now, using: &generator)
        servers[server].engine = engine
        counts.engineEvents += 1
        for action in actions {
            switch action {
            case .attempt(let id, let delivery): beginAttempt(server, id, delivery)
            case .wake(let at):
                servers[server].timer = at
                events.add(.timer(server: server, owner: owner, at: at), at: max(at, now))
            case .cancel(let id): cancel(server, id)
            case .stopped:
                counts.stops += 1
                if !servers[server].attempts.isEmpty { violated("stopped with attempts in flight") }
                servers[server].owner = 0
                servers[server].engine = nil
                lastDisturbance = max(lastDisturbance, now)
                events.add(.restart(server: server), at: now + generator.seconds(1...600))
            case .lookForDue, .claim, .settle, .postpone, .renew:
                // Now and then a disk takes its time.
                let delay = generator.seconds(generator.chance(0.02) ? 0.5...10 : 0.001...0.02)
                events.add(.store(server: server, owner: owner, action), at: now + delay)
            }
        }
    }

    /// The store does it now; the answer is on its way a moment longer.
    private mutating func useStore(_ server: Int, _ owner: Int64, _ action: QueueAction) {
        let fails = generator.chance(settings.storeFailure)
        let answer: QueueEvent?
        switch action {
        case .lookForDue(let exclusion, let limit):
            if fails {
                answer = .lookFailed
            } else {
                let (lanes, next) = queue.dueLanes(now: now, excluding: exclusion, limit: limit)
                answer = .dueLanes(lanes, next: next)
            }
        case .claim(let claims):
            answer = fails ? .claimFailed(claims) : .claimed(claims, queue.claim(claims, now: now))
        case .settle(let id, let plan):
            if fails {
                answer = .settleFailed(id)
            } else {
                settle(plan, owner: owner)
                answer = .settled(id)
            }
        case .postpone(let destination, let until):
            if !fails { queue.postpone(destination, until: until) }
            answer = .postponed(destination: destination)
        case .renew(let leases, let until):
            if fails {
                answer = nil
            } else {
                let (kept, lost) = queue.renew(leases, until: until)
                answer = .renewed(kept, until: until, lost: lost)
            }
        case .attempt, .cancel, .wake, .stopped: answer = nil
        }
        if let answer {
            events.add(.tell(server: server, owner: owner, answer), at: now + generator.seconds(0.0001...0.005))
        }
    }
}

/// One process that sends.
struct SimulatedServer {
    struct Attempt {
        var delivery: QueuedDelivery
        var since: Instant
        var verdict: Internet.Verdict
    }
    /// 0 while it is down.
    var owner: Int64 = 0
    var engine: QueueEngine?
    var attempts: [AttemptID: Attempt] = [:]
    var toDestination: [String: Int] = [:]
    var timer: Instant?
    var isStopping = false
    var stalledUntil = Simulation.begin
    /// When it last came back from a crash or a stall.
    var troubledUntil = Simulation.begin
}

/// What is remembered of one recipient's way.
struct Journey {
    var acceptedAt: Instant
    /// Whether a bound on the time to its first attempt holds: a small sender, a healthy destination.
    var isFair: Bool
    var firstAttempt: Instant?
    /// Which server works on it, and since when.
    var server: Int?
    var owner: Int64 = 0
    var since = Simulation.begin
    /// Times that the other side took it.
    var sent = 0
    /// The last time its reply never came.
    var isReplyLost = false
    /// Who handed it over last, in an attempt since when.
    var sender: Int?
    var sentSince = Simulation.begin
}

struct SimulationCounts {
    var arrivalsLeft = 0
    var events = 0
    var engineEvents = 0
    var attempts = 0
    var crashes = 0
    var stalls = 0
    var stops = 0
    /// Sent again after a crash or stall fell between the other side's 250 and our commit.
    var duplicatesOfCrashes = 0
    /// Sent again since the other side hung up instead of saying 250.
    var duplicatesOfLostReplies = 0
    var notices = 0
    var longestOverrun: Duration = .zero
    var longestFairWait: Duration = .zero
    var mostAtOnce = 0
    var mostToOne = 0
    var mostDestinations = 0
}
