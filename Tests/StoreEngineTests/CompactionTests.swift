import Foundation
import Logging
import MailStore
import MartletCore
import StoreConformance
import StoreEngine
import Testing

@Suite struct CompactionTests {
    private static let all = CompactionPolicy(deadShare: 0.01, minimumInPresentFile: 1, bytesPerSecond: nil)

    struct Opened {
        var store: EmbeddedStore
        var test: StoreUnderTest
        var clock: TestClock

        /// Lets expunged messages be forgotten, so that nothing names their octets.
        func forgetExpunged() async throws {
            clock.advance(by: .seconds(15 * 86_400))
            _ = try await store.housekeep()
        }
    }

    private func open(_ directory: String, segmentSize: Int64 = 20_000, layer: (any FileLayer)? = nil) throws -> Opened
    {
        let clock = TestClock()
        var options = StoreOptions()
        options.segmentSize = segmentSize
        options.spoolThreshold = 50_000
        let store = try EmbeddedStore.open(
            directory: directory, options: options, clock: clock, logger: .silent, layer: layer ?? PosixFileLayer())
        return Opened(store: store, test: StoreUnderTest(store: store, records: store, clock: clock), clock: clock)
    }

    private func text(_ number: Int, _ size: Int = 1_000) -> String {
        "message \(number) " + String(repeating: "\(number % 10)", count: size)
    }

