import Authentication
import Glibc
import IMAPServer
import Logging
import MailStore
import MartletCore
import MessageFormat
import NIOPosix
import NetworkTransport
import Testing

/// An IMAP server on a Unix socket over a store in memory, with one account.
final class TestServer: Sendable {
    static let now = Instant(year: 2026, month: 11, day: 24, hour: 12)

    struct FixedClock: WallClock {
        func now() -> Instant { TestServer.now }
    }

    let store: InMemoryStore
    let account: AccountID
    let listener: Listener
    let path: String

    /// argon2 takes its time: once for all tests.
    private static let credential = Result { try CredentialMaker.make(password: Secret("secret"), now: now) }

    /// - Parameter wrap: puts something between the service and the store.
    init(
        configuration: IMAPServerConfiguration = IMAPServerConfiguration(), allowsPlaintext: Bool = true,
        wrap: (InMemoryStore) -> any MailboxStore = { $0 }
    ) async throws {
        store = InMemoryStore(now: { TestServer.now })
        let domain = try #require(Domain("example.test"))
        try await store.putDomain(LocalDomain(domain: domain))
        let address = try #require(EmailAddress("anna@example.test"))
        account = try #require(
            try await store.createAccounts([NewAccount(address: address, credential: try TestServer.credential.get())])
                .first)
        path = "/tmp/martlet-imap-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        var options = Authenticator.Options()
        options.plaintextFromLoopback = allowsPlaintext
        options.sleep = { _ in }
        let authenticator = Authenticator(directory: store, records: nil, clock: FixedClock(), options: options)
        let service = IMAPService(
            store: wrap(store), authenticator: authenticator, clock: FixedClock(), logger: Logger(label: "test"),
            configuration: configuration)
        listener = try await Listener.start(
            service.listenerOptions(isImplicitTLS: false, limits: .init(connections: 100, connectionsPerAddress: 100)),
            on: [.unix(path: path)],
            group: MultiThreadedEventLoopGroup.singleton, tls: nil, makeSession: service.makeSession)
    }

    deinit { unlink(path) }

    func stop() async { await listener.close(patience: .seconds(5)) }

    /// Behind the greeting.
    func connect() throws -> IMAPClient {
        let client = try #require(IMAPClient(path: path))
        #expect(client.line().hasPrefix("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 "))
        return client
    }

    /// Logged in.
    func login() throws -> IMAPClient {
        let client = try connect()
        #expect(client.command("LOGIN anna@example.test secret").hasSuffix("Logged in\r\n"))
        return client
    }

    /// With INBOX selected.
    func select(_ name: String = "INBOX") throws -> IMAPClient {
        let client = try login()
        #expect(client.command("SELECT \(name)").contains("OK [READ-WRITE]"))
        return client
    }

    func mailbox(_ name: String = "INBOX") async throws -> MailboxKey {
        try await store.mailbox(named: name, of: account).key
    }

    @discardableResult
    func add(
        _ text: String, to name: String = "INBOX", flags: NamedFlags = NamedFlags(), date: Instant = TestServer.now
    ) async throws -> UInt32 {
        try await add(Array(text.utf8), to: name, flags: flags, date: date)
    }

    @discardableResult
    func add(
        _ bytes: [UInt8], to name: String = "INBOX", flags: NamedFlags = NamedFlags(), date: Instant = TestServer.now
    ) async throws -> UInt32 {
        let spool = try store.makeSpool()
        try bytes.withUnsafeBytes { try spool.append($0) }
        let content = try spool.finish()
        let message = AppendedMessage(
            content: content, summary: StoredSummary(MessageSummary.make(bytes)), flags: flags, internalDate: date)
        return try #require(try await store.append([message], to: try await mailbox(name)).uids.first)
    }
}

/// A blocking client. Reads give up after ten seconds and then give what there is.
final class IMAPClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var nextTag = 1

    init?(path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(100)) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    private func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }

    /// One line with its CRLF; what there is when the server closes or is silent.
    func line() -> String {
        var scanned = 0
        while true {
            if let end = buffer[scanned...].firstIndex(of: 0x0A) {
                let line = buffer[...end]
                buffer.removeSubrange(...end)
                return String(decoding: line, as: UTF8.self)
            }
            scanned = buffer.count
            guard receive() else {
                let rest = String(decoding: buffer, as: UTF8.self)
                buffer = []
                return rest
            }
        }
    }

    /// Lines up to and with the first that begins with `prefix`.
    func lines(to prefix: String) -> String {
        var all = ""
        while true {
            let next = line()
            all += next
            if next.hasPrefix(prefix) || next.isEmpty { return all }
        }
    }

    /// Sends a command with a tag of its own and gives the answer, the tag written as `T`.
    func command(_ text: String) -> String {
        let tag = "a\(nextTag)"
        nextTag += 1
        send("\(tag) \(text)\r\n")
        let answer = lines(to: tag + " ")
        guard let place = answer.range(ofLast: tag + " ") else { return answer }
        return answer[..<place.lowerBound] + "T " + answer[place.upperBound...]
    }

    func readToEnd() -> String {
        while receive() {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }

    func drop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

extension String {
    func range(ofLast text: String) -> Range<String.Index>? {
        var found: Range<String.Index>?
        var from = startIndex
        while let range = self[from...].firstRange(of: text) {
            found = range
            from = range.upperBound
        }
        return found
    }
}
