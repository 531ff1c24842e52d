internal import MartletCore
internal import NIOCore
internal import NIOPosix
internal import NetworkTransport
internal import SMTPProtocol
internal import Synchronization

/// A connection to another server, ready for transactions: a `SMTPClientSession` on a socket. An actor on the connection's event loop.
///
/// One transaction at a time, any number after another. Every wait has a deadline, and ends when the task that waits is cancelled.
public actor RelayConnection {
    /// What `deliver` has to do next.
    enum Step: Sendable {
        case content
        case downgrade
        case ended(SMTPTransactionResult)
        case probed(SMTPProbeResult)
    }

    public nonisolated let target: RelayTarget
    let services: RelayServices
    nonisolated let channel: any Channel
    private nonisolated let loopExecutor: LoopExecutor
    private nonisolated let openness = Atomic<Bool>(true)
    var session: SMTPClientSession
    private let timer: DeadlineTimer
    private var deadline: NIODeadline?
    /// `session.waits` when `deadline` was set.
    private var waits: UInt64 = 0
    /// When the transaction has to be over.
    var transactionEnd: NIODeadline?
    /// Until when an idle connection is kept.
    private var restEnd: NIODeadline?
    /// When the server was heard last.
    private(set) var heard = NIODeadline.now()
    /// When the connection was begun, and how long it took until the server said its first word.
    private let began = NIODeadline.now()
    private var timeToGreeting: Duration?
    private var greeting: String?

    private var handshake: ClientHandshake?
    private var handshakeFailure: String?
    private var tls: TLSParameters?
    private var sessionFailure: SMTPSessionFailure?
    private var isOpened = false
    private var isClosed = false
    private var openingWaiter: CheckedContinuation<Void, Never>?
    private var closingWaiters: [CheckedContinuation<Void, Never>] = []
    private var writabilityWaiter: CheckedContinuation<Void, Never>?
    private var stepWaiter: CheckedContinuation<Step, Never>?
    private var steps: [Step] = []
    /// The beginning of the content, read before the transaction began, so that it can go with the envelope.
    var firstPiece: ContentSource.Piece?
    var isDelivering = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { loopExecutor.asUnownedSerialExecutor() }

    init(channel: any Channel, target: RelayTarget, services: RelayServices) {
        self.channel = channel
        self.target = target
        self.services = services
        loopExecutor = LoopExecutor(channel.eventLoop)
        timer = DeadlineTimer(channel.eventLoop)
        let use: SMTPClientOptions.TLSUse =
            switch target.tls {
            case .none: .none
            case .opportunistic: .whenOffered
            case .required, .requiredVerified: .required
            }
        session = SMTPClientSession(
            options: SMTPClientOptions(
                dialect: target.dialect, localName: target.localName, tls: use, timeouts: services.timeouts.session,
                limits: services.limits))
    }

    /// Whether the connection stands, as far as is known.
    public nonisolated var isOpen: Bool { openness.load(ordering: .acquiring) }

    public var info: RelayConnectionInfo {
        RelayConnectionInfo(
            localAddress: channel.localAddress?.ipAddress, capabilities: session.capabilities, tls: tls,
            certificate: tls == nil ? nil : handshake?.check, startTLSRefusal: session.startTLSRefusal,
            transactions: session.transactions, greeting: greeting, timeToGreeting: timeToGreeting)
    }

    // MARK: Opening

    /// Waits until the server has greeted and, where it is asked for, TLS stands.
    func opened() async throws(RelayFailure) {
        if !isOpened, !isClosed, sessionFailure == nil { await withCheckedContinuation { openingWaiter = $0 } }
        guard !isOpened || isClosed || sessionFailure != nil else { return }
        throw RelayFailure(target: target, cause: openingFailure, transcript: session.transcriptLines)
    }

    private var openingFailure: RelayFailure.Cause {
        if target.tls == .requiredVerified, let check = handshake?.check, check != .verified {
            return .certificate(check)
        }
        if let handshakeFailure { return .handshake(handshakeFailure) }
        let failure = sessionFailure ?? SMTPSessionFailure(stage: .greeting, cause: .connectionClosed)
        if failure.stage == .handshake { return .handshake(failure.cause.text) }
        return .session(failure)
    }

    // MARK: Events of the channel

    /// The channel is set up, and not connected yet.
    func attached() {
        timer.passed = { [weak self] in self?.assumeIsolated { $0.deadlinePassed() } }
    }

    func connected() {
        heard = .now()
        advance()
    }

    func received(_ buffer: ByteBuffer) {
        heard = .now()
        if timeToGreeting == nil { timeToGreeting = .nanoseconds((heard - began).nanoseconds) }
        buffer.withUnsafeReadableBytes { session.receive($0) }
        advance()
    }

    func handshakeCompleted() {
        guard let handshake, tls == nil else { return }
        let parameters = handshake.finish(on: channel)
        tls = parameters
        session.tlsEstablished(parameters)
        advance()
    }

    func writabilityChanged() {
        guard channel.isWritable || isClosed else { return }
        writabilityWaiter?.resume()
        writabilityWaiter = nil
    }

    func failed(_ error: any Error) {
        if handshake != nil, tls == nil { handshakeFailure = handshakeFailure ?? TransportErrorText.of(error) }
    }

    func closed() {
        guard !isClosed else { return }
        isClosed = true
        openness.store(false, ordering: .releasing)
        timer.end()
        session.connectionClosed()
        advance()
        openingWaiter?.resume()
        openingWaiter = nil
        writabilityChanged()
        for waiter in closingWaiters { waiter.resume() }
        closingWaiters = []
    }

    private func deadlinePassed() {
        transactionEnd = nil
        restEnd = nil
        if session.deadline == nil, session.isReady {
            session.quit()
        } else {
            session.deadlinePassed()
        }
        advance()
    }

    // MARK: Actions of the session

    /// Does what the session wants, sends it at once, and sets the deadline.
    func advance() {
        var hasWritten = false
        while let action = session.next() {
            switch action {
            case .send(let bytes):
                channel.write(ByteBuffer(bytes: bytes), promise: nil)
                hasWritten = true
            case .startTLS: startTLS()
            case .ready:
                if !isOpened { greeting = RelayConnectionInfo.greeting(in: session.transcriptLines) }
                isOpened = true
                openingWaiter?.resume()
                openingWaiter = nil
            case .wantContent:
                if let piece = firstPiece {
                    firstPiece = nil
                    session.content(piece.bytes, isLast: piece.isLast)
                } else {
                    push(.content)
                }
            case .needsDowngrade: push(.downgrade)
            case .transactionEnded(let result): push(.ended(result))
            case .probeEnded(let result): push(.probed(result))
            case .failed(let failure):
                sessionFailure = failure
                openingWaiter?.resume()
                openingWaiter = nil
            case .close:
                openness.store(false, ordering: .releasing)
                channel.close(promise: nil)
            }
        }
        if hasWritten { channel.flush() }
        setDeadline()
    }

    private func startTLS() {
        channel.flush()
        let tls = target.tls == .opportunistic ? services.opportunisticTLS : services.tls
        do {
            handshake = try tls.begin(
                on: channel, serverName: target.serverName, isVerifiedOnly: target.tls == .requiredVerified)
        } catch {
            handshakeFailure = TransportErrorText.of(error)
            session.abandon()
        }
    }

    private func setDeadline() {
        guard !isClosed else { return }
        if session.waits != waits {
            waits = session.waits
            deadline = session.deadline.map { NIODeadline.after($0) }
        } else if session.deadline == nil {
            deadline = nil
        }
        timer.set([deadline, transactionEnd, restEnd].compactMap { $0 }.min())
    }

    // MARK: Steps of a delivery

    private func push(_ step: Step) {
        if let waiter = stepWaiter {
            stepWaiter = nil
            waiter.resume(returning: step)
        } else if isDelivering {
            steps.append(step)
        }
    }

    func nextStep() async -> Step {
        guard steps.isEmpty else { return steps.removeFirst() }
        return await withCheckedContinuation { stepWaiter = $0 }
    }

    /// Waits until the socket has taken most of what was written.
    func drained() async {
        guard !channel.isWritable, !isClosed else { return }
        await withCheckedContinuation { writabilityWaiter = $0 }
    }

    func setTransactionEnd(_ end: NIODeadline?) {
        transactionEnd = end
        if end == nil { steps = [] }
        setDeadline()
    }

    // MARK: Rest and end

    /// Keeps the connection for `duration` without work; false when it is of no use any more.
    func rest(for duration: Duration, maximumTransactions: Int) -> Bool {
        let maximum = min(maximumTransactions, session.capabilities.maximumTransactions ?? .max)
        guard isOpen, session.isReady, !isDelivering, session.transactions < maximum else { return false }
        restEnd = .after(duration)
        setDeadline()
        return true
    }

    /// Takes it into use again; false when it has ended meanwhile.
    func claim() -> Bool {
        guard isOpen, session.isReady, !isDelivering, channel.isActive else { return false }
        restEnd = nil
        setDeadline()
        return true
    }

    /// Says QUIT and waits, for `SMTPClientTimeouts.quit` at most, until the server has answered; ends a transaction that is under way.
    public func close() async {
        session.quit()
        advance()
        guard !isClosed else { return }
        await withCheckedContinuation { closingWaiters.append($0) }
    }

    /// Ends the connection at once.
    public func abandon() {
        session.abandon()
        advance()
    }
}
