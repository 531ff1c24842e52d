import Logging
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Testing

@Suite struct StoreConformanceTests {
    @Test(arguments: StoreConformance.all)
    func `the embedded store`(_ property: ConformanceCase) async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let store = try await EmbeddedStore.open(directory: directory, clock: clock, logger: .silent)
            do {
                try await property.run(on: StoreUnderTest(store: store, records: store, clock: clock))
                let report = await store.verify()
                #expect(report.faults == [])
            } catch {
                store.close()
                throw error
            }
            store.close()
        }
    }

    /// The same after the indexes and rows had to be read from disk: nothing is answered from a memory that hides a mistake.
    @Test(arguments: StoreConformance.all)
    func `the embedded store with an index cache of nothing`(_ property: ConformanceCase) async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            var options = StoreOptions()
            options.indexCacheBudget = 0
            options.spoolThreshold = 100
            options.segmentSize = 50_000
            let store = try await EmbeddedStore.open(
                directory: directory, options: options, clock: clock, logger: .silent)
            defer { store.close() }
            try await property.run(on: StoreUnderTest(store: store, records: store, clock: clock))
        }
    }

    @Test(arguments: StoreConformance.all)
    func `the in-memory store`(_ property: ConformanceCase) async throws {
        let clock = TestClock()
        let store = InMemoryStore(now: { clock.now() })
        try await property.run(on: StoreUnderTest(store: store, records: store, clock: clock))
    }
}
