import Dispatch
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Testing

@Suite struct StoreObservationTests {
    @Test func `a look at ledger and queue does not wait for maintenance`() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            let test = StoreUnderTest(store: store, records: store, clock: clock)
            try await test.queue(1, to: "a@far.test", "b@near.test")
            let seen = DispatchSemaphore(value: 0)
            let (beginnings, beginning) = AsyncStream<Void>.makeStream()
            // As verification does for minutes.
            let maintenance = Task {
                try await store.holdMaintenance {
                    beginning.finish()
                    return seen.wait(timeout: .now() + .seconds(20)) == .success
                }
            }
            for await _ in beginnings {}
            let observation = try await store.observe()
            seen.signal()
            #expect(try await maintenance.value)
            #expect(observation.queuedMessages == 1)
            #expect(observation.queuedRecipients == 2)
            #expect(observation.drift == 0)
            store.close()
            await #expect(throws: StoreError.closed) { try await store.observe() }
        }
    }
}
