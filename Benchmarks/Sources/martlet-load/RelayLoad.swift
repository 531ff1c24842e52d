import Glibc

/// Sends messages for five other domains by SMTP over some sessions at once, and waits until the sinks, which run in this
/// process, have taken all of them. With `--dead D` they are for D domains that nobody serves, and stay in the queue.
struct RelayLoad: Sendable {
    static let sinks = 5
    private static let patienceSeconds = 300.0

    let options: Options

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let dead = options.integer("dead", 0)
        let sessions = options.integer("sessions", 20)
        let messages = options.integer("messages", 2000)
        let sinks: Sinks?
        if dead == 0 {
            let first = options.port("sink-port")
            sinks = Sinks(ports: first..<first + UInt16(Self.sinks))
        } else {
            sinks = nil
        }
        let sample = SampleMessage(
            size: options.integer("size", 4096), salt: options.integer("salt", Int(getpid())), from: options.user(1))

        gate.pass("ready")
        let cpu = ownCPU()
        let begin = now()
        var tally = onThreads(sessions) { session in
            var tally = Tally()
            do throws(LoadError) {
                let socket = try LineSocket(port: port)
                try expect(socket, "220")
                try socket.write("EHLO load.outside.test\r\n")
                try expect(socket, "250")
                if options.has("login") {
                    try socket.write("AUTH PLAIN \(plainResponse)\r\n")
                    try expect(socket, "235")
                }
                for number in stride(from: session, to: messages, by: sessions) {
                    let begun = now()
                    let domain = dead == 0 ? "sink\(number % Self.sinks + 1).test" : "d\(number % dead).dead.test"
                    let recipient = "charles\(number)@\(domain)"
                    try send(sample, number, from: options.user(1), to: recipient, by: socket)
                    tally.add(.message, since: begun)
                }
                try socket.write("QUIT\r\n")
                try expect(socket, "221")
            } catch {
                tally.fail(error.text)
            }
            return tally
        }
        let acknowledged = seconds(since: begin)
        guard let sinks else {
            gate.pass("done")
            return tally.fields(seconds: acknowledged)
        }
        while sinks.count < messages, tally.errors == 0 {
            if seconds(since: begin) > Self.patienceSeconds { tally.fail("only \(sinks.count) of \(messages) messages came to the sinks") }
            usleep(2_000)
        }
        let relayed = Double(sinks.lastTaken &- begin) / 1e9
        let used = ownCPU() - cpu
        gate.pass("done")
        // What comes behind the last is doubled.
        if sinks.count > messages { tally.fail("\(sinks.count - messages) messages came to the sinks twice") }
        return tally.fields(seconds: acknowledged) + [
            ("relayedSeconds", .number(relayed)), ("relayedRate", .number(Double(messages) / relayed)), ("generatorCPU", .number(used)),
        ]
    }

    /// RFC 4616, in base 64.
    private var plainResponse: String {
        base64(Array("\0\(options.user(1))\0\(options.string("password", "secret"))".utf8))
    }
}

private func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        for place in 0..<4 { text.append(place <= group.count ? digits[value >> (18 - 6 * place) & 63] : "=") }
    }
    return text
}
