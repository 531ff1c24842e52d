import MailStore
import MartletCore
import QueueEngine
import Testing

@Suite("QueueEngine: what a result means, and who is told")
struct SettlementTests {
    /// What the engine makes of a report that comes `age` after the delivery was made.
    private func plan(
        _ delivery: QueuedDelivery, _ report: AttemptReport, after age: Duration = .zero
    ) -> SettlementPlan {
        var harness = Harness {
            $0.retries.steps = [.seconds(120), .seconds(300), .seconds(600)]
            $0.failuresBeforePause = 1
        }
        harness.now = start + age
        harness.begin()
        guard let attempt = harness.lease(delivery).attempts.first,
            let plan = harness.send(.attemptEnded(attempt.id, report)).settlements.last?.plan
        else { return SettlementPlan(code: delivery.message.code, recipients: []) }
        return plan
    }

    @Test("Each recipient has its own result, and one notice of a kind tells all that it is for")
    func mixed() {
        var harness = Harness()
        let delivery = harness.delivery(recipients: 5, notify: [.success, .failure])
        let report = AttemptReport(
            connection: .worked,
            results: [
                1: .permanent(reply: "550 5.1.1 Who"), 2: .temporary(reply: "450 4.2.1 Busy"),
                3: .permanent(reply: "552 5.2.2 Full"),
            ],
            others: .relayed(reply: "250 Ok", announcesDSN: false))
        let plan = plan(delivery, report)
        #expect(
            plan.recipients.map(\.outcome) == [
                .relayed(reply: "250 Ok"), .failed(reply: "550 5.1.1 Who"),
                .retry(at: start + .seconds(120), reply: "450 4.2.1 Busy", hasDelayNotice: false),
                .failed(reply: "552 5.2.2 Full"), .relayed(reply: "250 Ok"),
            ])
        #expect(
            plan.notices == [.init(kind: .failure, recipients: [1, 3]), .init(kind: .relayed, recipients: [0, 4])])
    }

    @Test("5yz to MAIL or DATA fails all recipients; 4yz is tried again for all")
    func whole() {
        var harness = Harness()
        let delivery = harness.delivery(recipients: 3)
        #expect(plan(delivery, .rejected).recipients.allSatisfy { $0.outcome == .failed(reply: "550 5.7.1 No") })
        let retried = plan(delivery, .deferred).recipients.filter {
            if case .retry = $0.outcome { true } else { false }
        }
        #expect(retried.count == 3)
    }

    struct NotifyCase: Sendable {
        var notify: NotifyConditions
        var report: AttemptReport
        var kinds: [SettlementPlan.Notice.Kind]
    }

    static let relayedToOldServer = AttemptReport(
        connection: .worked, others: .relayed(reply: "250", announcesDSN: false))

    static let notifyCases: [NotifyCase] = [
        NotifyCase(notify: .standard, report: .rejected, kinds: [.failure]),
        NotifyCase(notify: [], report: .rejected, kinds: []),
        NotifyCase(notify: [.success], report: .rejected, kinds: []),
        NotifyCase(notify: [.success, .failure], report: .rejected, kinds: [.failure]),
        NotifyCase(notify: .standard, report: .relayed, kinds: []),
        NotifyCase(notify: [.success], report: .relayed, kinds: []),
        NotifyCase(notify: [.success], report: relayedToOldServer, kinds: [.relayed]),
        NotifyCase(notify: .standard, report: relayedToOldServer, kinds: []),
        NotifyCase(notify: [], report: relayedToOldServer, kinds: []),
    ]

    @Test("RFC 3461 §5.2: notices follow NOTIFY, and DSN of the next server", arguments: notifyCases)
    func notify(_ given: NotifyCase) {
        var harness = Harness()
        #expect(plan(harness.delivery(notify: given.notify), given.report).notices.map(\.kind) == given.kinds)
        #expect(plan(harness.delivery(notify: given.notify, nullSender: true), given.report).notices.isEmpty)
    }

    @Test("A failure that nobody is told of is discarded by a named rule")
    func discarded() {
        var harness = Harness()
        let reply = "550 5.7.1 No"
        func outcome(_ notify: NotifyConditions, nullSender: Bool = false) -> QueueSettlement.Outcome {
            plan(harness.delivery(notify: notify, nullSender: nullSender), .rejected).recipients[0].outcome
        }
        #expect(outcome(.standard, nullSender: true) == .discarded(reply: reply, rule: "null sender"))
        #expect(outcome([]) == .discarded(reply: reply, rule: "NOTIFY=NEVER"))
        #expect(outcome([.success]) == .discarded(reply: reply, rule: "NOTIFY without FAILURE"))
        #expect(outcome([.failure]) == .failed(reply: reply))
    }

    @Test("A sender hears once that a message is late")
    func delayNotice() {
        var harness = Harness()
        let delivery = harness.delivery()
        #expect(plan(delivery, .deferred, after: .seconds(4 * 3_600 - 1)).notices.isEmpty)
        let late = plan(delivery, .deferred, after: .seconds(4 * 3_600))
        #expect(late.notices == [.init(kind: .delay, recipients: [0])])
        guard case .retry(_, _, let hasDelayNotice) = late.recipients[0].outcome else {
            Issue.record("is tried again")
            return
        }
        #expect(hasDelayNotice)
        #expect(plan(harness.delivery(hasDelayNotice: true), .deferred, after: .seconds(5 * 3_600)).notices.isEmpty)
        #expect(plan(harness.delivery(notify: [.failure]), .deferred, after: .seconds(5 * 3_600)).notices.isEmpty)
        #expect(plan(harness.delivery(nullSender: true), .deferred, after: .seconds(5 * 3_600)).notices.isEmpty)
    }

    @Test("The last attempt is when the time is over, and then it fails as expired")
    func expiry() {
        var harness = Harness()
        let delivery = harness.delivery(attempts: 30)
        let end = delivery.message.expiresAt
        let age = end - start
        let before = plan(delivery, .deferred, after: age - .seconds(60))
        #expect(
            before.recipients[0].outcome == .retry(at: end, reply: "451 4.7.1 Later", hasDelayNotice: true))
        let last = plan(delivery, .deferred, after: age)
        #expect(last.recipients == [.init(number: 0, outcome: .failed(reply: "451 4.7.1 Later"), isExpired: true)])
        #expect(last.notices == [.init(kind: .failure, recipients: [0])])
        #expect(plan(delivery, .relayed, after: age).recipients[0].outcome == .relayed(reply: "250 2.0.0 Ok"))
    }

    @Test("The schedule goes by attempts, and never into the destination's pause")
    func schedule() {
        var harness = Harness()
        for (attempts, seconds) in [(0, 120), (1, 300), (2, 600), (3, 600), (1_000, 600), (-1, 120)] {
            let plan = plan(harness.delivery(attempts: attempts), .deferred)
            #expect(
                plan.recipients[0].outcome
                    == .retry(at: start + .seconds(seconds), reply: "451 4.7.1 Later", hasDelayNotice: false))
        }
        let refused = plan(harness.delivery(), .unreachable)
        #expect(
            refused.recipients[0].outcome
                == .retry(at: start + .seconds(300), reply: "connection refused", hasDelayNotice: false))
    }

    @Test("What was not tried is due again without counting")
    func notTried() {
        var harness = Harness()
        let report = AttemptReport(connection: .unknown, others: .notTried)
        #expect(plan(harness.delivery(), report).recipients[0].outcome == .returned(at: start + .seconds(5)))
    }

    @Test("Jitter stays within its bounds, differs, and keeps the recipients of one attempt together")
    func jitter() {
        var harness = Harness {
            $0.retries = RetrySchedule(steps: [.seconds(100)], jitterPercent: 20)
            $0.initialWindow = 20
        }
        harness.begin()
        var drawn: Set<Instant> = []
        for _ in 0..<200 {
            guard let attempt = harness.lease(harness.delivery(recipients: 2)).attempts.first else { break }
            let plan = harness.send(.attemptEnded(attempt.id, .deferred)).settlements[0].plan
            harness.send(.settled(attempt.id))
            let times = plan.recipients.compactMap {
                if case .retry(let at, _, _) = $0.outcome { at } else { Instant?.none }
            }
            #expect(times.count == 2 && times[0] == times[1])
            #expect(times.allSatisfy { (start + .seconds(80)...start + .seconds(120)).contains($0) })
            drawn.formUnion(times)
        }
        #expect(drawn.count > 150)
        #expect(harness.engine.configuration.retries.longestDelay == .seconds(120))
    }
}
