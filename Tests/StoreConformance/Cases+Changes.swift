internal import MailStore
internal import MartletCore
internal import Synchronization

/// Collects from closures that may run anywhere.
final class Collected: Sendable {
    private let state: Mutex<(uids: [UInt32], calls: Int)> = Mutex(([], 0))
    private let limit: Int
    init(limit: Int = .max) { self.limit = limit }
    func add(_ uids: [UInt32]) -> Bool {
        state.withLock { state in
            state.uids += uids
            state.calls += 1
            return state.calls < limit
        }
    }
    var uids: [UInt32] { state.withLock { $0.uids } }
    var calls: Int { state.withLock { $0.calls } }
}

/// A small generator (SplitMix64): the same seed gives the same run on every machine.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

extension StoreConformance {
    static let changes: [ConformanceCase] = [
        ConformanceCase("changes tell what is new, what has other flags and what is gone") { test in
            let key = try await test.inbox(of: try await test.makeAccount())
            try await test.append(["a", "b", "c"], to: key)
            let then = try await test.store.mailbox(key)
            var changes = try await test.store.changes(in: key, since: then.highestModSeq, knownUIDNext: then.uidNext)
            try expect(
                changes.added.isEmpty && changes.changed.isEmpty && changes.vanished.isEmpty,
                "changes where there are none")
            _ = try await test.store.changeFlags(
                in: key, uids: [1, 2], .add(NamedFlags(system: .seen, keywords: ["K"])), unchangedSince: nil)
            _ = try await test.store.remove(in: key, uids: [2])
            try await test.append(["d", "e"], to: key)
            _ = try await test.store.remove(in: key, uids: [5])
            changes = try await test.store.changes(in: key, since: then.highestModSeq, knownUIDNext: then.uidNext)
            try expectEqual(changes.added.map(\.uid), [4])
            try expectEqual(changes.changed.map(\.uid), [1])
            try expectEqual(changes.changed.first?.flags, [.seen, .keyword(0)])
            try expect(
                Set(changes.vanished).isSuperset(of: [2]) && Set(changes.vanished).isSubset(of: [2, 5]),
                "\(changes.vanished)")
            try expectEqual(changes.keywords, ["K"])
            try expectEqual(changes.messages, 3)
            try expectEqual(changes.uidNext, 6)
            try expectEqual(changes.highestModSeq, try await test.store.mailbox(key).highestModSeq)
        },
        ConformanceCase("a session that follows the changes has the mailbox's index, whatever happens (100 seeds)") {
            test in
            for seed in 1...100 as ClosedRange<UInt64> {
                do {
                    try await followChanges(test, seed: seed)
                } catch {
                    throw ConformanceFailure(description: "seed \(seed): \(error)")
                }
            }
        },
        ConformanceCase("a watcher is told of each kind of change, and not after it is cancelled") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            let other = try await test.store.mailbox(named: "Sent", of: account).key
            let calls = Collected()
            let watch = test.store.watch(key) { _ = calls.add([]) }
            var expected = 0
            func check(_ what: String) throws {
                try expect(calls.calls > expected, "no notice of \(what)")
                expected = calls.calls
            }
            try await test.append(["a", "b"], to: key)
            try check("an append")
            try expectEqual(test.store.currentModSeq(of: key), try await test.store.mailbox(key).highestModSeq)
            _ = try await test.store.changeFlags(
                in: key, uids: [1], .add(NamedFlags(system: .seen)), unchangedSince: nil)
            try check("flags")
            try await test.append(["c"], to: other)
            _ = try await test.store.copy(from: other, uids: [1], to: key)
            try check("a copy")
            _ = try await test.store.move(from: key, uids: [1], to: other)
            try check("a move")
            _ = try await test.store.remove(in: key, uids: [2])
            try check("a removal")
            _ = try await test.store.deliver(try test.accepted("d", to: [(account, "INBOX")]))
            try check("a delivery")
            try expectEqual(test.store.currentModSeq(of: key), try await test.store.mailbox(key).highestModSeq)
            watch.cancel()
            expected = calls.calls
            try await test.append(["e"], to: key)
            try expectEqual(calls.calls, expected)
        },
        ConformanceCase("many writers at once: each message has a UID of its own and none is lost") { test in
            let account = try await test.makeAccount()
            let key = try await test.inbox(of: account)
            let uids = Collected()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<16 {
                    group.addTask {
                        for number in 0..<20 {
                            let appended = try await test.append(["writer \(writer) number \(number)"], to: key)
                            _ = uids.add(appended)
                            _ = try await test.store.changeFlags(
                                in: key, uids: appended, .add(NamedFlags(system: .seen)), unchangedSince: nil)
                            let text = try await test.text(of: appended[0], in: key)
                            try expectEqual(text, "writer \(writer) number \(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            try expectEqual(uids.uids.sorted(), (1...320).map { UInt32($0) })
            try expectEqual(try await test.store.mailbox(key).unseen, 0)
            try await test.checkInvariants(of: key)
        },
    ]

    private static func followChanges(_ test: StoreUnderTest, seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let account = try await test.makeAccount("follower\(seed)")
        let key = try await test.inbox(of: account)
        let other = try await test.store.mailbox(named: "Archive", of: account).key
        // Half of the runs watch with a loaded index, half come back to a mailbox that nobody looked at.
        var known = try await test.store.index(of: key)
        let watch = seed % 2 == 0 ? test.store.watch(key) {} : nil
        defer { watch?.cancel() }
        for step in 0..<30 {
            let uids = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                UInt32.random(in: 1...max(2, known.uidNext), using: &random)
            }
            let flags = NamedFlags(
                system: Flags(rawValue: UInt64.random(in: 0..<32, using: &random)),
                keywords: Bool.random(using: &random) ? ["K\(step % 5)"] : [])
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                try await test.append(
                    (0..<Int.random(in: 1...3, using: &random)).map { "\(step) \($0)" }, to: key, flags: flags)
            case 2: _ = try await test.store.changeFlags(in: key, uids: uids, .add(flags), unchangedSince: nil)
            case 3: _ = try await test.store.changeFlags(in: key, uids: uids, .replace(flags), unchangedSince: nil)
            case 4: _ = try await test.store.remove(in: key, uids: uids)
            case 5: _ = try await test.store.copy(from: key, uids: uids, to: Bool.random(using: &random) ? key : other)
            case 6: _ = try await test.store.move(from: key, uids: uids, to: Bool.random(using: &random) ? key : other)
            default: _ = try await test.store.expunge(in: key, uids: nil)
            }
            guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
            let changes = try await test.store.changes(in: key, since: known.highestModSeq, knownUIDNext: known.uidNext)
            apply(changes, to: &known)
            let index = try await test.store.index(of: key)
            try expectEqual(known.uids, index.uids)
            try expectEqual(known.flags, index.flags)
            try expectEqual(known.modSeqs, index.modSeqs)
            try expectEqual(known.sizes, index.sizes)
            try expectEqual(known.keywords, index.keywords)
            try expectEqual(changes.messages, index.count)
            try await test.checkInvariants(of: key)
            try await test.checkInvariants(of: other)
        }
    }

    private static func apply(_ changes: MailboxChanges, to known: inout MailboxIndex) {
        let gone = Set(changes.vanished)
        var entries: [UInt32: MessageEntry] = [:]
        for position in 0..<known.count where !gone.contains(known.uids[position]) {
            entries[known.uids[position]] = known[position]
        }
        for entry in changes.changed + changes.added { entries[entry.uid] = entry }
        let sorted = entries.values.sorted { $0.uid < $1.uid }
        known = MailboxIndex(
            uids: sorted.map(\.uid), flags: sorted.map(\.flags.rawValue), modSeqs: sorted.map(\.modSeq.value),
            internalDates: sorted.map(\.internalDate.microseconds), sizes: sorted.map { UInt32($0.size) },
            uidNext: changes.uidNext,
            highestModSeq: changes.highestModSeq, keywords: changes.keywords)
    }
}
