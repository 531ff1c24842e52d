internal import MailStore
internal import MartletCore
internal import Records

extension StoreConformance {
    static let lanes: [ConformanceCase] = [
        ConformanceCase("due lanes come with the longest due first, without those that are excluded") { test in
            let now = test.now
            try expectEqual(try await test.due(), [])
            try expectEqual(try await test.store.nextDue(excluding: QueueExclusion()), nil)
            try await test.queue(1, to: "a@far.test", lane: "x", due: now + .seconds(-10))
            try await test.queue(2, to: "b@far.test", lane: "y", due: now + .seconds(-40))
            try await test.queue(3, to: "c@near.test", lane: "x", due: now + .seconds(-30))
            try await test.queue(4, to: "d@near.test", lane: "x", due: now + .seconds(-5))
            try await test.queue(5, to: "e@new.test", lane: "x", due: now + .seconds(7))
            try await test.queue(6, to: "e@newer.test", lane: "x", due: now + .seconds(9))
            try expectEqual(try await test.due(), ["far.test from y", "near.test from x", "far.test from x"])
            try expectEqual(try await test.due(limit: 2), ["far.test from y", "near.test from x"])
            try expectEqual(try await test.due(limit: 0), [])
            let lane = QueueLane(destination: "far.test", lane: "y")
            try expectEqual(
                try await test.due(excluding: QueueExclusion(lanes: [lane])), ["near.test from x", "far.test from x"])
            try expectEqual(
                try await test.due(excluding: QueueExclusion(destinations: ["far.test"]), limit: 1),
                ["near.test from x"])

            func next(_ lanes: [(String, String)] = [], _ destinations: Set<String> = []) async throws -> Duration? {
                let lanes = Set(lanes.map { QueueLane(destination: $0.0, lane: $0.1) })
                let exclusion = QueueExclusion(lanes: lanes, destinations: destinations)
                return try await test.store.nextDue(excluding: exclusion).map { $0 - now }
            }
            try expectEqual(try await next(), .seconds(-40))
            try expectEqual(try await next([("far.test", "y")]), .seconds(-30))
            try expectEqual(try await next([], ["far.test", "near.test"]), .seconds(7))
            try expectEqual(try await next([("new.test", "x")], ["far.test", "near.test"]), .seconds(9))
            try expectEqual(try await next([("newer.test", "x")], ["far.test", "near.test", "new.test"]), nil)
        },
        ConformanceCase("a lane becomes due when the first lease of it ends") { test in
            try await test.queue(1, to: "a@far.test")
            try await test.queue(2, to: "b@far.test", due: test.now + .seconds(90))
            _ = try await test.claim("far.test", lease: .seconds(60))
            try expectEqual(try await test.due(), [])
            try expectEqual(try await test.store.nextDue(excluding: QueueExclusion()), test.now + .seconds(60))
            test.clock.advance(by: .seconds(60))
            try expectEqual(try await test.due().count, 1)
            _ = try await test.claim("far.test", lease: .seconds(600))
            try expectEqual(try await test.store.nextDue(excluding: QueueExclusion()), test.now + .seconds(30))
        },
        ConformanceCase("nothing of a destination that is postponed becomes due, what comes later neither") { test in
            let code = try await test.queue(1, to: "a@far.test")
            try await test.queue(2, to: "b@far.test", lane: "other", due: test.now + .seconds(500))
            try await test.queue(3, to: "c@near.test")
            let until = test.now + .seconds(300)
            try await test.store.postpone(destination: "far.test", until: until)
            try expectEqual(try await test.due(), ["near.test from anna@example.test"])
            let exclusion = QueueExclusion(destinations: ["near.test"])
            try expectEqual(try await test.store.nextDue(excluding: exclusion), until)
            try await test.queue(4, to: "d@far.test")
            try await test.queue(5, to: "e@far.test", lane: "new")
            try expectEqual(try await test.due(excluding: exclusion), [])
            // A shorter one changes nothing, a longer one does.
            try await test.store.postpone(destination: "far.test", until: test.now + .seconds(10))
            try expectEqual(try await test.store.nextDue(excluding: exclusion), until)
            try await test.store.postpone(destination: "far.test", until: until + .seconds(60))
            test.clock.advance(by: .seconds(359))
            try expectEqual(try await test.due(excluding: exclusion), [])
            test.clock.advance(by: .seconds(1))
            try expectEqual(
                try await test.due(excluding: exclusion), ["far.test from anna@example.test", "far.test from new"])
            try expectEqual(try await test.claim("far.test").map(\.message.code).first, code)
            let other = QueueExclusion(
                lanes: [QueueLane(destination: "far.test", lane: "new")], destinations: ["near.test"])
            try expectEqual(try await test.store.nextDue(excluding: other), test.now + .seconds(140))
        },
        ConformanceCase("an administrator's retry passes over schedule and postponement") { test in
            let code = try await test.queue(1, to: "a@far.test", due: test.now + .seconds(900))
            try await test.queue(2, to: "b@far.test", lane: "other")
            try await test.store.postpone(destination: "far.test", until: test.now + .seconds(300))
            test.clock.advance(by: .seconds(1))
            try expectEqual(try await test.store.change(.retry, of: QueueQuery(code: code), now: test.now), 1)
            try expectEqual(try await test.due(), ["far.test from anna@example.test"])
            try expectEqual(try await test.claim("far.test").map(\.brief), [[1, 0]])
            // The next postponement holds again.
            try await test.settle(code, [(0, .returned(at: test.now))])
            try expectEqual(try await test.due().count, 1)
            try await test.store.postpone(destination: "far.test", until: test.now + .seconds(300))
            try expectEqual(try await test.due(), [])
        },
        ConformanceCase("a postponement says nothing of other destinations and of what is held") { test in
            let code = try await test.queue(1, to: "a@far.test")
            _ = try await test.store.change(.hold, of: QueueQuery(code: code), now: test.now)
            try await test.store.postpone(destination: "far.test", until: test.now + .seconds(300))
            try await test.store.postpone(destination: "unknown.test", until: test.now + .seconds(300))
            try expectEqual(try await test.store.nextDue(excluding: QueueExclusion()), nil)
            try await test.queue(2, to: "a@unknown.test")
            try expectEqual(try await test.due(), ["unknown.test from anna@example.test"])
        },
    ]

