import Glibc

/// POP3 sessions as a polling client makes them: login, UIDL, ten RETR, QUIT.
struct POP3Load: Sendable {
    let options: Options
    static let retrievals = 10

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let sessions = options.integer("sessions", 10)
        let users = options.integer("users", 100)
        let duration = UInt64(options.integer("seconds", 10)) * 1_000_000_000
        let password = options.string("password", "secret")
        let options = self.options
        gate.pass("ready")
        let cpu = ownCPU()
        let begin = now()
        let tally = onThreads(sessions) { session in
            var tally = Tally()
            var user = session
            do throws(LoadError) {
                repeat {
                    let begun = now()
                    let socket = try LineSocket(port: port)
                    try expectOK(socket)
                    try socket.write("USER \(options.user(user % users + 1))\r\n")
                    try expectOK(socket)
                    try socket.write("PASS \(password)\r\n")
                    try expectOK(socket)
                    try socket.write("UIDL\r\n")
                    try expectOK(socket)
                    guard try lines(socket) >= Self.retrievals else { throw LoadError("UIDL named too few messages") }
                    for message in 1...Self.retrievals {
                        try socket.write("RETR \(message)\r\n")
                        try expectOK(socket)
                        guard try lines(socket) > 5 else { throw LoadError("RETR gave an empty message") }
                    }
                    try socket.write("QUIT\r\n")
                    try expectOK(socket)
                    tally.add(.session, since: begun)
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
}

private func expectOK(_ socket: LineSocket) throws(LoadError) {
    let line = try socket.readLine()
    guard line.hasPrefix("+OK") else { throw LoadError("expected +OK, got: \(line.text)") }
}

/// Reads a multi-line answer up to its dot and says how many lines it had.
private func lines(_ socket: LineSocket) throws(LoadError) -> Int {
    var count = 0
    while true {
        let line = try socket.readLine()
        if line.count == 1, line[0] == UInt8(ascii: ".") { return count }
        count += 1
    }
}
