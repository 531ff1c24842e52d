import Foundation
import MartletCore
import QueueEngine
import Testing

/// Ten days of mail with failures of every kind, and what has to hold whatever happens.
/// `MARTLET_SEED` chooses the run, `MARTLET_SIMULATE=full` the large one.
@Suite("Simulation: ten days of mail out", .serialized)
struct TenDaysTests {
    static let environment = ProcessInfo.processInfo.environment
    static let isFull = environment["MARTLET_SIMULATE"] == "full"
    static let seed: UInt64? = environment["MARTLET_SEED"].flatMap { UInt64($0) }

    @Test("100,000 messages to 1,000 destinations", .enabled(if: isFull))
    func full() {
        let seed = Self.seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        check(Simulation.Settings(seed: seed, messages: 100_000, destinations: 1_000))
    }

    @Test("5,000 messages to 200 destinations")
    func small() {
        let seed = Self.seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        check(Simulation.Settings(seed: seed, messages: 5_000, destinations: 200))
    }

    @Test("A known run, small limits", arguments: [UInt64(1), 2])
    func tight(seed: UInt64) {
        check(
            Simulation.Settings(
                seed: Self.seed ?? seed, messages: 1_000, destinations: 50, crashEvery: .seconds(2 * 3_600),
                storeFailure: 0.02,
                change: {
                    $0.totalAttempts = 24
                    $0.maximumBuffered = 16
                    $0.maximumWindow = 5
                    $0.recipientsPerAttempt = 3
                    $0.lanesPerLook = 5
                    $0.maximumLanesPerDestination = 8
                    $0.claimsAtOnce = 4
                    $0.maximumFailing = 5
                }), isTight: true)
    }

    private func check(_ settings: Simulation.Settings, isTight: Bool = false) {
        let clock = ContinuousClock()
        let began = clock.now
        var simulation = Simulation(settings)
        simulation.planArrivals()
        simulation.run(until: Simulation.begin + .seconds(22 * 86_400))
        let counts = simulation.counts
        let ledger = simulation.queue.ledger
        let note: Comment = "MARTLET_SEED=\(settings.seed)"
        #expect(simulation.violations.isEmpty, note)
        #expect(ledger.holds, note)
        #expect(ledger[.queued] == 0, note)
        #expect(ledger[.accepted] >= Int64(settings.messages), note)
        #expect(ledger[.relayed] > ledger[.accepted] / 2, note)
        #expect(ledger[.bounced] > 0, note)
        #expect(ledger[.discarded] > 0, note)
        // The longest pause, the longest attempt, leases of the dead, and a restart or two.
        #expect(counts.longestOverrun < .seconds(6 * 3_600), note)
        if !isTight { #expect(counts.longestFairWait < .seconds(120), note) }
        // A run in which nothing happened proves nothing.
        #expect(counts.crashes > 0, note)
        #expect(counts.stalls > 0, note)
        #expect(counts.stops > 0, note)
        #expect(simulation.queue.takeovers > 0, note)
        #expect(counts.attempts > settings.messages, note)
        if Self.isFull || Self.seed != nil {
            print(
                "\(settings.messages) messages, seed \(settings.seed), \(clock.now - began): \(simulation.now - Simulation.begin)"
            )
            print("\(ledger.counts), \(simulation.queue.takeovers) leases taken over\n\(counts)")
        }
    }
}
