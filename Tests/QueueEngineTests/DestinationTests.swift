import MailStore
import MartletCore
import QueueEngine
import Testing

@Suite("QueueEngine: destinations that fail")
struct DestinationTests {
    private let lane = QueueLane(destination: "example.test", lane: "anna")

    /// Attempts of which two fail to connect.
    private func paused(_ harness: inout Harness) {
        harness.begin()
        for _ in 0..<6 { harness.lease(harness.delivery()) }
        let two = harness.actions.attempts
        #expect(two.count == 2)
        harness.actions = []
        harness.send(.attemptEnded(two[0].id, .unreachable))
        harness.send(.settled(two[0].id))
        harness.send(.attemptEnded(two[1].id, .unreachable))
        harness.send(.settled(two[1].id))
    }

    @Test("A failed connection halves the window, to one at the least")
    func halves() {
        var harness = Harness {
            $0.initialWindow = 8
            $0.failuresBeforePause = 100
        }
        harness.begin()
        for _ in 0..<8 { harness.lease(harness.delivery()) }
        var sizes: [Int] = []
        for attempt in harness.actions.attempts.prefix(5) {
            harness.send(.attemptEnded(attempt.id, .unreachable))
            sizes.append(harness.engine.window(of: "example.test")?.size ?? 0)
        }
        #expect(sizes == [4, 2, 1, 1, 1])
    }

    @Test("After failures in a row the destination is left alone, and what waits for it goes back uncounted")
    func pauses() {
        var harness = Harness()
        paused(&harness)
        let until = start + .seconds(300)
        #expect(harness.actions.postponements.map(\.until) == [until])
        let returned = harness.actions.settlements.filter { $0.plan.recipients[0].outcome == .returned(at: until) }
        #expect(returned.count == 4)
        #expect(harness.engine.load.buffered == 0 && harness.engine.load.attempts == 0)
        #expect(!harness.engine.canTakeLeased("example.test", now: harness.now))
        #expect(harness.actions.attempts.isEmpty)
    }

    @Test("A destination that an administrator asks for is tried at once, and when it fails left alone for longer")
    func askedAgain() {
        var harness = Harness()
        paused(&harness)
        harness.send(.postponed(destination: "example.test"))
        harness.actions = []
        harness.send(.askedAgain(["other.test"]))
        harness.lease(harness.delivery())
        #expect(harness.actions.attempts.isEmpty)
        harness.send(.askedAgain(["example.test"]))
        harness.actions = []
        harness.lease(harness.delivery())
        let attempts = harness.actions.attempts
        #expect(attempts.count == 1)
        harness.actions = []
        harness.send(.attemptEnded(attempts[0].id, .unreachable))
        #expect(harness.actions.postponements.map(\.until) == [start + .seconds(600)])
    }

