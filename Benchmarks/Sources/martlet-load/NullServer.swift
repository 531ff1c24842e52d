import Glibc

/// A server that does nothing but answer, to find the generator's own ceiling: `martlet-load null-server --port N --protocol smtp`.
struct NullServer: Sendable {
    let options: Options

    func run() -> Never {
        let listener = listen(on: options.port("port"))
        let handle: @Sendable (LineSocket) throws(LoadError) -> Void
        switch options.string("protocol", "smtp") {
        case "smtp": handle = answerSMTP
        case "imap": handle = answerIMAP
        case "pop3": handle = answerPOP3
        case let other: stop("no such protocol: \(other)")
        }
        print("ready")
        fflush(nil)
        _ = onThreads(64) { _ in
            while true {
                let accepted = accept(listener, nil, nil)
                guard accepted >= 0 else { continue }
                try? handle(LineSocket(accepted: accepted))
            }
        }
        exit(1)
    }
}

/// A socket that listens on loopback.
func listen(on port: UInt16) -> Int32 {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var on: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in.loopback(port: port)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
    }
    guard bound == 0, listen(listener, 1024) == 0 else { stop("cannot listen on \(port): errno \(errno)") }
    return listener
}

private func answerSMTP(_ socket: LineSocket) throws(LoadError) {
    try socket.write("220 null\r\n")
    while true {
        let line = try socket.readLine()
        if line.hasPrefix("MAIL") {
            _ = try socket.readLine()
            _ = try socket.readLine()
            try socket.write("250 ok\r\n250 ok\r\n354 go\r\n")
            while true {
                let line = try socket.readLine()
                if line.count == 1, line[0] == UInt8(ascii: ".") { break }
            }
            try socket.write("250 ok\r\n")
        } else if line.hasPrefix("QUIT") {
            return try socket.write("221 bye\r\n")
        } else {
            try socket.write("250-null\r\n250 PIPELINING\r\n")
        }
    }
}

private func answerIMAP(_ socket: LineSocket) throws(LoadError) {
    let flags = Array(repeating: "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n", count: 20).joined()
    let envelope = Array(
        repeating: "* 1 FETCH (UID 1 RFC822.SIZE 4096 INTERNALDATE \"23-Nov-2026 10:00:00 +0000\" FLAGS () ENVELOPE (\"date\" \"subject\" "
            + "((\"Ada\" NIL \"ada\" \"outside.test\")) NIL NIL NIL NIL NIL NIL \"<1@outside.test>\"))\r\n", count: 10
    ).joined()
    let body = "* 1 FETCH (UID 1 BODY[] {4096}\r\n" + String(repeating: "x", count: 4096) + ")\r\n"
    try socket.write("* OK null\r\n")
    while true {
        let line = try socket.readLine()
        let tag = String(decoding: line.prefix { $0 != 32 }, as: UTF8.self)
        let done = "\(tag) OK done\r\n"
        if line.contains("SELECT") {
            try socket.write("* 100 EXISTS\r\n" + done)
        } else if line.contains("ENVELOPE") {
            try socket.write(envelope + done)
        } else if line.contains("BODY") {
            try socket.write(body + done)
        } else if line.contains("(FLAGS)") {
            try socket.write(flags + done)
        } else if line.contains("STORE") {
            try socket.write(line.contains("SILENT") ? done : "* 1 FETCH (UID 1 FLAGS ())\r\n" + done)
        } else if line.contains("APPEND") {
            guard let brace = line.lastIndex(of: UInt8(ascii: "{")), let size = line.number(at: brace + 1) else { return }
            try socket.skip(size)
            _ = try socket.readLine()
            try socket.write("\(tag) OK [APPENDUID 1 101] done\r\n")
        } else if line.contains("SEARCH") {
            try socket.write("* SEARCH 1\r\n" + done)
        } else if line.contains("IDLE") {
            try socket.write("+ idling\r\n")
            _ = try socket.readLine()
            try socket.write(done)
        } else if line.contains("LOGOUT") {
            return try socket.write("* BYE\r\n" + done)
        } else {
            try socket.write(done)
        }
    }
}

private func answerPOP3(_ socket: LineSocket) throws(LoadError) {
    let uidl = "+OK\r\n" + (1...100).map { "\($0) \($0)\r\n" }.joined() + ".\r\n"
    let message = "+OK\r\n" + Array(repeating: String(repeating: "x", count: 62) + "\r\n", count: 64).joined() + ".\r\n"
    try socket.write("+OK null\r\n")
    while true {
        let line = try socket.readLine()
        if line.hasPrefix("UIDL") {
            try socket.write(uidl)
        } else if line.hasPrefix("RETR") {
            try socket.write(message)
        } else if line.hasPrefix("QUIT") {
            return try socket.write("+OK\r\n")
        } else {
            try socket.write("+OK\r\n")
        }
    }
}
