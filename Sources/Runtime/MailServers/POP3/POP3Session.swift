internal import Authentication
internal import Logging
internal import MailStore
internal import MartletCore
public import NIOCore
public import NetworkTransport
internal import POP3Protocol

/// One POP3 connection: drives the pure `POP3ServerSession` with a socket, the `Authenticator` and the store.
///
/// Answers to commands that came in one read go out in one write. What has to wait (login, message, removal) runs in one
/// task on the same event loop, and lines that come meanwhile stay in `reader`.
public actor POP3Session: ConnectionSession {
    public nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }

    private let connection: Connection
    private let service: POP3Service
    private var machine: POP3ServerSession
    private var reader = POP3LineReader()
    private var exchange: SASLExchange?
    private var inbox: MailboxKey?
    /// Messages that are likely to be asked for next.
    private var ahead = POP3ReadAhead()
    /// Who has logged in.
    private var account: AuthenticatedAccount?
    /// An action is under way.
    private var isBusy = false
    private var isOver = false
    private var isServerClosing = false
    /// The client has said its last word, and still reads.
    private var isInputEnded = false

    init(connection: Connection, service: POP3Service) {
        self.connection = connection
        self.service = service
        machine = POP3ServerSession(POP3ServerSession.Options(connection, service.authenticator))
    }

    // MARK: What the transport tells

    public func opened() {
        machine = POP3ServerSession(POP3ServerSession.Options(connection, service.authenticator))
        connection.setDeadline(after: service.configuration.loginTimeout)
        connection.write(machine.greeting())
    }

    public func received(_ bytes: ByteBuffer) {
        guard !isOver else { return }
        reader.append(bytes.readableBytesView)
        guard !isBusy else {
            if reader.count > service.configuration.maximumWaitingInput { connection.pauseReading() }
            return
        }
        guard let work = advance() else { return }
        isBusy = true
        Task { await drive(work) }
    }

    public func tlsEstablished() {
        machine.tlsEstablished(POP3ServerSession.Options(connection, service.authenticator))
        connection.setDeadline(after: service.configuration.loginTimeout)
    }

    /// RFC 1939 §3: the connection is closed, nothing is removed and nothing is said.
    public func deadlinePassed() {
        isOver = true
        if isBusy { connection.abort() } else { connection.close() }
    }

    public func inputEnded() {
        isInputEnded = true
        if !isBusy { leave() }
    }

    private func leave() {
        guard !isOver else { return }
        isOver = true
        connection.close()
    }

    public func closed(_ reason: CloseReason) {
        isOver = true
        exchange = nil
        service.logger.debug(
            "connection ended", metadata: ["connection": "\(connection.number)", "reason": "\(reason)"])
    }

    public func serverIsClosing() {
        isServerClosing = true
        if !isBusy { sayGoodbye() }
    }

    // MARK: Driving the machine

    /// What has to be waited for.
    private enum Work {
        case action(POP3Action)
        /// The account has changed since it logged in: whether that ends the session.
        case confirmLogin
        /// Much is written: the peer's turn.
        case relieve
    }

    /// Carries out what needs no waiting, line by line. Returns what does, or nil when all lines are done.
    private func advance() -> Work? {
        while !isOver {
            if connection.pendingBytes >= POP3Session.maximumPending { return .relieve }
            // Before each command: changes of the account take effect at once.
            if let account, reader.count > 0, !service.authenticator.isUnchanged(account) { return .confirmLogin }
            guard let line = reader.next() else { return nil }
            restartIdleTime()
            let action: POP3Action
            switch line {
            case .line(let bytes): action = machine.received(bytes)
            case .tooLong: action = machine.receivedTooLongLine()
            }
            if let waiting = carryOut(action) { return .action(waiting) }
        }
        return nil
    }

    /// Returns the action when it has to wait for something.
    private func carryOut(_ action: POP3Action) -> POP3Action? {
        switch action {
        case .reply(let bytes):
            connection.write(bytes)
        case .close(let bytes):
            isOver = true
            connection.write(bytes)
            connection.close()
        case .startTLS(let reply):
            startTLS(reply)
        case .cancelExchange:
            let outcome = exchange?.cancel()
            exchange = nil
            if case .failure(let failure)? = outcome { return carryOut(machine.loginFailed(POP3LoginFailure(failure))) }
            return carryOut(machine.loginFailed(.other("No exchange is under way")))
        case .listing, .login, .startExchange, .continueExchange, .sendMessage, .update:
            return action
        }
        return nil
    }

    private func drive(_ first: Work) async {
        var work: Work? = first
        while let waiting = work, !isOver {
            switch waiting {
            case .action(let action): await perform(action)
            case .confirmLogin: await confirmLogin()
            case .relieve: await relieve()
            }
            work = advance()
        }
        isBusy = false
        connection.flush()
        guard !isOver else { return }
        if isServerClosing { return sayGoodbye() }
        if isInputEnded { leave() } else { connection.resumeReading() }
    }

    private func perform(_ action: POP3Action) async {
        switch action {
        case .login(let user, let password):
            switch await service.authenticator.login(user: user, password: password, peer: LoginPeer(connection)) {
            case .success(let account): await open(account)
            case .failure(let failure): loginFailed(failure)
            }
        case .startExchange(let mechanism, let initialResponse):
            let exchange = service.authenticator.makeExchange(LoginPeer(connection))
            self.exchange = exchange
            await settle(exchange.start(mechanism: mechanism, initialResponse: initialResponse))
        case .continueExchange(let bytes):
            guard let exchange else { return loginFailed(nil) }
            await settle(exchange.respond(bytes))
        case .listing(let head):
            connection.write(head)
            while !isOver, let piece = machine.nextListingPiece() {
                connection.write(piece)
                await relieve()
            }
        case .sendMessage(let uid, _, let lines, let isUTF8):
            await send(uid: uid, lines: lines, isUTF8: isUTF8)
        case .update(let uids):
            await update(uids)
        case .reply, .close, .startTLS, .cancelExchange:
            preconditionFailure("carried out at once")
        }
    }

    private func startTLS(_ reply: [UInt8]) {
        // RFC 2595 §4 and CVE-2011-0411: what stands behind the command was not sent by the one who shakes hands.
        guard reader.count == 0 else {
            isOver = true
            connection.write(Array("-ERR Nothing may follow STLS before the handshake\r\n".utf8))
            connection.close()
            return
        }
        do { try connection.startTLS(after: reply) } catch {
            isOver = true
            connection.write(Array("-ERR [SYS/TEMP] TLS is not available\r\n".utf8))
            connection.close()
        }
    }

    /// Ends a session whose login holds no more; nothing is removed (RFC 1939 §3).
    private func confirmLogin() async {
        guard var account else { return }
        if await service.authenticator.stillHolds(&account) {
            self.account = account
            return
        }
        isOver = true
        service.logger.info(
            "session ended: the account was suspended or removed, or its password changed or revoked",
            metadata: ["connection": "\(connection.number)", "account": "\(account.address)"])
        connection.write(Array("-ERR [AUTH] Your login is no longer valid\r\n".utf8))
        connection.close()
    }

    private func sayGoodbye() {
        guard !isOver else { return }
        isOver = true
        connection.write(Array("-ERR [SYS/TEMP] Server is shutting down\r\n".utf8))
        connection.close()
    }

    // MARK: Logging in

    private func settle(_ outcome: SASLOutcome) async {
        switch outcome {
        case .challenge(let bytes):
            _ = carryOut(machine.challenged(bytes))
        case .success(let account):
            exchange = nil
            await open(account)
        case .failure(let failure):
            exchange = nil
            loginFailed(failure)
        }
    }

    private func loginFailed(_ failure: LoginFailure?) {
        let failure = failure.map { POP3LoginFailure($0) } ?? .other("No exchange is under way")
        _ = carryOut(machine.loginFailed(failure))
    }

    /// The maildrop is INBOX as it is now.
    private func open(_ account: AuthenticatedAccount) async {
        do {
            let info = try await service.store.mailbox(named: "INBOX", of: account.id)
            let index = try await service.store.index(of: info.key)
            inbox = info.key
            ahead = POP3ReadAhead(index)
            self.account = account
            restartIdleTime()
            service.logger.debug(
                "logged in",
                metadata: [
                    "connection": "\(connection.number)", "account": "\(account.address)",
                    "messages": "\(index.uids.count)",
                ])
            _ = carryOut(
                machine.loginSucceeded(
                    POP3Maildrop(uidValidity: info.uidValidity, uids: index.uids, sizes: index.sizes)))
        } catch {
            service.logger.error(
                "maildrop cannot be opened", metadata: ["account": "\(account.address)", "error": "\(error)"])
            _ = carryOut(machine.loginFailed(.temporary("Maildrop is not available now")))
        }
    }

    // MARK: Messages

    private func send(uid: UInt32, lines: Int?, isUTF8: Bool) async {
        guard let inbox else { return }
        let message: any MessageReading
        var piece: [UInt8]
        do {
            message = try await self.message(uid, isWhole: lines == nil, in: inbox)
            piece = try await message.read(0..<service.configuration.pieceSize)
        } catch {
            connection.write(machine.messageFailed(POP3MessageFailure(error)))
            return
        }
        connection.write(Array("+OK \(message.size) octets\r\n".utf8))
        var writer = POP3MessageWriter(lines: lines)
        var position = piece.count
        var isHeaderOpen = false
        if !isUTF8 {
            isHeaderOpen = position < message.size && POP3HeaderDowngrade.headerEnd(piece) == piece.count
            piece = POP3HeaderDowngrade.apply(piece)
        }
        while true {
            connection.write(writer.write(piece))
            guard position < message.size, !writer.isComplete else { break }
            await relieve()
            guard !isOver else { return }
            do { piece = try await message.read(position..<(position + service.configuration.pieceSize)) } catch {
                return breakOff(uid, error)
            }
            // A store that gives less than it said would be asked for ever.
            guard !piece.isEmpty else { return breakOff(uid, .corrupt(reason: "the message is shorter than its size")) }
            position += piece.count
            if isHeaderOpen {
                let end = POP3HeaderDowngrade.headerEnd(piece)
                isHeaderOpen = end == piece.count
                piece = POP3HeaderDowngrade.applyBluntly(Array(piece[..<end])) + piece[end...]
            }
        }
        connection.write(writer.finish())
        await relieve()
    }

    private func message(
        _ uid: UInt32, isWhole: Bool, in inbox: MailboxKey
    ) async throws(StoreError) -> any MessageReading {
        if let message = ahead.take(uid) { return message }
        let uids = isWhole ? ahead.run(from: uid) : []
        if uids.count > 1 { ahead.put(try await service.store.messages(in: inbox, uids: uids)) }
        if let message = ahead.take(uid) { return message }
        return try await service.store.message(in: inbox, uid: uid)
    }

    /// In the middle of a message there is no way to say that it goes wrong, but to end without the final dot: the client
    /// sees that it has half of it.
    private func breakOff(_ uid: UInt32, _ error: StoreError) {
        service.logger.error(
            "message broken off",
            metadata: ["connection": "\(connection.number)", "uid": "\(uid)", "error": "\(error)"])
        isOver = true
        connection.abort()
    }

    /// Waits for the peer when much is written.
    private func relieve() async {
        guard connection.pendingBytes >= POP3Session.maximumPending else { return }
        restartIdleTime()
        await connection.drained()
    }

    /// Before the login its deadline stays; bytes that make no line move none.
    private func restartIdleTime() {
        if account != nil { connection.setDeadline(after: service.configuration.idleTimeout) }
    }

    /// Octets that are written before the session waits for the peer.
    private static var maximumPending: Int { 65_536 }

    private func update(_ uids: [UInt32]) async {
        guard let inbox else { return }
        do {
            _ = try await service.store.remove(in: inbox, uids: uids)
            _ = carryOut(machine.updated(succeeded: true))
        } catch {
            service.logger.error(
                "messages not removed", metadata: ["connection": "\(connection.number)", "error": "\(error)"])
            _ = carryOut(machine.updated(succeeded: false))
        }
    }
}

extension POP3ServerSession.Options {
    init(_ connection: Connection, _ authenticator: Authenticator) {
        let isTLS = connection.tls != nil
        self.init(
            allowsPlaintext: authenticator.allowsPlaintext(isTLS: isTLS, isLoopback: connection.isLoopback),
            mechanisms: authenticator.mechanisms(isTLS: isTLS, isLoopback: connection.isLoopback),
            canStartTLS: connection.canStartTLS)
    }
}

extension POP3LoginFailure {
    /// RFC 3206 §4: [AUTH] for credentials, [SYS/TEMP] for what may pass.
    init(_ failure: LoginFailure) {
        switch failure.kind {
        case .wrongCredentials, .suspended: self = .credentials(failure.publicText)
        case .unavailable: self = .temporary(failure.publicText)
        case .malformed, .cancelled, .unknownMechanism, .encryptionRequired: self = .other(failure.publicText)
        }
    }
}

extension POP3MessageFailure {
    init(_ error: StoreError) {
        switch error {
        case .noSuchMessage, .noSuchMailbox, .noSuchAccount: self = .gone
        case .corrupt: self = .damaged
        case .unavailable, .overQuota, .mailboxExists, .invalidName, .notAllowed, .limit, .closed: self = .temporary
        }
    }
}
