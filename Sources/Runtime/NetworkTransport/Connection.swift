public import MartletCore
public import NIOCore
internal import NIOSSL
internal import NIOTLS

/// One connection as its session sees it. Every member is used on the event loop only, that is, from the session.
///
/// Writes gather in a buffer and go out once, at the end of the read that caused them or at `flush()`.
public final class Connection: @unchecked Sendable {
    /// Counts connections of this process, for logs.
    public let number: UInt64
    /// `smtp`, `imaps` …: the listener's name.
    public let service: String
    /// Numeric, without port. `local` for a Unix socket.
    public let peerAddress: String
    /// The server's own end, numeric, without port; nil for a Unix socket.
    public let localAddress: String?
    public let isLoopback: Bool
    /// What TLS agreed on; nil while the connection is plain.
    public private(set) var tls: TLSParameters?

    private let channel: any Channel
    private let loopExecutor: LoopExecutor
    private let tlsContext: TLSContextBox?
    /// The certificate that this connection's handshake took; another may be in force since.
    private var certificate: ServerTLS?
    private let capture = ServerHelloCapture()
    /// The certificate is not chosen yet: TLS is not below the session, and nothing may go out.
    private(set) var isAwaitingServerName = false
    private var pending: ByteBuffer
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    private var writabilityWaiters: [CheckedContinuation<Void, Never>] = []
    /// The session wants no input now.
    private var isReadingPaused = false
    /// The peer has not taken what was written for it: nothing more is read until it has, so that one that asks and never
    /// listens cannot fill the memory.
    private(set) var isOutputFull = false
    private var isReading = true
    /// Input that had been read when the output was full.
    private var heldInput: [ByteBuffer] = []
    private let closePatience: Duration
    let metrics: ConnectionMetrics
    private(set) var isClosing = false
    var deadlinePassed: (() -> Void)?

    init(
        channel: any Channel, number: UInt64, service: String, tlsContext: TLSContextBox?,
        closePatience: Duration = .seconds(10), metrics: ConnectionMetrics = ConnectionMetrics()
    ) {
        self.channel = channel
        self.metrics = metrics
        self.closePatience = closePatience
        loopExecutor = LoopExecutor(channel.eventLoop)
        self.number = number
        self.service = service
        self.tlsContext = tlsContext
        peerAddress = channel.remoteAddress?.numericAddress ?? "local"
        localAddress = channel.localAddress?.numericAddress
        isLoopback = channel.remoteAddress?.isLoopbackAddress ?? true
        pending = ByteBuffer()
    }

    /// The event loop as an actor's executor.
    public nonisolated var executor: UnownedSerialExecutor { loopExecutor.asUnownedSerialExecutor() }
    public nonisolated var eventLoop: any EventLoop { channel.eventLoop }

    /// Whether STARTTLS can be offered: there is a certificate and the connection is still plain.
    public var canStartTLS: Bool { tlsContext != nil && tls == nil }
    /// The hash of the certificate that the peer was shown, for `tls-server-end-point` (RFC 5929 §4); nil while plain.
    public var channelBinding: [UInt8]? { tls == nil ? nil : certificate?.serverEndPoint }

    /// Whether `address`, numeric, is the one that the peer connected to. IPv6 may be written in any of its ways.
    public func isLocal(_ address: String) -> Bool {
        guard let localAddress, let other = try? SocketAddress(ipAddress: address, port: 0) else { return false }
        return other.numericAddress == localAddress
    }

    // MARK: Writing

    public func write(_ bytes: [UInt8]) { pending.writeBytes(bytes) }
    public func write(_ text: StaticString) { pending.writeStaticString(text) }
    public func write(_ buffer: ByteBuffer) {
        var buffer = buffer
        pending.writeBuffer(&buffer)
    }

    /// Octets that were written and not flushed.
    public var pendingBytes: Int { pending.readableBytes }

    public func flush() {
        guard pending.readableBytes > 0 else { return }
        // A peer that has not begun its handshake cannot be told anything.
        guard !isAwaitingServerName else {
            pending.clear()
            return
        }
        let buffer = pending
        metrics.sentBytes.add(buffer.readableBytes)
        // A large buffer is not kept by an idle connection; a small one is made anew for a few nanoseconds.
        pending = ByteBuffer()
        channel.writeAndFlush(buffer, promise: nil)
        guard !channel.isWritable, channel.isActive else { return }
        isOutputFull = true
        applyReading()
    }

    /// Waits until the peer has taken most of what was written: call it between pieces of a long answer.
    public func drained() async {
        flush()
        guard !channel.isWritable, channel.isActive, !isClosing else { return }
        await withCheckedContinuation { writabilityWaiters.append($0) }
    }

    func writabilityChanged() {
        guard channel.isWritable || !channel.isActive else { return }
        isOutputFull = false
        applyReading()
        releaseWaiters()
    }

