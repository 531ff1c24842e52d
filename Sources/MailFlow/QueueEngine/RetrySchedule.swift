internal import MartletCore

/// How long to wait after each failure: steps, the last of which repeats, with jitter so that what failed together does not
/// come back together. RFC 5321 §4.5.4.1 wants half an hour in general, sooner for the first two, and days in all.
public struct RetrySchedule: Sendable, Hashable {
    /// At least one; each positive.
    public var steps: [Duration]
    /// A delay is drawn between this much less and this much more than its step; 0 to 99.
    public var jitterPercent: Int

    public init(
        steps: [Duration] = [
            .seconds(120), .seconds(300), .seconds(600), .seconds(1_200), .seconds(2_400), .seconds(4_800),
            .seconds(9_600), .seconds(14_400),
        ],
        jitterPercent: Int = 20
    ) {
        precondition(!steps.isEmpty && steps.allSatisfy { $0 > .zero }, "a schedule has steps, and waits at each")
        precondition((0..<100).contains(jitterPercent), "jitter is less than the step")
        self.steps = steps
        self.jitterPercent = jitterPercent
    }

    /// The step after `failures` failures before this one, with `factor` (1 is none) as its jitter.
    func delay(afterFailures failures: Int, factor: Double) -> Duration {
        steps[min(max(0, failures), steps.count - 1)] * factor
    }

    /// A factor around 1.
    func drawFactor(using generator: inout some RandomNumberGenerator) -> Double {
        guard jitterPercent > 0 else { return 1 }
        let bound = Double(jitterPercent) / 100
        return Double.random(in: 1 - bound...1 + bound, using: &generator)
    }

    /// The longest delay that is drawn.
    public var longestDelay: Duration { (steps.max() ?? .zero) * (1 + Double(jitterPercent) / 100) }
}
