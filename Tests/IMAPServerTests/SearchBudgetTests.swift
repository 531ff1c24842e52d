import IMAPServer
import Synchronization
import Testing

/// Who had a turn, in order.
private final class Turns: Sendable {
    private let numbers = Mutex<[Int]>([])
    var all: [Int] { numbers.withLock { $0 } }
    func add(_ number: Int) { numbers.withLock { $0.append(number) } }
}

@Suite struct SearchBudgetTests {
    /// Until `count` wait, ten seconds at most.
    private func waitFor(_ count: Int, in budget: SearchBudget) async throws {
        for _ in 0..<1_000 where budget.waiting != count { try await Task.sleep(for: .milliseconds(10)) }
        #expect(budget.waiting == count)
    }

    @Test("who finds no room waits, and has its turn in the order of coming")
    func order() async throws {
        let budget = SearchBudget(limit: 100)
        let turns = Turns()
        await budget.take(60)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // The last one would have room at once, and does not overtake.
            for (number, octets) in [50, 1_000, 30].enumerated() {
                group.addTask {
                    await budget.take(octets)
                    turns.add(number)
                    #expect(budget.used <= 100)
                    budget.giveBack(octets)
                }
                try await waitFor(number + 1, in: budget)
            }
            #expect(turns.all == [])
            budget.giveBack(60)
            try await group.waitForAll()
        }
        #expect(turns.all == [0, 1, 2])
        #expect(budget.used == 0)
    }

    @Test("many at once never hold more than the limit")
    func bound() async {
        let budget = SearchBudget(limit: 1_000)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let octets = number * 37 % 400
                    await budget.take(octets)
                    #expect(budget.used <= 1_000)
                    await Task.yield()
                    budget.giveBack(octets)
                }
            }
        }
        #expect(budget.used == 0)
        #expect(budget.waiting == 0)
    }
}
