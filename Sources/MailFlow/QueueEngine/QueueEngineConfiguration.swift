internal import MartletCore

/// How outbound delivery is paced. The defaults suit a server on the internet.
public struct QueueEngineConfiguration: Sendable, Hashable {
    /// Names this process in leases; never 0.
    public var owner: Int64
    public var retries = RetrySchedule()
    /// How long a destination that cannot be reached is left alone, by how often in a row it was. Grows to the last step.
    public var pauses = RetrySchedule(
        steps: [.seconds(300), .seconds(600), .seconds(1_200), .seconds(2_400), .seconds(3_600)], jitterPercent: 10)
    /// Failed connections in a row after which a destination that has not been left alone before is.
    public var failuresBeforePause = 2
    /// How long a message waits before its sender hears that it is late.
    public var delayNoticeAfter: Duration = .seconds(4 * 3_600)

    /// Attempts at once, in all.
    public var totalAttempts = 200
    /// Attempts at once to one destination: how many at first, and at most.
    public var initialWindow = 2
    public var maximumWindow = 20
    /// Of `totalAttempts`, what one destination takes at most while others wait.
    public var destinationSharePercent = 20
    /// Of `totalAttempts`, what destinations that were failing or slow when last tried take together.
    public var suspectSharePercent = 50
    /// An attempt that lasts longer makes its destination slow.
    public var slowAfter: Duration = .seconds(60)

    /// Recipients of one transaction (RFC 5321 §4.5.3.1.8: a server takes at least 100).
    public var recipientsPerAttempt = 100
    /// Messages of one claim.
    public var messagesPerClaim = 20
    /// Lanes of one claim action.
    public var claimsAtOnce = 64
    /// Deliveries that are leased and wait for their turn, in all.
    public var maximumBuffered = 200
    /// Lanes known to have something due; the others stay in the store until one of these is done.
    public var maximumLanes = 20_000
    /// Of one destination. A look passes over a destination that has a quarter of it.
    public var maximumLanesPerDestination = 256
    /// Lanes that one look brings.
    public var lanesPerLook = 100
    /// Destinations that are remembered as failing.
    public var maximumFailing = 10_000

    /// From claim or renewal on.
    public var lease: Duration = .seconds(600)
    /// At the least between two looks of which the timer is the reason.
    public var lookSpacing: Duration = .seconds(1)
    /// Between looks when nothing is known to be due: other processes and administrators add work too.
    public var pollInterval: Duration = .seconds(60)
    /// Before the store is asked again after it has failed.
    public var storeRetry: Duration = .seconds(5)

    /// - Parameter owner: names the process in leases. A precondition: it is not 0.
    public init(owner: Int64) {
        precondition(owner != 0, "0 is nobody's lease")
        self.owner = owner
    }

    var manyLanes: Int { max(1, maximumLanesPerDestination / 4) }
    var suspectAttempts: Int { max(1, totalAttempts * suspectSharePercent / 100) }
    var destinationShare: Int { max(1, totalAttempts * destinationSharePercent / 100) }
}
