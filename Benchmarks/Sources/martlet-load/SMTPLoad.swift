import Glibc

/// Sends messages by SMTP over some sessions at once and waits until all can be seen by IMAP.
///
/// MAIL, RCPT and DATA go in one write (PIPELINING), then the message in one: two turns a message, as a good relay does it.
struct SMTPLoad: Sendable {
    let options: Options

    func run(gate: Gate) -> [(String, JSON)] {
        let port = options.port("port")
        let sessions = options.integer("sessions", 20)
        let messages = options.integer("messages", 2000)
        let users = options.integer("users", 100)
        let domain = options.string("domain", "example.test")
        let sample = SampleMessage(size: options.integer("size", 4096), salt: options.integer("salt", Int(getpid())))

        var watch: MailboxWatch?
        if options.has("imap-port") {
            do throws(LoadError) {
                watch = try MailboxWatch(options: options, users: users)
            } catch {
                return failure("before the start: \(error.text)")
            }
        }

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
                for number in stride(from: session, to: messages, by: sessions) {
                    let begun = now()
                    let recipient = "\(userName(number % users + 1))@\(domain)"
                    try send(sample, number, from: "ada@outside.test", to: recipient, by: socket)
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
        var extra: [(String, JSON)] = []
        if let watch, tally.errors == 0 {
            do throws(LoadError) {
                try watch.wait(messages: messages, users: users)
                let visible = seconds(since: begin)
                extra = [("visibleSeconds", .number(visible)), ("visibleRate", .number(Double(messages) / visible))]
            } catch {
                tally.fail("waiting for the mailboxes: \(error.text)")
            }
        }
        let used = ownCPU() - cpu
        gate.pass("done")
        return tally.fields(seconds: acknowledged) + extra + [("generatorCPU", .number(used))]
    }
}

func failure(_ text: String) -> [(String, JSON)] {
    var tally = Tally()
    tally.fail(text)
    return tally.fields(seconds: 0)
}

/// One transaction: the envelope in one write (PIPELINING), then the message in one.
func send(
    _ sample: SampleMessage, _ number: Int, from sender: String, to recipient: String, by socket: LineSocket
) throws(LoadError) {
    try socket.write("MAIL FROM:<\(sender)>\r\nRCPT TO:<\(recipient)>\r\nDATA\r\n")
    try expect(socket, "250")
    try expect(socket, "250")
    try expect(socket, "354")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(sample.size + 8)
    sample.write(number: number, to: &bytes)
    bytes += [46, 13, 10]
    try socket.write(bytes)
    try expect(socket, "250")
}

/// Reads a reply of any number of lines; another code than `code` is an error.
func expect(_ socket: LineSocket, _ code: StaticString) throws(LoadError) {
    while true {
        let line = try socket.readLine()
        guard line.hasPrefix(code) else { throw LoadError("expected \(code), got: \(line.text)") }
        if line.count < 4 || line[3] != UInt8(ascii: "-") { return }
    }
}

/// One IMAP connection a mailbox, logged in before the clock starts; afterwards STATUS goes through the mailboxes in turn and
/// stays at each until its messages are there. The polling so costs either server about one STATUS a mailbox.
private struct MailboxWatch {
    private var connections: [IMAPConnection] = []
    private var before: [Int] = []
    private static let pauseMicroseconds: UInt32 = 20_000
    private static let patienceSeconds = 180.0

    init(options: Options, users: Int) throws(LoadError) {
        for user in 1...users {
            let connection = try IMAPConnection(port: options.port("imap-port"))
            try connection.login(user: options.user(user), password: options.string("password", "secret"))
            before.append(try connection.messages(in: "INBOX"))
            connections.append(connection)
        }
    }

    func wait(messages: Int, users: Int) throws(LoadError) {
        let begin = now()
        for (index, connection) in connections.enumerated() {
            let expected = before[index] + messages / users + (index < messages % users ? 1 : 0)
            while true {
                let count = try connection.messages(in: "INBOX")
                if count == expected { break }
                if count > expected { throw LoadError("\(userName(index + 1)) has \(count) messages, \(expected) were sent") }
                if seconds(since: begin) > Self.patienceSeconds {
                    throw LoadError("\(userName(index + 1)) still has \(count) of \(expected) messages")
                }
                usleep(Self.pauseMicroseconds)
            }
        }
    }
}

extension Options {
    /// The login name of user `number`.
    func user(_ number: Int) -> String { "\(userName(number))@\(string("domain", "example.test"))" }
}
