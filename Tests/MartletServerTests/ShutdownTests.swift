import MartletServer
import Testing

@Suite("Shutdown")
struct ShutdownTests {
    @Test("The watchdog ends what hangs after the sessions' patience, from a thread of its own")
    func watchdog() async {
        let began = ContinuousClock.now
        await withCheckedContinuation { continuation in
            ShutdownWatchdog.start(patience: .milliseconds(20), margin: .milliseconds(10)) { continuation.resume() }
        }
        #expect(ContinuousClock.now - began >= .milliseconds(30))
    }
}
