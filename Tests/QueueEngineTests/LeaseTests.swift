import MailStore
import MartletCore
import QueueEngine
import Testing

@Suite("QueueEngine: leases, failures of the store, stopping")
struct LeaseTests {
    @Test("An attempt that outlives half its lease is renewed")
    func renewed() {
        var harness = Harness()
        harness.begin()
        let delivery = harness.delivery()
        harness.lease(delivery)
        let id = harness.actions.attempts[0].id
        harness.now = start + .seconds(300)
        let lease = QueueLease(code: delivery.message.code, numbers: [0], owner: 1)
        #expect(harness.send(.wake).renewals == [[id: lease]])
        harness.send(.renewed([id], until: start + .seconds(900), lost: []))
        harness.now = start + .seconds(599)
        #expect(harness.send(.wake).cancelled.isEmpty)
    }

    @Test("One that cannot be renewed is cancelled before its lease ends, and leaves its recipients to the next owner")
    func notRenewed() {
        var harness = Harness()
        harness.begin()
        harness.lease(harness.delivery())
        let id = harness.actions.attempts[0].id
        for seconds in [300, 375, 450] {
            harness.now = start + .seconds(seconds)
            #expect(harness.send(.wake).cancelled.isEmpty)
        }
        harness.now = start + .seconds(525)
        #expect(harness.send(.wake).cancelled == [id])
        let end = harness.send(.attemptEnded(id, .deferred))
        #expect(end.settlements.isEmpty)
        #expect(harness.engine.load == QueueEngine.Load())
    }

    @Test("What a lost attempt has handed over is told all the same, and nothing else of it")
    func lostButRelayed() {
        var harness = Harness()
        harness.begin()
        harness.lease(harness.delivery(recipients: 2))
        let id = harness.actions.attempts[0].id
        #expect(harness.send(.renewed([], until: start, lost: [id])).cancelled == [id])
        let report = AttemptReport(
            connection: .worked, results: [0: .relayed(reply: "250", announcesDSN: true)],
            others: .permanent(reply: "550"))
        let plans = harness.send(.attemptEnded(id, report)).settlements
        #expect(plans.map { $0.plan.recipients.map(\.outcome) } == [[.relayed(reply: "250")]])
        #expect(plans[0].plan.notices.isEmpty)
    }

    @Test("A recipient that is claimed again while it is attempted is not attempted twice")
    func claimedAgain() {
        var harness = Harness()
        harness.begin()
        let delivery = harness.delivery(recipients: 2)
        harness.lease(delivery)
        harness.now = start + .seconds(700)
        let more = harness.delivery()
        let claim = QueueClaim(
            lane: QueueLane(destination: "example.test", lane: "anna"), messages: 2, recipients: 100, owner: 1,
            leaseUntil: harness.now + .seconds(600))
        harness.send(.claimed([claim], [delivery, more]))
        #expect(harness.actions.attempts.map(\.delivery) == [delivery, more])
        // Its lease is the new one.
        #expect(harness.send(.wake).cancelled.isEmpty)
    }

    @Test("What waits too long for its turn goes back")
    func waitsTooLong() {
        var harness = Harness()
        harness.begin()
        for _ in 0..<3 { harness.lease(harness.delivery()) }
        harness.now = start + .seconds(300)
        let actions = harness.send(.wake)
        #expect(actions.settlements.map { $0.plan.recipients[0].outcome } == [.returned(at: harness.now)])
        #expect(actions.renewals.map(\.count) == [2])
        #expect(harness.engine.load.buffered == 0)
    }

    @Test("A settlement that fails is tried again, and holds its place meanwhile")
    func settleFails() {
        var harness = Harness { $0.totalAttempts = 1 }
        harness.begin()
        harness.lease(harness.delivery())
        harness.lease(harness.delivery())
        let id = harness.actions.attempts[0].id
        let plan = harness.send(.attemptEnded(id, .relayed)).settlements[0].plan
        #expect(harness.send(.settleFailed(id)).attempts.isEmpty)
        harness.now = start + .seconds(4)
        #expect(harness.send(.wake).settlements.isEmpty)
        harness.now = start + .seconds(5)
        let again = harness.send(.wake).settlements
        #expect(again.map(\.plan) == [plan] && again.map(\.id) == [id])
        #expect(harness.send(.settled(id)).attempts.count == 1)
    }

    @Test("Stop begins nothing, gives back what waits, and ends with what is in flight")
    func stops() {
        var harness = Harness()
        harness.begin()
        for _ in 0..<3 { harness.lease(harness.delivery()) }
        let ids = harness.actions.attempts.map(\.id)
        let actions = harness.send(.stop)
        #expect(actions.settlements.map { $0.plan.recipients[0].outcome } == [.returned(at: start)])
        harness.send(.settled(actions.settlements[0].id))
        #expect(harness.lease(harness.delivery()).attempts.isEmpty)
        for settlement in harness.actions.settlements { harness.send(.settled(settlement.id)) }
        #expect(!harness.actions.hasStopped)
        harness.send(.attemptEnded(ids[0], .relayed))
        harness.send(.settled(ids[0]))
        #expect(!harness.actions.hasStopped)
        harness.send(.attemptEnded(ids[1], .deferred))
        #expect(!harness.actions.hasStopped)
        #expect(harness.send(.settled(ids[1])) == [.stopped])
        #expect(harness.send(.wake).isEmpty)
    }

    @Test("A stop with nothing in flight ends at once")
    func stopsIdle() {
        var harness = Harness()
        harness.begin()
        #expect(harness.send(.stop) == [.stopped])
    }

    @Test("Answers to work that is no longer known change nothing")
    func strangers() {
        var harness = Harness()
        harness.begin()
        let id = AttemptID(99)
        for event in [
            QueueEvent.attemptEnded(id, .relayed), .settled(id), .settleFailed(id), .postponed(destination: "x.test"),
            .renewed([id], until: start, lost: [id]),
        ] {
            let actions = harness.send(event)
            #expect(actions.settlements.isEmpty && actions.attempts.isEmpty)
        }
        #expect(harness.engine.load == QueueEngine.Load())
    }
}
