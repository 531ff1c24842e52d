import Glibc

/// The IMAP mix: the same twenty commands, in short sessions (a login for each twenty) or long ones (a login for 2,000).
///
/// Sessions share no mailbox: session k uses users k, k + sessions, … in turn. Each mailbox holds at least `minimumMessages`
/// with UIDs from 1; what a turn appends it also expunges, so that mailboxes stay as they are.
struct IMAPLoad: Sendable {
    let options: Options
    /// Turns of twenty commands after a login.
    let turns: Int

    static let minimumMessages = 100

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let sessions = options.integer("sessions", 20)
        let users = options.integer("users", 100)
        let duration = UInt64(options.integer("seconds", 10)) * 1_000_000_000
        let password = options.string("password", "secret")
        let sample = SampleMessage(size: options.integer("size", 4096), salt: Int(getpid()))
        let turns = self.turns
        let options = self.options
        gate.pass("ready")
        let cpu = ownCPU()
        let begin = now()
        let tally = onThreads(sessions) { session in
            var tally = Tally()
            var random = UInt64(session) &* 7_919 &+ 17
            var user = session
            // Never the same twice, over all logins: no store may fold two appended messages into one.
            var number = session * 100_000_000
            do throws(LoadError) {
                repeat {
                    var begun = now()
                    let connection = try IMAPConnection(port: port)
                    try connection.login(user: options.user(user % users + 1), password: password)
                    tally.add(.login, since: begun)
                    begun = now()
                    guard let exists = try connection.command("SELECT INBOX").exists, exists >= Self.minimumMessages else {
                        throw LoadError("the mailbox of user \(user % users + 1) has fewer than \(Self.minimumMessages) messages")
                    }
                    tally.add(.select, since: begun)
                    for _ in 0..<turns {
                        try twentyCommands(connection, &random, sample, number: number, &tally)
                        number += 1
                        if now() &- begin > duration, turns > 1 { break }
                    }
                    begun = now()
                    try connection.command("LOGOUT")
                    tally.add(.logout, since: begun)
                    user += sessions
                } while now() &- begin < duration
            } catch {
                tally.fail(error.text)
            }
            return tally
        }
        let elapsed = seconds(since: begin)
        let used = ownCPU() - cpu
        gate.pass("done")
        return tally.fields(seconds: elapsed) + [("generatorCPU", .number(used))]
    }

    /// Twenty commands on messages chosen by `random`.
    private func twentyCommands(
        _ connection: IMAPConnection, _ random: inout UInt64, _ sample: SampleMessage, number: Int, _ tally: inout Tally
    ) throws(LoadError) {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let uid = Int(random >> 33) % (Self.minimumMessages - 20) + 1
        for half in 0..<2 {
            var begun = now()
            try require(connection.command("UID FETCH \(uid):\(uid + 19) (FLAGS)").fetches, 20)
            tally.add(.fetchFlags, since: begun)

            begun = now()
            try require(connection.command("UID FETCH \(uid):\(uid + 9) (UID ENVELOPE RFC822.SIZE INTERNALDATE FLAGS)").fetches, 10)
            tally.add(.fetchEnvelope, since: begun)

            begun = now()
            try require(connection.command("UID FETCH \(uid) (BODY.PEEK[])").literals, 1)
            tally.add(.fetchBody, since: begun)

            begun = now()
            // A server may leave out the FETCH when nothing changed.
            try connection.command("UID STORE \(uid) \(half == 0 ? "+" : "-")FLAGS (\\Flagged)")
            tally.add(.store, since: begun)

            begun = now()
            var append = Array("APPEND INBOX (\\Seen) {\(sample.size)+}\r\n".utf8)
            sample.write(number: number * 2 + half, to: &append)
            guard let appended = try connection.command(bytes: append).appendedUID else { throw LoadError("APPEND without APPENDUID") }
            tally.add(.append, since: begun)

            begun = now()
            try require(connection.command("UID SEARCH UNSEEN FLAGGED").searchLines, 1)
            tally.add(.search, since: begun)

            begun = now()
            try connection.command("STATUS Archive (MESSAGES UNSEEN UIDNEXT)")
            tally.add(.status, since: begun)

            begun = now()
            try connection.idle()
            tally.add(.idle, since: begun)

            begun = now()
            try connection.command("UID STORE \(appended) +FLAGS.SILENT (\\Deleted)")
            tally.add(.store, since: begun)

            begun = now()
            try connection.command("UID EXPUNGE \(appended)")
            tally.add(.expunge, since: begun)
        }
    }

    private func require(_ count: Int, _ expected: Int) throws(LoadError) {
        guard count == expected else { throw LoadError("an answer held \(count) items instead of \(expected)") }
    }
}

/// Brings each mailbox to a number of messages by APPEND (MULTIAPPEND, pipelined by what fits in one command) and makes Archive.
struct IMAPFill: Sendable {
    let options: Options

    private static let messagesPerCommand = 500

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let first = options.integer("first", 1)
        let last = options.integer("last", options.integer("users", 100))
        let wanted = options.integer("messages", IMAPLoad.minimumMessages)
        let sessions = min(options.integer("sessions", 4), last - first + 1)
        let sample = SampleMessage(size: options.integer("size", 4096), salt: 0)
        let options = self.options
        let begin = now()
        let tally = onThreads(sessions) { session in
            var tally = Tally()
            do throws(LoadError) {
                for user in stride(from: first + session, through: last, by: sessions) {
                    let connection = try IMAPConnection(port: port)
                    try connection.login(user: options.user(user), password: options.string("password", "secret"))
                    // An account that has its special folders already says NO here.
                    _ = try? connection.command("CREATE Archive")
                    var count = try connection.messages(in: "INBOX")
                    while count < wanted {
                        let batch = min(Self.messagesPerCommand, wanted - count)
                        var command = Array("APPEND INBOX".utf8)
                        command.reserveCapacity(batch * (sample.size + 40))
                        for number in count..<count + batch {
                            command += Array(" () \"23-Nov-2026 10:00:00 +0000\" {\(sample.size)+}\r\n".utf8)
                            sample.write(number: SampleMessage.number(number, of: user), to: &command)
                        }
                        let begun = now()
                        _ = try connection.command(bytes: command)
                        tally.add(.append, since: begun)
                        count += batch
                    }
                    try connection.command("LOGOUT")
                }
            } catch {
                tally.fail(error.text)
            }
            return tally
        }
        return tally.fields(seconds: seconds(since: begin))
    }
}
