public import MailStore
public import Records

/// What an attempt means for each recipient, and which notices are owed for it. The shell adds the transcript and writes the
/// notices' text: it becomes one `QueueSettlement`.
public struct SettlementPlan: Sendable, Hashable {
    public struct Recipient: Sendable, Hashable {
        public var number: Int
        public var outcome: QueueSettlement.Outcome
        /// Failed since its time was over, not since a server said so: status 4.4.7 in the notice (RFC 3464 §2.3.4).
        public var isExpired: Bool
        public init(number: Int, outcome: QueueSettlement.Outcome, isExpired: Bool = false) {
            self.number = number
            self.outcome = outcome
            self.isExpired = isExpired
        }
    }

    /// One message to the sender.
    public struct Notice: Sendable, Hashable {
        public enum Kind: Sendable, Hashable, CaseIterable {
            case failure
            case delay
            /// The "relayed" notice (RFC 3461 §6.2): the next server tells nothing of the delivery.
            case relayed
        }
        public var kind: Kind
        /// Recipient numbers, in order; at least one.
        public var recipients: [Int]
        public init(kind: Kind, recipients: [Int]) {
            self.kind = kind
            self.recipients = recipients
        }
    }

    public var code: LookupCode
    public var recipients: [Recipient]
    /// At most one of a kind. Empty where the reverse path is null.
    public var notices: [Notice]
    /// The settlement stands on what another attempt learnt of the destination; there is no transcript.
    public var isWithoutAttempt: Bool

    public init(code: LookupCode, recipients: [Recipient], notices: [Notice] = [], isWithoutAttempt: Bool = false) {
        self.code = code
        self.recipients = recipients
        self.notices = notices
        self.isWithoutAttempt = isWithoutAttempt
    }

    /// The outcomes in the form that `QueueSettlement` wants.
    public var outcomes: [(number: Int, outcome: QueueSettlement.Outcome)] {
        recipients.map { ($0.number, $0.outcome) }
    }
}

extension SettlementPlan {
    /// The plan where nobody can be told: what failed is discarded by this rule.
    public func untold(rule: String) -> SettlementPlan {
        var plan = self
        plan.notices = []
        for index in plan.recipients.indices {
            guard case .failed(let reply) = plan.recipients[index].outcome else { continue }
            plan.recipients[index].outcome = .discarded(reply: reply, rule: rule)
        }
        return plan
    }

    /// Leaves out all but what the other side has taken.
    mutating func keepRelayed() {
        recipients.removeAll { if case .relayed = $0.outcome { false } else { true } }
        notices.removeAll { $0.kind != .relayed }
    }
}
