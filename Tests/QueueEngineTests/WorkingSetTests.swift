import MailStore
import MartletCore
import QueueEngine
import Testing

@Suite("QueueEngine: what a long queue costs")
struct WorkingSetTests {
    /// What 400 attempts took.
    struct Cost: Hashable {
        var events = 0
        var actions = 0
        var excluded = 0
        var largest = QueueEngine.Load()
    }

    /// A store that makes its rows up when they are claimed: `rows` in 200 lanes of 40 destinations.
    private func cost(rows: Int) -> Cost {
        var harness = Harness()
        let lanes = (0..<200).map { QueueLane(destination: "d\($0 % 40).test", lane: "l\($0)") }
        var left = Dictionary(uniqueKeysWithValues: lanes.map { ($0, rows / lanes.count) })
        var cost = Cost()
        var waiting: [QueueEvent] = [.started]
        var attempts = 0
        while !waiting.isEmpty, attempts < 400 {
            let actions = harness.send(waiting.removeFirst())
            cost.events += 1
            cost.actions += actions.count
            cost.largest.buffered = max(cost.largest.buffered, harness.engine.load.buffered)
            cost.largest.lanes = max(cost.largest.lanes, harness.engine.load.lanes)
            cost.largest.destinations = max(cost.largest.destinations, harness.engine.load.destinations)
            for action in actions {
                switch action {
                case .lookForDue(let exclusion, let limit):
                    cost.excluded = max(cost.excluded, exclusion.lanes.count + exclusion.destinations.count)
                    let due = lanes.filter { left[$0, default: 0] > 0 && !exclusion.contains($0) }
                    waiting.append(.dueLanes(Array(due.prefix(limit)), next: nil))
                case .claim(let claims):
                    var found: [QueuedDelivery] = []
                    for claim in claims {
                        let count = min(claim.messages, left[claim.lane, default: 0])
                        left[claim.lane, default: 0] -= count
                        for _ in 0..<count {
                            found.append(harness.delivery(to: claim.lane.destination, lane: claim.lane.lane))
                        }
                    }
                    waiting.append(.claimed(claims, found))
                case .attempt(let id, _):
                    attempts += 1
                    waiting.append(.attemptEnded(id, .relayed))
                case .settle(let id, _): waiting.append(.settled(id))
                case .postpone, .renew, .cancel, .wake, .stopped: break
                }
            }
        }
        return cost
    }

    @Test("A queue of a million costs what a queue of a thousand does: the same events, actions and memory")
    func sameCost() {
        let (small, large) = (cost(rows: 1_000), cost(rows: 1_000_000))
        #expect(small.events > 400)
        #expect(large == small)
        #expect(large.largest.buffered <= 200)
    }
}
