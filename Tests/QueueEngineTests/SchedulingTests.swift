import MailStore
import MartletCore
import QueueEngine
import Testing

@Suite("QueueEngine: starting, claiming, looking")
struct SchedulingTests {
    @Test("A start looks for what is due, and leads by a claim to attempts and settlements")
    func wholeWay() {
        var harness = Harness()
        let lane = QueueLane(destination: "example.test", lane: "anna")
        var rows = [lane: [harness.delivery(), harness.delivery(), harness.delivery()]]
        #expect(harness.send(.started).looks == [QueueExclusion()])
        let claims = harness.send(.dueLanes([lane], next: nil)).claims
        #expect(claims.count == 1)
        #expect(claims[0][0].lane == lane && claims[0][0].messages == 2 && claims[0][0].owner == 1)
        harness.answerClaim(from: &rows)
        #expect(harness.actions.attempts.count == 2)
        for attempt in harness.actions.attempts {
            let actions = harness.send(.attemptEnded(attempt.id, .relayed))
            #expect(actions.settlements.map(\.id) == [attempt.id])
            #expect(actions.settlements[0].plan.recipients.map(\.outcome) == [.relayed(reply: "250 2.0.0 Ok")])
            harness.send(.settled(attempt.id))
        }
        harness.answerClaim(from: &rows)
        #expect(harness.actions.attempts.count == 3)
        #expect(rows[lane]?.isEmpty == true)
    }

    @Test("Leased arrivals are attempted without a claim")
    func hotPath() {
        var harness = Harness()
        harness.begin()
        let actions = harness.lease(harness.delivery())
        #expect(actions.attempts.count == 1)
        #expect(actions.claims.isEmpty && actions.looks.isEmpty)
    }

    @Test("What does not fit goes back to the store, not counted, and is claimed in its turn")
    func overflow() {
        var harness = Harness { $0.messagesPerClaim = 4 }
        harness.begin()
        for _ in 0..<20 { harness.lease(harness.delivery()) }
        #expect(harness.actions.attempts.count == 2)
        #expect(harness.engine.load.buffered == 4)
        let returned = harness.actions.settlements
        #expect(returned.count == 14)
        #expect(returned.allSatisfy { $0.plan.recipients.map(\.outcome) == [.returned(at: start)] })
        #expect(!harness.engine.canTakeLeased("example.test", now: harness.now))
        #expect(harness.engine.canTakeLeased("other.test", now: harness.now))
    }

    @Test("The window grows by one for each window of attempts that worked, up to its bound")
    func growth() {
        var harness = Harness { $0.maximumWindow = 5 }
        harness.begin()
        var sizes: [Int] = []
        for _ in 0..<60 {
            while harness.engine.canTakeLeased("example.test", now: harness.now) { harness.lease(harness.delivery()) }
            #expect(harness.engine.load.attempts <= 5)
            guard let attempt = harness.actions.attempts.first else { break }
            harness.actions.removeAll { if case .attempt(attempt.id, _) = $0 { true } else { false } }
            harness.send(.attemptEnded(attempt.id, .relayed))
            harness.send(.settled(attempt.id))
            sizes.append(harness.engine.window(of: "example.test")?.size ?? 0)
        }
        #expect(Array(sizes.prefix(5)) == [2, 3, 3, 3, 4])
        #expect(sizes.last == 5)
        // Nor does it grow unseen: a failure halves what is used.
        guard let attempt = harness.actions.attempts.first else { return }
        harness.send(.attemptEnded(attempt.id, .unreachable))
        #expect(harness.engine.window(of: "example.test")?.size == 2)
    }

    @Test("A total bound holds over all destinations, settlements that wait for the store included")
    func totalBound() {
        var harness = Harness { $0.totalAttempts = 10 }
        harness.begin()
        for number in 0..<30 { harness.lease(harness.delivery(to: "d\(number).test")) }
        #expect(harness.actions.attempts.count == 10)
        let first = harness.actions.attempts[0]
        #expect(harness.send(.attemptEnded(first.id, .relayed)).attempts.isEmpty)
        #expect(harness.send(.settled(first.id)).attempts.count == 1)
    }

    @Test("A destination takes no more than its share while others wait")
    func share() {
        var harness = Harness {
            $0.totalAttempts = 10
            $0.destinationSharePercent = 20
            $0.initialWindow = 20
        }
        harness.begin()
        for _ in 0..<20 { harness.lease(harness.delivery(to: "big.test")) }
        #expect(harness.actions.attempts.count == 10)
        for number in 0..<10 { harness.lease(harness.delivery(to: "d\(number).test")) }
        for attempt in harness.actions.attempts {
            harness.send(.attemptEnded(attempt.id, .relayed))
            harness.send(.settled(attempt.id))
        }
        let later = harness.actions.attempts.dropFirst(10).prefix(10).map { $0.delivery.recipients[0].destination }
        #expect(later.filter { $0 == "big.test" }.count <= 2)
        #expect(Set(later).count >= 8)
    }