    @Test("New work for a destination that is left alone goes back, or is postponed when a look finds it")
    func arrivalsWhilePaused() {
        var harness = Harness()
        paused(&harness)
        harness.send(.postponed(destination: "example.test"))
        harness.actions = []
        harness.lease(harness.delivery())
        #expect(
            harness.actions.settlements.map { $0.plan.recipients[0].outcome } == [.returned(at: start + .seconds(300))])
        #expect(harness.send(.arrived([lane])).claims.isEmpty)
        harness.now = start + .seconds(60)
        harness.send(.wake)
        #expect(harness.send(.dueLanes([lane], next: nil)).postponements.map(\.until) == [start + .seconds(300)])
        #expect(harness.actions.attempts.isEmpty)
    }

    @Test("After the pause one attempt asks whether it is back; if not, the next pause is longer, up to the last step")
    func probes() {
        var harness = Harness()
        paused(&harness)
        harness.send(.postponed(destination: "example.test"))
        var lengths: [Duration] = []
        for _ in 0..<7 {
            harness.actions = []
            harness.now = harness.now + .seconds(2 * 3_600)
            var rows = [lane: (0..<10).map { _ in harness.delivery() }]
            harness.send(.wake)
            harness.send(.claimed([], []))
            harness.send(.dueLanes([lane], next: nil))
            harness.answerClaim(from: &rows)
            #expect(harness.actions.attempts.count == 1)
            guard let attempt = harness.actions.attempts.first else { return }
            harness.send(.attemptEnded(attempt.id, .unreachable))
            lengths.append((harness.actions.postponements.last?.until ?? start) - harness.now)
            harness.send(.settled(attempt.id))
            harness.send(.postponed(destination: "example.test"))
        }
        #expect(lengths == [600, 1_200, 2_400, 3_600, 3_600, 3_600, 3_600].map { .seconds($0) })
    }

    @Test("One connection that works ends it")
    func recovers() {
        var harness = Harness()
        paused(&harness)
        harness.send(.postponed(destination: "example.test"))
        harness.now = harness.now + .seconds(300)
        harness.actions = []
        for _ in 0..<5 { harness.lease(harness.delivery()) }
        #expect(harness.actions.attempts.count == 1)
        harness.send(.attemptEnded(harness.actions.attempts[0].id, .deferred))
        #expect(harness.actions.attempts.count == 3)
        #expect(harness.engine.window(of: "example.test")?.size == 2)
    }

    @Test("What is past its time ends with the destination's failure, although it was not tried itself")
    func expiredWhilePaused() {
        var harness = Harness()
        paused(&harness)
        guard let claims = harness.actions.claims.first(where: { $0[0].isForExpired }) else {
            Issue.record("it asks for what is past its time")
            return
        }
        #expect(claims[0].lane.destination == "example.test")
        harness.actions = []
        let old = harness.delivery(age: .seconds(5 * 86_400))
        let oldBounce = harness.delivery(nullSender: true, age: .seconds(6 * 86_400))
        let young = harness.delivery(age: .seconds(4 * 86_400))
        harness.send(.claimed(claims, [old, oldBounce, young]))
        let plans = harness.actions.settlements.map(\.plan)
        #expect(
            plans.map { $0.recipients[0].outcome } == [
                .failed(reply: "connection refused"), .discarded(reply: "connection refused", rule: "null sender"),
                .returned(at: start + .seconds(300)),
            ])
        #expect(plans.map(\.notices) == [[.init(kind: .failure, recipients: [0])], [], []])
        #expect(plans.allSatisfy { $0.isWithoutAttempt })
        #expect(harness.actions.settlements.map { harness.engine.delivery(of: $0.id) } == [old, oldBounce, young])
        #expect(harness.actions.attempts.isEmpty)
    }

    @Test("Failing destinations share a part of all attempts, so that healthy ones go on")
    func suspects() {
        var harness = Harness {
            $0.totalAttempts = 10
            $0.failuresBeforePause = 100
        }
        harness.begin()
        for number in 0..<10 { harness.lease(harness.delivery(to: "dead\(number).test")) }
        let first = harness.actions.attempts
        #expect(first.count == 10)
        for attempt in first {
            harness.send(.attemptEnded(attempt.id, .unreachable))
            harness.send(.settled(attempt.id))
        }
        harness.actions = []
        for number in 0..<10 { harness.lease(harness.delivery(to: "dead\(number).test")) }
        #expect(harness.actions.attempts.count == 5)
        for number in 0..<10 { harness.lease(harness.delivery(to: "alive\(number).test")) }
        #expect(harness.actions.attempts.count == 10)
        #expect(
            harness.actions.attempts.suffix(5).allSatisfy { $0.delivery.recipients[0].destination.hasPrefix("alive") })
    }

    @Test("The memory of failing destinations has a bound")
    func bounded() {
        var harness = Harness {
            $0.maximumFailing = 50
            $0.failuresBeforePause = 1
        }
        harness.begin()
        for number in 0..<500 {
            harness.actions = []
            harness.lease(harness.delivery(to: "d\(number).test"))
            guard let attempt = harness.actions.attempts.first else { return }
            harness.send(.attemptEnded(attempt.id, .unreachable))
            harness.send(.settled(attempt.id))
            harness.send(.postponed(destination: "d\(number).test"))
        }
        #expect(harness.engine.load.destinations <= 51)
    }
}