    private func size(of directory: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: directory + "/blobs").reduce(0) {
            $0 + (try FileManager.default.attributesOfItem(atPath: "\(directory)/blobs/\($1)")[.size] as? Int ?? 0)
        }
    }

    @Test func `octets that nobody names are given back, and all others stay readable`() async throws {
        try await withTemporaryDirectory { directory in
            var opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            for start in stride(from: 1, through: 200, by: 20) {
                try await opened.test.append((start..<start + 20).map { text($0) }, to: inbox)
            }
            let gone = (1...200).filter { $0 % 3 != 0 }
            _ = try await opened.store.remove(in: inbox, uids: gone.map { UInt32($0) })
            try await opened.forgetExpunged()
            let before = try size(of: directory)
            let report = try await opened.store.compact(CompactionTests.all)
            #expect(report.faults == [])
            #expect(report.forgottenBlobs == gone.count)
            #expect(report.movedBlobs == 66)
            #expect(report.removedFiles >= 9)
            #expect(report.freedBytes == Int64(before - (try size(of: directory))))
            #expect(report.freedBytes > 130_000)
            for _ in 0..<2 {
                let found = await opened.store.verify()
                #expect(found.faults == [])
                #expect(found.blobs == 66)
                #expect(found.unreferencedBlobs == 0)
                for number in stride(from: 3, through: 198, by: 3) {
                    #expect(try await opened.test.text(of: UInt32(number), in: inbox) == text(number))
                }
                opened.store.close()
                opened = try open(directory)
            }
            // Nothing is left to do.
            #expect(try await opened.store.compact(CompactionTests.all).removedFiles == 0)
            opened.store.close()
        }
    }

    @Test func `numbers of files are not used again, also when all was forgotten`() async throws {
        try await withTemporaryDirectory { directory in
            var opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...50).map { text($0) }, to: inbox)
            _ = try await opened.store.remove(in: inbox, uids: Array(1...50))
            try await opened.forgetExpunged()
            let last = try #require(try FileManager.default.contentsOfDirectory(atPath: directory + "/blobs").max())
            _ = try await opened.store.compact(CompactionTests.all)
            #expect(try size(of: directory) == 0)
            opened.store.close()
            opened = try open(directory)
            try await opened.test.append(["new"], to: inbox)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory + "/blobs")
            #expect(files.allSatisfy { $0 > last })
            #expect(try await opened.test.text(of: 51, in: inbox) == "new")
            opened.store.close()
        }
    }

    @Test func `a message that is being read is read to its end though its file is removed`() async throws {
        try await withTemporaryDirectory { directory in
            let opened = try open(directory, segmentSize: 1_000_000)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            let large = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            _ = try await opened.store.append([try opened.test.message(bytes: large)], to: inbox)
            try await opened.test.append((1...500).map { text($0) }, to: inbox)
            _ = try await opened.store.remove(in: inbox, uids: Array(2...501))
            try await opened.forgetExpunged()
            let reader = try await opened.store.message(in: inbox, uid: 1)
            #expect(try await reader.read(0..<100) == Array(large[0..<100]))
            let report = try await opened.store.compact(CompactionTests.all)
            #expect(report.removedFiles == 1)
            #expect(report.movedBlobs == 1)
            #expect(try await reader.read(300_000..<400_000) == Array(large[300_000...]))
            #expect(try await opened.store.message(in: inbox, uid: 1).readAll() == large)
            opened.store.close()
        }
    }

    @Test func `mail goes on meanwhile, also of octets that are being forgotten`() async throws {
        try await withTemporaryDirectory { directory in
            let opened = try open(directory)
            let (store, test) = (opened.store, opened.test)
            let account = try await test.makeAccount()
            let inbox = try await test.inbox(of: account)
            for round in 0..<12 {
                let texts = (0..<40).map { text($0) }
                try await test.append(texts, to: inbox)
                let uids = try await store.index(of: inbox).uids
                _ = try await store.remove(in: inbox, uids: uids)
                try await opened.forgetExpunged()
                async let compaction = store.compact(CompactionTests.all)
                var added: [(UInt32, String)] = []
                for number in (0..<40).shuffled().prefix(10 + round) {
                    added.append((try await test.append([text(number)], to: inbox)[0], text(number)))
                }
                _ = try await compaction
                for (uid, text) in added { #expect(try await test.text(of: uid, in: inbox) == text) }
                #expect(await store.verify().faults == [])
            }
            store.close()
        }
    }

    @Test func `octets that are damaged keep their file, and are told`() async throws {
        try await withTemporaryDirectory { directory in
            var opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...15).map { text($0) }, to: inbox)
            opened.store.close()
            let path = directory + "/blobs/000001.seg"
            let handle = try #require(FileHandle(forUpdatingAtPath: path))
            try handle.seek(toOffset: 500)
            try handle.write(contentsOf: Data([0xEE, 0xEE]))
            try handle.close()
            opened = try open(directory)
            _ = try await opened.store.remove(in: inbox, uids: Array(10...15))
            try await opened.forgetExpunged()
            let report = try await opened.store.compact(CompactionTests.all)
            #expect(report.faultCount == 1)
            #expect(report.removedFiles == 0)
            #expect(FileManager.default.fileExists(atPath: path))
            #expect(await opened.store.verify().faultCount == 1)
            for number in 2...9 {
                #expect(try await opened.test.text(of: UInt32(number), in: inbox) == text(number))
            }
            opened.store.close()
        }
    }

    @Test func `a counter that is wrong costs no message`() async throws {
        try await withTemporaryDirectory { directory in
            let opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...30).map { text($0) }, to: inbox)
            try await opened.store.execute("UPDATE blobs SET refs = 0")
            let report = try await opened.store.compact(CompactionTests.all)
            #expect(report.forgottenBlobs == 0)
            #expect(report.faultCount == 1)
            for number in 1...30 { #expect(try await opened.test.text(of: UInt32(number), in: inbox) == text(number)) }
            opened.store.close()
        }
    }

    @Test func `files stay while somebody copies, and go when he has done`() async throws {
        try await withTemporaryDirectory { directory in
            let opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...50).map { text($0) }, to: inbox)
            _ = try await opened.store.remove(in: inbox, uids: Array(1...50))
            try await opened.forgetExpunged()
            opened.store.holdSegments(for: 7, patience: .seconds(60))
            await #expect(throws: StoreError.self) { _ = try await opened.store.compact(CompactionTests.all) }
            #expect(try size(of: directory) > 50_000)
            opened.store.releaseSegments(of: 7)
            _ = try await opened.store.compact(CompactionTests.all)
            #expect(try size(of: directory) == 0)
            // Who says nothing any more is not waited for.
            opened.store.holdSegments(for: 8, patience: .zero)
            _ = try await opened.store.compact(CompactionTests.all)
            opened.store.close()
        }
    }

    @Test func `a file whose row went before a crash goes when the store opens, and one that rows name stays`()
        async throws
    {
        try await withTemporaryDirectory { directory in
            var opened = try open(directory)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...60).map { text($0) }, to: inbox)
            try await opened.store.execute("DELETE FROM segments WHERE segment = 2")
            opened.store.close()
            let orphan = directory + "/blobs/000000.seg"
            _ = FileManager.default.createFile(atPath: orphan, contents: Data(repeating: 1, count: 1_000))
            opened = try open(directory)
            #expect(!FileManager.default.fileExists(atPath: orphan))
            #expect(FileManager.default.fileExists(atPath: directory + "/blobs/000002.seg"))
            for number in 1...60 { #expect(try await opened.test.text(of: UInt32(number), in: inbox) == text(number)) }
            opened.store.close()
        }
    }

    @Test(arguments: FaultTests.faults)
    func `a disk that fails under a compaction loses nothing`(
        writes: FaultyFiles.Fault?, syncs: FaultyFiles.Fault?, room: Int
    ) async throws {
        try await withTemporaryDirectory { directory in
            let files = FaultyFiles()
            var opened = try open(directory, layer: files)
            let inbox = try await opened.test.inbox(of: try await opened.test.makeAccount())
            try await opened.test.append((1...60).map { text($0) }, to: inbox)
            _ = try await opened.store.remove(in: inbox, uids: Array(1...30))
            try await opened.forgetExpunged()
            files.fail(writes: writes, syncs: syncs, room: room)
            await expectUnavailable { _ = try await opened.store.compact(CompactionTests.all) }
            files.fail()
            for layer in [files, files.losingPower(seed: 5)] {
                for number in 31...60 {
                    #expect(try await opened.test.text(of: UInt32(number), in: inbox) == text(number))
                }
                #expect(await opened.store.verify().faults == [])
                opened.store.close()
                opened = try open(directory, layer: layer)
            }
            #expect(try await opened.store.compact(CompactionTests.all).removedFiles > 0)
            #expect(await opened.store.verify().faults == [])
            opened.store.close()
        }
    }

    private func expectUnavailable(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("the call did not fail")
        } catch StoreError.unavailable {
        } catch {
            Issue.record("\(error) instead of unavailable")
        }
    }
}
