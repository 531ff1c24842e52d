import Glibc
import Synchronization

/// Servers that take every message and keep none: where relayed mail goes. One listener a port, some connections at once each.
/// Replies to commands that came together go out together (RFC 2920 §3.2).
final class Sinks: Sendable {
    /// Connections that one sink serves at once; others wait to be accepted.
    private static let connections = 40

    private let taken = Atomic<Int>(0)
    /// When the last message was taken, by `now()`.
    private let last = Atomic<UInt64>(0)

    init(ports: Range<UInt16>) {
        for port in ports {
            let listener = listen(on: port)
            for _ in 0..<Self.connections {
                startThread { [self] in
                    while true {
                        let accepted = accept(listener, nil, nil)
                        guard accepted >= 0 else { continue }
                        try? serve(LineSocket(accepted: accepted))
                    }
                }
            }
        }
    }

    var count: Int { taken.load(ordering: .relaxed) }
    var lastTaken: UInt64 { last.load(ordering: .relaxed) }

    private func serve(_ socket: LineSocket) throws(LoadError) {
        var replies = "220 sink ESMTP\r\n"
        while true {
            if !socket.hasLine {
                try socket.write(replies)
                replies = ""
            }
            let line = try socket.readLine()
            if line.hasPrefix("DATA") {
                try socket.write(replies + "354 go on\r\n")
                replies = ""
                while true {
                    let line = try socket.readLine()
                    if line.count == 1, line[0] == UInt8(ascii: ".") { break }
                }
                taken.wrappingAdd(1, ordering: .relaxed)
                last.store(now(), ordering: .relaxed)
                replies += "250 2.0.0 taken\r\n"
            } else if line.hasPrefix("EHLO") {
                replies += "250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
            } else if line.hasPrefix("QUIT") {
                return try socket.write(replies + "221 2.0.0 bye\r\n")
            } else {
                replies += "250 2.0.0 ok\r\n"
            }
        }
    }
}
