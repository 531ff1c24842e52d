internal import Authentication
internal import IMAPProtocol
internal import MailStore
internal import MartletCore
public import NIOCore
public import NetworkTransport
internal import Synchronization

/// One client: an actor on its connection's event loop (RFC 9051 §3).
///
/// Commands are taken one after the other. While one awaits the store, input is kept up to a bound and then no longer read;
/// answers of pipelined commands go out together. `mode` says who takes the next input, `selected` what the client knows of
/// its mailbox. Bytes become commands in `Framer` and `CommandParser`, which are pure; the store is asked only from here.
public actor IMAPConnection: ConnectionSession {
    /// Who takes the next input.
    enum Mode {
        case commands
        case authenticating(tag: String, SASLExchange)
        case appending(PendingAppend)
        case idling(tag: String)
    }

    nonisolated let connection: Connection
    nonisolated let service: IMAPService
    nonisolated let idleSignal = IdleSignal()

    var framer: Framer
    var parser: CommandParser
    var mode = Mode.commands
    var account: AuthenticatedAccount?
    var selected: SelectedMailbox?
    /// What is admitted and told in which state.
    var session: IMAPSession
    /// The answer that is being written.
    var out = ResponseWriter()
    /// How often `out` was handed over: what was written since the last time can still be taken back.
    private(set) var flushes = 0
    /// The structure of the last message whose parts were asked for: clients fetch them one by one.
    var lastStructure: CachedStructure?

    private(set) var isRunning = false
    private(set) var isOver = false {
        didSet { if isOver { hasEnded.store(true, ordering: .relaxed) } }
    }
    /// `isOver` for work that goes on beside the event loop.
    nonisolated let hasEnded = Atomic<Bool>(false)
    /// The server ends: a BYE follows the answer that is under way.
    private var isServerClosing = false
    /// The client has said its last word, and still reads.
    private var isInputEnded = false
    /// A change was committed while work was under way in IDLE.
    var isWakePending = false
    private var badCommands = 0

    public nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }

    init(_ connection: Connection, service: IMAPService) {
        self.connection = connection
        self.service = service
        framer = Framer(limits: service.configuration.limits)
        parser = CommandParser(limits: service.configuration.limits, decodeCharset: CharsetText.decode)
        // With implicit TLS nothing is said before the handshake, and `opened` makes it anew.
        session = IMAPSession(policy: service.policy(for: connection), isTLS: false)
    }

    // MARK: The transport's events

    public func opened() {
        connection.setDeadline(after: service.configuration.loginTimeout)
        if connection.tls != nil { session = IMAPSession(policy: service.policy(for: connection), isTLS: true) }
        out.untagged(.ok, .capability(session.capabilities), "\(service.configuration.serverName) ready")
        flushOut()
    }

    public func received(_ bytes: ByteBuffer) {
        guard !isOver else { return }
        bytes.withUnsafeReadableBytes { framer.receive($0) }
        if isRunning {
            if framer.heldBytes > service.configuration.readAheadBytes { connection.pauseReading() }
            return
        }
        start { await $0.processInput() }
    }

    public func tlsEstablished() {
        // RFC 9051 §6.2.1: everything known from before the handshake is forgotten.
        framer = Framer(limits: service.configuration.limits)
        session = IMAPSession(policy: service.policy(for: connection), isTLS: true)
        mode = .commands
        badCommands = 0
        connection.setDeadline(after: service.configuration.loginTimeout)
    }

    public func deadlinePassed() {
        if account == nil {
            bye("Login took too long")
        } else if isRunning {
            // An answer is under way that the peer does not take.
            isOver = true
            leaveMailbox()
            connection.abort()
        } else {
            bye("Autologout; idle for too long")
        }
    }

    public func inputEnded() {
        isInputEnded = true
        if !isRunning, !isOver { end() }
    }

    public func closed(_ reason: CloseReason) {
        isOver = true
        leaveMailbox()
        if case .appending(let append) = mode { append.discard() }
        mode = .commands
        out = ResponseWriter()
    }

    public func serverIsClosing() {
        guard !isOver else { return }
        // In the middle of an answer a BYE would become content of a literal.
        guard !isRunning else {
            isServerClosing = true
            return
        }
        sayServerCloses()
    }

    private func sayServerCloses() { bye("The server is shutting down", code: .unavailable) }

    // MARK: Work

    /// Begins work on the event loop: at once, and in this very call as long as nothing has to be waited for.
    func start(_ work: @escaping @Sendable (isolated IMAPConnection) async -> Void) {
        isRunning = true
        Task.immediate { [self] in await work(self) }
    }

    /// Ends work: what was written goes out, and input that has gathered is looked at.
    private func rest() {
        isRunning = false
        flushOut()
        connection.flush()
        guard !isOver else { return }
        if isInputEnded { return end() }
        connection.resumeReading()
        if account != nil { connection.setDeadline(after: service.configuration.idleTimeout) }
        guard isWakePending else { return }
        isWakePending = false
        wake()
    }

    func processInput() async {
        while !isOver {
            if isServerClosing {
                sayServerCloses()
                break
            }
            switch framer.next() {
            case .needMore:
                return rest()
            case .command(let bytes):
                await process(command: bytes)
            case .continuation:
                out.continuation()
                flushOut()
                connection.flush()
            case .line(let line):
                await process(line: line)
            case .message(let head, let isFirst):
                await appendAnnounced(head: head, isFirst: isFirst)
            case .messageBytes(let bytes):
                appendReceived(bytes)
            case .messageEnd:
                await appendMessageEnded()
            case .appendEnd(let isWellFormed):
                await appendEnded(isWellFormed: isWellFormed)
            case .literalTooLarge(let tag):
                let text = "The literals of a command are \(service.configuration.limits.literalBytes) octets at most"
                if let tag { out.tagged(tag, .no, .tooBig, text) } else { out.untagged(.bad, .tooBig, text) }
                countBadCommand()
            case .failed(let failure):
                fail(failure)
            }
            if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
        }
        rest()
    }

    /// Octets after which an answer is handed to the transport.
    static let pieceBytes = 65_536

    private func process(command bytes: [UInt8]) async {
        let command: TaggedCommand
        do throws(CommandParseError) {
            command = try parser.parse(bytes)
        } catch {
            refuse(error)
            return
        }
        guard await loginHolds() else { return }
        switch session.admit(command.command) {
        case .refused(let status, let code, let text):
            reply(command.tag, status, code, text)
            if status == .bad { countBadCommand() }
        case .allowed(let startsCondStore):
            badCommands = 0
            if startsCondStore { tellHighestModSeq() }
            await perform(command.command, tag: command.tag)
        }
    }

    /// A suspension or a revoked password takes effect at once: it ends the session.
    func loginHolds() async -> Bool {
        guard var login = account else { return true }
        guard await service.authenticator.stillHolds(&login) else {
            bye("Your login is no longer valid")
            return false
        }
        account = login
        return true
    }

    private func process(line: [UInt8]) async {
        switch mode {
        case .authenticating(let tag, let exchange): await authenticationReceived(line, tag: tag, exchange)
        case .idling(let tag): await idleEnded(line, tag: tag)
        case .commands, .appending: break
        }
    }

    private func fail(_ failure: FramerFailure) {
        switch failure {
        case .lineTooLong: bye("The line is too long", code: .tooBig)
        case .bareLineFeed: bye("A line ends with CR LF")
        case .literalTooLarge: bye("The literal is too long", code: .tooBig)
        }
    }

    private func refuse(_ error: CommandParseError) {
        out.answer(error)
        // RFC 5182 §2.1: a SEARCH that is answered with NO leaves nothing behind `$`.
        if error.savesResult, error.isRefusal { selected?.savedResult = [] }
        if !error.isRefusal { countBadCommand() }
    }

    func countBadCommand() {
        badCommands += 1
        if badCommands >= service.configuration.maximumBadCommands {
            bye("Too many commands that cannot be understood")
        }
    }

    // MARK: Writing

    func reply(_ tag: String, _ status: ResponseStatus, _ code: ResponseCode?, _ text: String) {
        out.tagged(tag, status, code, text)
    }
    func reply(_ tag: String, _ status: ResponseStatus, _ text: String) { out.tagged(tag, status, nil, text) }

    /// A tagged OK to a command that was done.
    func completed(_ tag: String, _ name: String, _ code: ResponseCode? = nil) {
        out.tagged(tag, .ok, code, "\(name) completed")
    }

    /// Hands what was written to the transport, which sends it at the end of the read.
    func flushOut() {
        guard !out.isEmpty else { return }
        connection.write(out.bytes)
        out.removeAll(keepingUpTo: 2_048)
        flushes &+= 1
    }

    /// Hands over what was written and waits until the peer has taken most of it.
    func drain() async {
        flushOut()
        connection.setDeadline(after: service.configuration.sendTimeout)
        await connection.drained()
    }

    /// Says goodbye and closes (RFC 9051 §7.1.5).
    func bye(_ text: String, code: ResponseCode? = nil) {
        guard !isOver else { return }
        out.untagged(.bye, code, text)
        end()
    }

    /// Sends what is written and closes.
    func end() {
        isOver = true
        leaveMailbox()
        flushOut()
        connection.close()
    }

    /// An answer cannot be finished: the client must not take what it has for the whole.
    func breakOff() {
        isOver = true
        leaveMailbox()
        out = ResponseWriter()
        connection.abort()
    }

    func leaveMailbox() {
        selected?.watch?.cancel()
        selected = nil
        session.unselected()
        lastStructure = nil
    }
}