    @Test("Lanes of one destination take turns, whatever the length of each")
    func lanesTakeTurns() {
        var harness = Harness()
        harness.begin()
        let bulk = QueueLane(destination: "example.test", lane: "bulk")
        let small = QueueLane(destination: "example.test", lane: "small")
        var rows = [
            bulk: (0..<50).map { _ in harness.delivery(lane: "bulk") }, small: [harness.delivery(lane: "small")],
        ]
        harness.send(.arrived([bulk]))
        harness.answerClaim(from: &rows)
        harness.send(.arrived([small]))
        var order: [String] = []
        while order.count < 10, let attempt = harness.actions.attempts.first {
            order.append(attempt.delivery.message.lane)
            harness.actions.removeAll { if case .attempt(attempt.id, _) = $0 { true } else { false } }
            harness.send(.attemptEnded(attempt.id, .relayed))
            harness.send(.settled(attempt.id))
            harness.answerClaim(from: &rows)
            harness.actions.removeAll { if case .claim = $0 { true } else { false } }
        }
        #expect(order.firstIndex(of: "small").map { $0 <= 4 } == true, "\(order)")
    }

    @Test("A message for more recipients than a transaction takes is attempted in parts")
    func parts() {
        var harness = Harness()
        harness.begin()
        harness.lease(harness.delivery(recipients: 250))
        #expect(harness.actions.attempts.map(\.delivery.recipients.count) == [100, 100])
        harness.send(.attemptEnded(harness.actions.attempts[0].id, .relayed))
        #expect(harness.actions.attempts.last?.delivery.recipients.count == 50)
    }

    @Test("A held recipient is not attempted")
    func held() {
        var harness = Harness()
        harness.begin()
        var delivery = harness.delivery(recipients: 2)
        delivery.recipients[1].state = .held
        #expect(harness.lease(delivery).attempts.map { $0.delivery.recipients.map(\.number) } == [[0]])
        delivery = harness.delivery()
        delivery.recipients[0].state = .held
        #expect(harness.lease(delivery).attempts.isEmpty)
    }

    @Test("It wakes for the next due work, and looks then")
    func wakes() {
        var harness = Harness()
        harness.send(.started)
        let due = start + .seconds(20)
        #expect(harness.send(.dueLanes([], next: due)).wakes == [due])
        harness.now = due
        #expect(harness.send(.wake).looks.count == 1)
    }

    @Test("An administrator's change makes it look at once")
    func changed() {
        var harness = Harness()
        harness.begin()
        #expect(harness.send(.arrived([])).looks.count == 1)
    }

    @Test("A look passes over lanes that are known, and destinations that have many")
    func exclusion() {
        var harness = Harness { $0.maximumLanesPerDestination = 8 }
        harness.begin()
        harness.send(.arrived((0..<5).map { QueueLane(destination: "many.test", lane: "\($0)") }))
        harness.send(.arrived([QueueLane(destination: "few.test", lane: "a")]))
        harness.now = start + .seconds(60)
        let look = harness.send(.wake).looks
        #expect(look.count == 1)
        #expect(look[0].destinations == ["many.test"])
        #expect(look[0].lanes == [QueueLane(destination: "few.test", lane: "a")])
    }

    @Test("A destination that was passed over is looked for again as soon as it needs lanes")
    func passedOver() {
        var harness = Harness { $0.maximumLanesPerDestination = 8 }
        harness.begin()
        var rows: [QueueLane: [QueuedDelivery]] = [:]
        harness.send(.arrived((0..<3).map { QueueLane(destination: "many.test", lane: "\($0)") }))
        harness.now = start + .seconds(60)
        #expect(harness.send(.wake).looks.map(\.destinations) == [["many.test"]])
        harness.send(.dueLanes([], next: nil))
        harness.actions.removeAll { if case .lookForDue = $0 { true } else { false } }
        harness.answerClaim(from: &rows)
        #expect(harness.actions.looks.map(\.destinations) == [[]])
    }

    @Test("A store that fails is asked again later")
    func storeFails() {
        var harness = Harness()
        harness.send(.started)
        #expect(harness.send(.lookFailed).wakes == [start + .seconds(5)])
        harness.now = start + .seconds(5)
        #expect(harness.send(.wake).looks.count == 1)
        let lane = QueueLane(destination: "example.test", lane: "anna")
        let claims = harness.send(.dueLanes([lane], next: nil)).claims
        #expect(claims.count == 1)
        #expect(harness.send(.claimFailed(claims[0])).claims.isEmpty)
        harness.now = start + .seconds(10)
        #expect(harness.send(.wake).claims == [[claims[0][0].moved(to: harness.now + .seconds(600))]])
    }

    @Test("Arrivals during a claim make the lane be claimed again")
    func arrivalsDuringClaim() {
        var harness = Harness()
        harness.begin()
        let lane = QueueLane(destination: "example.test", lane: "anna")
        var rows: [QueueLane: [QueuedDelivery]] = [:]
        harness.send(.arrived([lane]))
        harness.send(.arrived([lane]))
        harness.actions.removeAll { if case .wake = $0 { true } else { false } }
        harness.answerClaim(from: &rows)
        #expect(harness.actions.claims.count == 2)
        harness.answerClaim(from: &rows)
        #expect(harness.actions.claims.count == 2)
        #expect(harness.engine.load == QueueEngine.Load())
    }
}

extension QueueClaim {
    func moved(to leaseUntil: Instant) -> QueueClaim {
        var claim = self
        claim.leaseUntil = leaseUntil
        return claim
    }
}
