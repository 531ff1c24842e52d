import ACMEProtocol
import MartletCore
import Testing

@Suite("When a certificate is renewed") struct RenewalScheduleTests {
    private let start = Instant(seconds: 1_700_000_000)

    @Test("after two thirds of its lifetime, up to a twentieth earlier")
    func renewal() {
        let end = start + .seconds(90 * 86_400)
        #expect(RenewalSchedule.renewal(notBefore: start, notAfter: end, chance: 0) == start + .seconds(60 * 86_400))
        let early = RenewalSchedule.renewal(notBefore: start, notAfter: end, chance: 1)
        let expected = start + .seconds(60 * 86_400 - 90 * 4_320)
        #expect(early >= expected + .seconds(-1) && early <= expected + .seconds(1))
        for chance in [0.0, 0.2, 0.7, 1] {
            let moment = RenewalSchedule.renewal(notBefore: start, notAfter: end, chance: chance)
            #expect(moment >= early && moment <= start + .seconds(60 * 86_400))
        }
    }

    @Test("at once when its times make no sense")
    func nonsense() {
        #expect(RenewalSchedule.renewal(notBefore: start, notAfter: start, chance: 0.5) == start)
        #expect(RenewalSchedule.renewal(notBefore: start, notAfter: start + .seconds(-5), chance: 0.5) == start)
    }

    @Test(
        "pauses double up to a day, and grow by a fifth at most",
        arguments: [
            (0, 300), (1, 300), (2, 600), (3, 1_200), (9, 76_800), (10, 86_400), (1_000_000, 86_400), (Int.max, 86_400),
        ])
    func pauses(failures: Int, seconds: Int) {
        let first = Duration.seconds(300)
        let exact = RenewalSchedule.pause(failures: failures, first: first, retryAfter: nil, chance: 0)
        #expect(exact == .seconds(seconds))
        let longer = RenewalSchedule.pause(failures: failures, first: first, retryAfter: nil, chance: 1)
        #expect(longer == .seconds(seconds) + .seconds(seconds) / 5)
    }

    @Test("a moment that is kept counts up to a week ahead; a later one is from a clock that was wrong")
    func earliest() {
        for seconds: Int64 in [-1_000_000_000, -1, 0, 1, 7 * 86_400] {
            #expect(RenewalSchedule.earliest(start + .seconds(seconds), now: start) == start + .seconds(seconds))
        }
        for seconds: Int64 in [7 * 86_400 + 1, 365 * 86_400] {
            #expect(RenewalSchedule.earliest(start + .seconds(seconds), now: start) == nil)
        }
        #expect(RenewalSchedule.earliest(Instant(microseconds: .max), now: start) == nil)
        #expect(RenewalSchedule.earliest(nil, now: start) == nil)
        let longest = RenewalSchedule.pause(
            failures: .max, first: .seconds(300), retryAfter: .seconds(1 << 31), chance: 1)
        #expect(RenewalSchedule.earliest(start + longest, now: start) == start + longest)
    }

    @Test("what the authority asks for is kept, up to a week")
    func asked() {
        func pause(_ asked: Duration) -> Duration {
            RenewalSchedule.pause(failures: 1, first: .seconds(300), retryAfter: asked, chance: 0)
        }
        #expect(pause(.seconds(3_600)) == .seconds(3_600))
        #expect(pause(.seconds(10)) == .seconds(300))
        #expect(pause(.seconds(100 * 86_400)) == .seconds(7 * 86_400))
    }
}
