internal import IMAPProtocol
internal import MartletBytes
internal import MartletCore
internal import NIOCore
internal import NIOSSL

/// A logged-in connection to an IMAP server, one command at a time. Used by one task.
final class IMAPClient {
    /// A command that was answered with NO or BAD.
    struct Refused: Error {
        let text: String
    }

    private let channel: ClientChannel
    private var decoder = ResponseDecoder()
    private var capabilities: Set<String> = []
    private var tagNumber = 0

    private init(channel: ClientChannel) { self.channel = channel }

    /// Connects, begins TLS as asked, and logs in.
    static func connect(
        _ server: IMAPServerAddress, group: any EventLoopGroup
    ) async throws(TransferError) -> IMAPClient {
        let context = server.security == .plain ? nil : try tlsContext(server)
        let channel = try await ClientChannel.connect(
            host: server.host, port: server.port, tls: server.security == .tls ? context : nil, group: group)
        let client = IMAPClient(channel: channel)
        do throws(TransferError) {
            let isLoggedIn = try await client.greeting()
            if server.security == .starttls, let context { try await client.startTLS(context, host: server.host) }
            if !isLoggedIn { try await client.logIn(server.user, server.password) }
            return client
        } catch {
            await channel.close()
            throw error
        }
    }

    private static func tlsContext(_ server: IMAPServerAddress) throws(TransferError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if server.isInsecure { configuration.certificateVerification = .none }
        if let file = server.trustedCertificates { configuration.trustRoots = .file(file) }
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw TransferError(.source, "the trusted certificates cannot be used: \(error)")
        }
    }

    func close() async {
        tagNumber += 1
        try? await channel.send(Array("a\(tagNumber) LOGOUT\r\n".utf8))
        await channel.close()
    }

    /// Closes at once.
    func abandon() async { await channel.close() }

    // MARK: Conversation

    func next() async throws(TransferError) -> ResponseDecoder.Event {
        while true {
            if let event = try decoded() {
                if case .response(.capability(let words)) = event { capabilities = Set(words) }
                if case .response(.status(.bye, _, let text)) = event {
                    throw TransferError(.unreachable, "the server says goodbye: \(text)")
                }
                return event
            }
            decoder.append(try await channel.receive())
        }
    }

    private func decoded() throws(TransferError) -> ResponseDecoder.Event? {
        do { return try decoder.next() } catch {
            throw TransferError(.unreachable, "the server's answer is too long")
        }
    }

    /// Sends a command; its tag.
    func send(_ command: [UInt8]) async throws(TransferError) -> String {
        tagNumber += 1
        let tag = "a\(tagNumber)"
        try await channel.send(Array("\(tag) ".utf8) + command + [0x0D, 0x0A])
        return tag
    }

    /// Sends a command and reads to its end.
    ///
    /// - Parameters:
    ///   - continuation: what is sent when the server asks for more.
    ///   - each: called with untagged responses.
    func perform(
        _ command: [UInt8], continuation: [[UInt8]] = [], _ each: (ServerResponse) -> Void = { _ in }
    ) async throws(TransferError) -> Result<[String], Refused> {
        let tag = try await send(command)
        var rest = continuation[...]
        while true {
            guard case .response(let response) = try await next() else { continue }
            switch response {
            case .tagged(tag, let status, let code, let text):
                if code.first == "CAPABILITY" { capabilities = Set(code.dropFirst()) }
                return status == .ok ? .success(code) : .failure(Refused(text: text))
            case .continuation:
                guard let more = rest.popFirst() else {
                    throw TransferError(.unreachable, "the server asks for more than there is to say")
                }
                try await channel.send(more + [0x0D, 0x0A])
            default: each(response)
            }
        }
    }

    // MARK: Beginning

    /// Whether the server takes the connection as logged in.
    private func greeting() async throws(TransferError) -> Bool {
        guard case .response(.status(let status, let code, let text)) = try await next() else {
            throw TransferError(.unreachable, "the server does not greet as an IMAP server does")
        }
        if code.first == "CAPABILITY" { capabilities = Set(code.dropFirst()) }
        guard status == .ok || status == .preauth else {
            throw TransferError(.unreachable, "the server refuses the connection: \(text)")
        }
        return status == .preauth
    }

    private func startTLS(_ context: NIOSSLContext, host: String) async throws(TransferError) {
        if case .failure(let refused) = try await perform(Array("STARTTLS".utf8)) {
            throw TransferError(
                .unreachable, "the server does not begin TLS: \(refused.text); --tls none goes without, in plain text")
        }
        guard decoder.isEmpty else {
            throw TransferError(.unreachable, "the server sent something before TLS began: somebody may be in between")
        }
        try await channel.startTLS(context, host: host)
        // What was said before TLS counts no more (RFC 9051 §6.2.1).
        capabilities = []
    }

    private func logIn(_ user: String, _ password: Secret) async throws(TransferError) {
        if capabilities.isEmpty { _ = try await perform(Array("CAPABILITY".utf8)) }
        let result: Result<[String], Refused>
        if capabilities.contains("AUTH=PLAIN") {
            let answer = Base64.encode([0] + Array(user.utf8) + [0] + password.exposed)
            result = try await perform(Array("AUTHENTICATE PLAIN".utf8), continuation: [answer])
        } else if capabilities.contains("LOGINDISABLED") {
            throw TransferError(
                .unreachable, "the server takes no password on this connection: use --tls starttls or tls")
        } else {
            // Literals take any octets.
            let name = Array(user.utf8)
            result = try await perform(
                Array("LOGIN {\(name.count)}".utf8),
                continuation: [name + Array(" {\(password.exposed.count)}".utf8), password.exposed])
        }
        if case .failure(let refused) = result {
            throw TransferError(.source, "the server refuses the login of \(user): \(refused.text)")
        }
        _ = try await perform(Array("CAPABILITY".utf8))
    }

    // MARK: What an import asks

    var hasSpecialUse: Bool { capabilities.contains("SPECIAL-USE") || capabilities.contains("IMAP4REV2") }

    func list() async throws(TransferError) -> [ServerResponse.Listed] {
        var found: [ServerResponse.Listed] = []
        let result = try await perform(Array("LIST \"\" \"*\"".utf8)) { response in
            if case .list(let listed) = response, found.count < IMAPSource.maximumFolders { found.append(listed) }
        }
        if case .failure(let refused) = result {
            throw TransferError(.source, "the server does not list its folders: \(refused.text)")
        }
        return found
    }

    /// Opens a folder for reading alone.
    func examine(_ name: [UInt8]) async throws(TransferError) -> (uidValidity: UInt32, messages: UInt32) {
        var uidValidity: UInt32 = 0
        var messages: UInt32 = 0
        // As a quoted string, so that no name needs a literal.
        let quoted = name.reduce(into: [UInt8]()) { text, byte in
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
            text.append(byte)
        }
        let result = try await perform(Array("EXAMINE \"".utf8) + quoted + [UInt8(ascii: "\"")]) { response in
            switch response {
            case .exists(let count): messages = count
            case .status(.ok, let code, _) where code.count == 2 && code[0] == "UIDVALIDITY":
                uidValidity = UInt32(code[1]) ?? 0
            default: break
            }
        }
        if case .failure(let refused) = result {
            throw TransferError(.source, "the folder cannot be opened: \(refused.text)")
        }
        return (uidValidity, messages)
    }

    /// The UID of the message with this sequence number; nil when the server does not tell.
    func uid(of number: UInt32) async throws(TransferError) -> UInt32? {
        var uid: UInt32?
        let result = try await perform(Array("FETCH \(number) (UID)".utf8)) { response in
            if case .fetch(let fetched) = response, fetched.sequenceNumber == number { uid = fetched.uid ?? uid }
        }
        if case .failure = result { return nil }
        return uid
    }
}
