import MailStore
import MartletCore
import QueueEngine
import Records

/// A small generator (SplitMix64): the same seed gives the same run on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

let start = Instant(seconds: 1_700_000_000)

/// Drives one engine by hand: the clock moves when a test says so, and every action is kept until it is looked at.
struct Harness {
    var engine: QueueEngine
    var generator = SeededGenerator(state: 7)
    var now = start
    var counter: UInt32 = 0
    var actions: [QueueAction] = []

    init(_ change: (inout QueueEngineConfiguration) -> Void = { _ in }) {
        var configuration = QueueEngineConfiguration(owner: 1)
        configuration.retries.jitterPercent = 0
        configuration.pauses.jitterPercent = 0
        change(&configuration)
        engine = QueueEngine(configuration: configuration)
    }

    @discardableResult
    mutating func send(_ event: QueueEvent) -> [QueueAction] {
        let answer = engine.handle(event, now: now, using: &generator)
        actions += answer
        return answer
    }

    /// Started, and told that the store has nothing due.
    mutating func begin() {
        send(.started)
        send(.dueLanes([], next: nil))
        actions = []
    }

    mutating func delivery(
        to destination: String = "example.test", lane: String = "anna", recipients: Int = 1, attempts: Int = 0,
        notify: NotifyConditions = .standard, nullSender: Bool = false, age: Duration = .zero,
        hasDelayNotice: Bool = false
    ) -> QueuedDelivery {
        counter += 1
        let queuedAt = now + .zero - age
        let sender = nullSender ? nil : EmailAddress("\(lane)@home.test")
        let message = QueuedMessage(
            code: LookupCode(at: start, counter: counter), blob: Harness.blob, size: 4_096, body: .sevenBit,
            needsSMTPUTF8: false, lane: lane, queuedAt: queuedAt, expiresAt: queuedAt + .seconds(5 * 86_400))
        var all: [QueuedRecipient] = []
        for number in 0..<recipients {
            guard let address = EmailAddress("user\(number)@\(destination)") else { continue }
            all.append(
                QueuedRecipient(
                    number: number, address: address, original: address.description, notify: notify,
                    reversePath: sender, sender: sender, destination: destination, state: .leased,
                    nextAttempt: queuedAt, attempts: attempts, hasDelayNotice: hasDelayNotice))
        }
        return QueuedDelivery(message: message, recipients: all)
    }

    /// Hands work in that is leased already.
    @discardableResult
    mutating func lease(_ deliveries: QueuedDelivery...) -> [QueueAction] {
        send(.arrivedLeased(deliveries, leaseUntil: now + engine.configuration.lease))
    }

    static let blob: BlobID = {
        guard let blob = BlobID([UInt8](repeating: 1, count: 32)) else { preconditionFailure("32 octets are a name") }
        return blob
    }()

    /// Answers the claim in `actions` from `rows`, as a store would: in order, at most what was asked.
    mutating func answerClaim(from rows: inout [QueueLane: [QueuedDelivery]]) {
        guard let claims = actions.claims.last else { return }
        var found: [QueuedDelivery] = []
        for claim in claims {
            let taken = rows[claim.lane, default: []].prefix(claim.messages)
            found += taken
            rows[claim.lane]?.removeFirst(taken.count)
        }
        send(.claimed(claims, found))
    }
}

extension Instant {
    static func - (left: Instant, right: Duration) -> Instant { left + (.zero - right) }
}

extension [QueueAction] {
    var attempts: [(id: AttemptID, delivery: QueuedDelivery)] {
        compactMap { if case .attempt(let id, let delivery) = $0 { (id, delivery) } else { nil } }
    }
    var settlements: [(id: AttemptID, plan: SettlementPlan)] {
        compactMap { if case .settle(let id, let plan) = $0 { (id, plan) } else { nil } }
    }
    var claims: [[QueueClaim]] { compactMap { if case .claim(let claims) = $0 { claims } else { nil } } }
    var looks: [QueueExclusion] {
        compactMap { if case .lookForDue(let excluded, _) = $0 { excluded } else { nil } }
    }
    var postponements: [(destination: String, until: Instant)] {
        compactMap { if case .postpone(let destination, let until) = $0 { (destination, until) } else { nil } }
    }
    var renewals: [[AttemptID: QueueLease]] { compactMap { if case .renew(let all, _) = $0 { all } else { nil } } }
    var cancelled: [AttemptID] { compactMap { if case .cancel(let id) = $0 { id } else { nil } } }
    var wakes: [Instant] { compactMap { if case .wake(let at) = $0 { at } else { nil } } }
    var hasStopped: Bool { contains(.stopped) }
}

extension AttemptReport {
    static let relayed = AttemptReport(
        connection: .worked, others: .relayed(reply: "250 2.0.0 Ok", announcesDSN: true))
    static let deferred = AttemptReport(connection: .worked, others: .temporary(reply: "451 4.7.1 Later"))
    static let rejected = AttemptReport(connection: .worked, others: .permanent(reply: "550 5.7.1 No"))
    static let unreachable = AttemptReport(
        connection: .unreachable(reply: "connection refused"), others: .temporary(reply: "connection refused"))
}