    func releaseWaiters() {
        let waiters = writabilityWaiters
        writabilityWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Sends what is written and closes. A peer that does not take it in time (`Listener.Options.closePatience`) is cut off.
    public func close() {
        guard !isClosing else { return }
        isClosing = true
        flush()
        timer?.cancel()
        endHalfClosure()
        let channel = self.channel
        let end = channel.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(closePatience)) {
            channel.close(promise: nil)
        }
        // What is written goes out first: close follows the flushed bytes in the channel's own queue.
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
            end.cancel()
            channel.close(promise: nil)
        }
        releaseWaiters()
    }

    /// Closes at once; what is not sent is lost. For peers that do not read.
    public func abort() {
        isClosing = true
        timer?.cancel()
        endHalfClosure()
        channel.close(promise: nil)
        releaseWaiters()
    }

    /// From now on the peer's end is the end: TLS would wait for more behind a peer's last word, until its own patience ends.
    private func endHalfClosure() { _ = channel.setOption(.allowRemoteHalfClosure, value: false) }

    // MARK: Reading

    /// Stops reading from the socket: the peer feels it by TCP's window.
    public func pauseReading() {
        isReadingPaused = true
        applyReading()
    }

    public func resumeReading() {
        isReadingPaused = false
        applyReading()
    }

    private func applyReading() {
        let wanted = !isReadingPaused && !isOutputFull
        guard wanted != isReading else { return }
        isReading = wanted
        _ = channel.setOption(.autoRead, value: wanted)
    }

    /// Whether what was just read has to wait: the output is full, or earlier input waits.
    var mustHoldInput: Bool { isOutputFull || !heldInput.isEmpty }

    func holdInput(_ buffer: ByteBuffer) { heldInput.append(buffer) }

    /// The oldest input that waits, when its time has come; nil when there is none.
    func takeHeldInput() -> ByteBuffer? {
        guard !isOutputFull, !isClosing, channel.isActive, !heldInput.isEmpty else { return nil }
        return heldInput.removeFirst()
    }

    func dropHeldInput() { heldInput = [] }

    // MARK: Deadline

    /// Calls the session's `deadlinePassed` after `duration` unless set anew before; nil: no deadline. Cheap: one timer a
    /// connection, which looks again when it fires.
    public func setDeadline(after duration: Duration?) {
        guard let duration, !isClosing else {
            deadline = nil
            return
        }
        let next = NIODeadline.now() + TimeAmount(duration)
        let isSooner = deadline.map { next < $0 } ?? true
        deadline = next
        if timer == nil || isSooner { arm(next) }
    }

    private func arm(_ moment: NIODeadline) {
        timer?.cancel()
        timer = channel.eventLoop.assumeIsolated().scheduleTask(deadline: moment) { [weak self] in
            guard let self else { return }
            self.timerFired()
        }
    }

    private func timerFired() {
        timer = nil
        guard let deadline, !isClosing else { return }
        if deadline > NIODeadline.now() {
            arm(deadline)
        } else {
            self.deadline = nil
            deadlinePassed?()
        }
    }

    // MARK: TLS

    /// Answers STARTTLS: sends `reply` in plain, then puts TLS below the session, in one step of the loop (SWIFT.md).
    /// The session must have dropped all input behind the command; it hears `tlsEstablished` when the handshake is done.
    /// - Throws: `TLSUnavailable`, also when input behind the command has come already: it was not encrypted.
    public func startTLS(after reply: [UInt8]) throws {
        guard let tlsContext, tls == nil, heldInput.isEmpty else { throw TLSUnavailable() }
        write(reply)
        flush()
        try addTLS(tlsContext)
    }

    func addTLS(_ box: TLSContextBox) throws {
        let sync = channel.pipeline.syncOperations
        let certificates = box.current
        if certificates.isChoice {
            isAwaitingServerName = true
            let loop = channel.eventLoop
            let reader = SNIHandler { [weak self] result in
                loop.makeCompletedFuture {
                    guard case .hostname(let name) = result else {
                        try self?.beginTLS(certificates.chosen(for: nil)); return
                    }
                    try self?.beginTLS(certificates.chosen(for: name))
                }
            }
            try sync.addHandler(ByteToMessageHandler(reader), position: .first)
        } else {
            try beginTLS(certificates.chosen(for: nil))
        }
        try sync.addHandler(capture, position: .first)
    }

    /// Puts TLS below the session, above what reads the ClientHello where there is such a one.
    private func beginTLS(_ chosen: ServerTLS) throws {
        let sync = channel.pipeline.syncOperations
        let handler = NIOSSLServerHandler(context: chosen.context)
        if isAwaitingServerName {
            let reader = try sync.handler(type: ByteToMessageHandler<SNIHandler>.self)
            try sync.addHandler(handler, position: .after(reader))
        } else {
            try sync.addHandler(handler, position: .first)
        }
        isAwaitingServerName = false
        certificate = chosen
    }

    func handshakeCompleted() {
        let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
        tls = TLSParameters(version: handler?.versionName ?? "unknown", cipher: capture.cipherName)
        channel.pipeline.syncOperations.removeHandler(capture, promise: nil)
    }
}

public struct TLSUnavailable: Error, Sendable {}

extension SocketAddress {
    /// The address without port or zone, IPv4 mapped into IPv6 as IPv4.
    var numericAddress: String? {
        guard let text = ipAddress else { return nil }
        let bare = text.prefix { $0 != "%" }
        return bare.lowercased().hasPrefix("::ffff:") && bare.contains(".") ? String(bare.dropFirst(7)) : String(bare)
    }

    var isLoopbackAddress: Bool {
        switch self {
        case .unixDomainSocket: true
        default: numericAddress.map { $0 == "::1" || $0.hasPrefix("127.") } ?? false
        }
    }
}
