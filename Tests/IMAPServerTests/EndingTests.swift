import Glibc
import IMAPServer
import MailStore
import MartletCore
import Synchronization
import Testing

/// A spool whose messages are files in a directory of a test.
private final class FileSpool: SpoolWriter {
    /// What a finished message's path leads to.
    enum Kind: Sendable {
        case file
        /// What cannot be mapped: the summary of the message fails.
        case unreadable
    }

    private let path: String
    private let kind: Kind
    private var bytes: [UInt8] = []

    init(in directory: String, _ kind: Kind) {
        path = "\(directory)/\(UInt64.random(in: 0...UInt64.max))"
        self.kind = kind
    }

    var size: Int { bytes.count }
    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) { self.bytes.append(contentsOf: bytes) }
    func finish() throws(StoreError) -> SpooledMessage {
        switch kind {
        case .unreadable: symlink("/", path)
        case .file:
            let file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
            let count = write(file, bytes, bytes.count)
            close(file)
            guard count == bytes.count else { throw .unavailable(reason: "test") }
        }
        guard let blob = BlobID([UInt8](repeating: 1, count: 32)) else { throw .unavailable(reason: "test") }
        return SpooledMessage(place: .file(path: path), blob: blob, size: bytes.count)
    }
    func discard() { bytes = [] }
}

private final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    var count: Int { number.load(ordering: .relaxed) }
    @discardableResult func next() -> Int { number.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// What happens to an answer, a message or a search that is under way when the connection or the server ends.
@Suite(.serialized) struct EndingTests {
    private func files(in directory: String) -> Int {
        guard let handle = opendir(directory) else { return -1 }
        defer { closedir(handle) }
        var count = -2
        while readdir(handle) != nil { count += 1 }
        return count
    }

    /// Until nobody is connected, ten seconds at most.
    private func waitForEnd(_ server: TestServer) async {
        let end = ContinuousClock.now + .seconds(10)
        while server.listener.connections > 0, ContinuousClock.now < end { await Task.yield() }
    }

    @Test("a server that ends in the middle of a literal finishes it, and says BYE behind the answer")
    func byeBehindLiteral() async throws {
        let server = try await TestServer()
        let body =
            "Subject: large\r\n\r\n" + String(repeating: String(repeating: "y", count: 78) + "\r\n", count: 50_000)
        try await server.add(body)
        let client = try server.select()
        client.send("f FETCH 1 BODY.PEEK[]\r\n")
        #expect(client.line() == "* 1 FETCH (BODY[] {\(body.utf8.count)}\r\n")
        async let stopped: Void = server.stop()
        // The listener is closed first; then every session is told, which takes one turn of its loop.
        while IMAPClient(path: server.path) != nil { await Task.yield() }
        for _ in 0..<1_000 { await Task.yield() }
        let answer = client.readToEnd()
        #expect(
            answer == body + ")\r\nf OK FETCH completed\r\n* BYE [UNAVAILABLE] The server is shutting down\r\n")
        await stopped
    }

    @Test("a client in IDLE that does not read is told what there is when it reads, not all that there was")
    func idleWithoutReading() async throws {
        let server = try await TestServer()
        for number in 1...200 { try await server.add("Subject: \(number)\r\n\r\n") }
        let client = try server.select()
        #expect(client.command("FETCH 1:* FLAGS").contains("OK FETCH"))
        client.send("i IDLE\r\n")
        #expect(client.line() == "+ idling\r\n")
        let other = try server.select()
        let rounds = 400
        for round in 0..<rounds {
            #expect(
                other.command("STORE 1:* \(round % 2 == 0 ? "+" : "-")FLAGS.SILENT (\\Flagged)").contains("OK STORE"))
        }
        #expect(other.command("STORE 200 +FLAGS.SILENT (\\Answered)").contains("OK STORE"))
        var told = 0
        while true {
            let line = client.line()
            told += line.utf8.count
            if line.isEmpty || line.contains("\\Answered") { break }
        }
        // Each round is 200 lines of 30 octets and more: 2.4 MB. What the sockets and the output hold is half a megabyte.
        #expect(told < 1_200_000)
        client.send("DONE\r\n")
        #expect(client.lines(to: "i ").hasSuffix("i OK IDLE completed\r\n"))
        await server.stop()
    }

    @Test(
        "no spool file is left of an APPEND whose connection ends, or whose message cannot be read",
        arguments: [true, false])
    func appendLeavesNothing(isDropped: Bool) async throws {
        let directory = "/tmp/martlet-spool-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(directory, 0o700)
        defer { rmdir(directory) }
        let server = try await TestServer { base in
            HookedStore(base: base, spool: { FileSpool(in: directory, isDropped ? .file : .unreadable) })
        }
        let client = try server.login()
        let count = isDropped ? 400_000 : 10
        let body = "Subject: x\r\n\r\n" + String(repeating: String(repeating: "z", count: 68) + "\r\n", count: count)
        if isDropped {
            client.send("a APPEND INBOX {\(body.utf8.count)+}\r\n\(body)")
            client.drop()
            await waitForEnd(server)
        } else {
            #expect(client.command("APPEND INBOX {\(body.utf8.count)+}\r\n\(body)").hasPrefix("T NO [UNAVAILABLE]"))
        }
        let end = ContinuousClock.now + .seconds(5)
        while files(in: directory) > 0, ContinuousClock.now < end { await Task.yield() }
        #expect(files(in: directory) == 0)
        await server.stop()
    }

    @Test("SEARCH ends with its client: the store is not asked for more summaries")
    func search() async throws {
        let batches = Counter()
        let ended = Counter()
        let limit = 100_000
        let server = try await TestServer { base in
            HookedStore(
                base: base,
                scan: { body in
                    // The end of the connection is heard on the session's loop, which is free meanwhile.
                    while batches.next() < limit, body([]) { await Task.yield() }
                    ended.next()
                })
        }
        for number in 1...600 { try await server.add("Subject: \(number)\r\n\r\n") }
        let client = try server.select()
        client.send("s SEARCH SUBJECT nothing\r\n")
        while batches.count == 0 { await Task.yield() }
        client.drop()
        while ended.count == 0 { await Task.yield() }
        #expect(batches.count < limit)
        await server.stop()
    }
}