    static let queueAdministration: [ConformanceCase] = [
        ConformanceCase("what is held waits until it is released") { test in
            let code = try await test.queue(1, to: "a@far.test", "b@near.test")
            try await test.queue(2, to: "c@far.test")
            let held = try await test.store.change(.hold, of: QueueQuery(code: code), now: test.now)
            try expectEqual(held, 2)
            test.clock.advance(by: .seconds(900_000))
            try expectEqual(try await test.claim("far.test").map(\.brief), [[2, 0]])
            try expectEqual(try await test.store.nextDue(excluding: QueueExclusion(destinations: ["far.test"])), nil)
            try expectEqual(try await test.store.queued(QueueQuery(state: .held)).map(\.brief), [[1, 0, 1]])
            for change in [QueueChange.hold, .retry] {
                try expectEqual(try await test.store.change(change, of: QueueQuery(code: code), now: test.now), 0)
            }
            let released = try await test.store.change(
                .release, of: QueueQuery(code: code, destination: "NEAR.test"), now: test.now)
            try expectEqual(released, 1)
            try expectEqual(try await test.claim("near.test").map(\.brief), [[1, 1]])
            try expectEqual(try await test.store.queueStatistics().held, 1)
            try expectEqual(try await test.ledger(), [.accepted: 3, .queued: 3])
        },
        ConformanceCase("a change reaches all that match, whatever the limit, and leaves out what is leased") { test in
            for code in 1...7 as ClosedRange<UInt32> {
                try await test.queue(code, to: "a@far.test", "b@near.test", due: test.now + .seconds(60))
            }
            test.clock.advance(by: .seconds(60))
            _ = try await test.claim("far.test", messages: 2)
            let query = QueueQuery(destination: "far.test", limit: 1)
            try expectEqual(try await test.store.change(.hold, of: query, now: test.now), 5)
            try expectEqual(try await test.store.change(.release, of: query, now: test.now), 5)
            try expectEqual(try await test.store.change(.retry, of: QueueQuery(), now: test.now), 12)
        },
        ConformanceCase("what is asked of the queue must all hold, the oldest come first") { test in
            let first = try await test.queue(1, to: "a@far.test", "b@near.test")
            test.clock.advance(by: .seconds(1))
            var other = try test.recipient(0, "c@far.test", from: "bob@example.test")
            other.original = "alias@example.test"
            var none = try test.recipient(1, "d@far.test", from: nil)
            none.state = .held
            _ = try await test.store.deliver(try test.outbound(2, [other, none]))
            func ask(_ query: QueueQuery) async throws -> [[Int]] { try await test.store.queued(query).map(\.brief) }
            try expectEqual(try await ask(QueueQuery()), [[1, 0, 1], [2, 0, 1]])
            try expectEqual(try await ask(QueueQuery(limit: 1)), [[1, 0, 1]])
            try expectEqual(try await ask(QueueQuery(limit: 0)), [])
            try expectEqual(try await ask(QueueQuery(code: first)), [[1, 0, 1]])
            try expectEqual(try await ask(QueueQuery(destination: "Far.test")), [[1, 0], [2, 0, 1]])
            try expectEqual(try await ask(QueueQuery(destination: "far.test", limit: 1)), [[1, 0]])
            try expectEqual(try await ask(QueueQuery(address: "ALIAS@example.test")), [[2, 0]])
            try expectEqual(try await ask(QueueQuery(address: "anna@example.test")), [[1, 0, 1]])
            try expectEqual(try await ask(QueueQuery(address: "<>")), [[2, 1]])
            try expectEqual(try await ask(QueueQuery(address: "b@near.test", state: .waiting)), [[1, 1]])
            try expectEqual(try await ask(QueueQuery(state: .held)), [[2, 1]])
            try expectEqual(try await ask(QueueQuery(code: first, address: "c@far.test")), [])
            try expectEqual(try await ask(QueueQuery(code: LookupCode(at: test.now, counter: 99))), [])
        },
        ConformanceCase("a long queue is walked to its end") { test in
            for code in 1...450 as ClosedRange<UInt32> {
                try await test.queue(code, to: code % 50 == 0 ? "a@far.test" : "a@near.test")
            }
            let found = try await test.store.queued(QueueQuery(destination: "far.test"))
            try expectEqual(found.map { $0.brief[0] }, [50, 100, 150, 200, 250, 300, 350, 400, 450])
            try expectEqual(try await test.store.queued(QueueQuery(limit: 999)).count, 450)
            try expectEqual(try await test.store.change(.hold, of: QueueQuery(limit: 1), now: test.now), 450)
        },
        ConformanceCase("statistics count messages, recipients, what is held, and the largest destinations first") {
            test in
            let start = test.now
            try await test.queue(1, to: "a@far.test", "b@near.test")
            test.clock.advance(by: .seconds(10))
            let held = try await test.queue(2, to: "c@far.test", "d@far.test", lane: "other")
            try await test.queue(3, to: "e@held.test", lane: "other")
            _ = try await test.store.change(.hold, of: QueueQuery(code: held, address: "c@far.test"), now: test.now)
            _ = try await test.store.change(.hold, of: QueueQuery(destination: "held.test"), now: test.now)
            try await test.store.postpone(destination: "near.test", until: test.now + .seconds(50))
            try expectEqual(
                try await test.store.queueStatistics(),
                QueueStatistics(
                    messages: 3, recipients: 5, held: 2, oldest: start,
                    destinations: [
                        .init(destination: "far.test", recipients: 3, nextDue: start),
                        .init(destination: "held.test", recipients: 1, nextDue: nil),
                        .init(destination: "near.test", recipients: 1, nextDue: test.now + .seconds(50)),
                    ]))
        },
    ]
}
