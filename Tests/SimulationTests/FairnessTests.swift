import MartletCore
import QueueEngine
import Testing

/// One slow or dead destination, or one bulk sender, delays nobody else.
@Suite("Simulation: fairness")
struct FairnessTests {
    /// Host 0 has the bulk; the hosts after it are healthy and have a message of a small sender each minute.
    private func longestWait(_ kind: Internet.Kind, bulk: Int, sameDestination: Bool) -> Simulation {
        var settings = Simulation.Settings(seed: 11, messages: 0, destinations: 20)
        settings.crashEvery = nil
        settings.storeFailure = 0
        settings.servers = 1
        var simulation = Simulation(settings)
        for index in simulation.internet.hosts.indices {
            simulation.internet.hosts[index].kind = index == 0 ? kind : .healthy
        }
        simulation.counts.arrivalsLeft = 121
        simulation.events.add(
            .arrival(sender: 0, destination: 0, recipients: 1, count: bulk), at: Simulation.begin + .seconds(1))
        for minute in 1...120 {
            simulation.events.add(
                .arrival(
                    sender: 4 + minute % 50, destination: sameDestination ? 0 : 1 + minute % 19, recipients: 1, count: 1
                ),
                at: Simulation.begin + .seconds(60 * minute))
        }
        simulation.run(until: Simulation.begin + .seconds(3 * 3_600))
        return simulation
    }

    @Test(
        "A small sender's message to a healthy destination is tried within seconds, whatever 20,000 others do",
        arguments: [Internet.Kind.healthy, .slow, .timesOut, .refusesConnections, .temporaryAlways, .limitsConnections])
    func others(_ kind: Internet.Kind) {
        let simulation = longestWait(kind, bulk: 20_000, sameDestination: false)
        #expect(simulation.violations.isEmpty)
        #expect(simulation.journeys.filter { $0.isFair && $0.firstAttempt != nil }.count == 120)
        #expect(simulation.counts.longestFairWait < .seconds(15), "\(simulation.counts)")
    }

    @Test("Its message to the very destination that a bulk sender has 20,000 for goes in its turn")
    func same() {
        let simulation = longestWait(.healthy, bulk: 20_000, sameDestination: true)
        #expect(simulation.violations.isEmpty)
        #expect(simulation.journeys.filter { $0.isFair && $0.firstAttempt != nil }.count == 120)
        #expect(simulation.counts.longestFairWait < .seconds(15), "\(simulation.counts)")
    }

    @Test("A dead destination's 20,000 messages are not tried one by one, and each ends in time")
    func dead() {
        var settings = Simulation.Settings(seed: 12, messages: 0, destinations: 2)
        settings.crashEvery = nil
        settings.storeFailure = 0
        settings.servers = 1
        settings.bouncesElsewhere = 0
        var simulation = Simulation(settings)
        simulation.internet.hosts[1].kind = .timesOut
        simulation.counts.arrivalsLeft = 40
        for sender in 0..<40 {
            simulation.events.add(
                .arrival(sender: sender, destination: 1, recipients: 1, count: 500),
                at: Simulation.begin + .seconds(3_600 * sender))
        }
        simulation.run(until: Simulation.begin + .seconds(8 * 86_400))
        #expect(simulation.violations.isEmpty)
        #expect(simulation.queue.ledger[.queued] == 0)
        #expect(simulation.counts.attempts < 400)
        #expect(simulation.counts.longestOverrun < .seconds(3_700 + 60), "\(simulation.counts)")
    }
}
