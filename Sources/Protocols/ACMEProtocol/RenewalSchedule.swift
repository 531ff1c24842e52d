public import MartletCore

/// When a certificate is had anew. Chances are given as numbers from 0 up to 1, so that many servers do not come at once.
public enum RenewalSchedule {
    /// After two thirds of its lifetime, or up to a twentieth of it before.
    public static func renewal(notBefore: Instant, notAfter: Instant, chance: Double) -> Instant {
        guard notAfter > notBefore else { return notBefore }
        let lifetime = notAfter - notBefore
        return notBefore + (lifetime * 2 / 3 - lifetime / 20 * clamped(chance))
    }

    /// The pause after so many attempts that failed: each twice the one before and up to a fifth longer, at most a day, at
    /// least what the authority asked for.
    /// - Parameter first: the first pause.
    public static func pause(failures: Int, first: Duration, retryAfter: Duration?, chance: Double) -> Duration {
        var pause = min(max(first, .milliseconds(1)), longest)
        var doublings = failures - 1
        while doublings > 0, pause < longest {
            pause = min(pause * 2, longest)
            doublings -= 1
        }
        pause += pause / 5 * clamped(chance)
        return max(pause, min(retryAfter ?? .zero, longestAsked))
    }

    /// Before which nothing is tried, as it was kept; nil: it is tried at once. No pause is so long that it ends later than
    /// `longestAsked` from now: such a moment is from a clock that was ahead, and is not believed.
    public static func earliest(_ kept: Instant?, now: Instant) -> Instant? {
        kept.flatMap { $0 <= now + longestAsked ? $0 : nil }
    }

    static let longest = Duration.seconds(86_400)
    /// More is not believed: the certificate would end meanwhile.
    static let longestAsked = Duration.seconds(7 * 86_400)

    private static func clamped(_ chance: Double) -> Double { min(max(chance, 0), 1) }
}
