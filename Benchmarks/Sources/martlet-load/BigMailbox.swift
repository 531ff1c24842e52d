import Glibc

/// What a mailbox of a million messages costs, beside one of a hundred: median milliseconds of several warm runs.
struct BigMailbox: Sendable {
    let options: Options

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let password = options.string("password", "secret")
        let userNumber = options.integer("user", 1)
        let user = options.user(userNumber)
        let repeats = options.integer("repeats", 5)
        var fields: [(String, JSON)] = []
        gate.pass("ready")
        let cpu = ownCPU()
        do throws(LoadError) {
            let connection = try IMAPConnection(port: port)
            try connection.login(user: user, password: password)
            // STATUS is asked from outside the mailbox, by a session that has nothing selected.
            fields += [("statusFirst", .number(try time { () throws(LoadError) in _ = try connection.messages(in: "INBOX") }))]
            fields += [
                ("status", .number(try median(repeats * 4) { () throws(LoadError) in _ = try connection.messages(in: "INBOX") }))
            ]
            var exists = 0
            fields += [
                (
                    "selectFirst",
                    .number(try time { () throws(LoadError) in exists = try connection.command("SELECT INBOX").exists ?? 0 })
                )
            ]
            var selects: [UInt64] = []
            for _ in 0..<repeats * 4 {
                try connection.command("UNSELECT")
                let begin = now()
                try connection.command("SELECT INBOX")
                selects.append(now() &- begin)
            }
            fields += [("select", .number(percentile(selects.sorted(), 0.5))), ("messages", .integer(exists))]
            let from = max(1, exists - 49)
            let expected = min(50, exists)
            for (name, command, count) in [
                ("fetchFlags", "UID FETCH 1:* (FLAGS)", exists),
                ("fetchEnvelope", "FETCH \(from):* (ENVELOPE)", expected),
            ] {
                let work = { () throws(LoadError) in
                    let answer = try connection.command(command)
                    guard answer.fetches == count else { throw LoadError("\(command) gave \(answer.fetches) of \(count)") }
                }
                fields += [(name + "First", .number(try time(work)))]
                fields += [(name, .number(try median(repeats, work)))]
            }
            var hits = 0
            let digits = String(SampleMessage.number(42, of: userNumber))
            let wanted = String(repeating: "0", count: max(0, 10 - digits.count)) + digits
            let search = { () throws(LoadError) in
                hits = try connection.command("UID SEARCH SUBJECT \"number \(wanted)\"").searchHits
                guard hits == 1 else { throw LoadError("SEARCH SUBJECT found \(hits) instead of 1") }
            }
            fields += [("searchFirst", .number(try time(search)))]
            fields += [("search", .number(try median(repeats, search)))]
            try connection.command("LOGOUT")
            fields += [("errors", .integer(0))]
        } catch {
            fields += [("errors", .integer(1)), ("firstError", .string(error.text))]
        }
        let used = ownCPU() - cpu
        gate.pass("done")
        return fields + [("generatorCPU", .number(used))]
    }

    private func time(_ work: () throws(LoadError) -> Void) throws(LoadError) -> Double {
        let begin = now()
        try work()
        return Double(now() &- begin) / 1e6
    }

    private func median(_ count: Int, _ work: () throws(LoadError) -> Void) throws(LoadError) -> Double {
        var times: [Double] = []
        for _ in 0..<max(1, count) { times.append(try time(work)) }
        return times.sorted()[times.count / 2]
    }
}
