internal import MartletBytes
public import MartletCore

/// The sending side of one SMTP or LMTP session: what the server says in, actions out (RFC 5321, 2033, 2920, 3030, 3207).
///
/// Tell it what happens (`receive`, `tlsEstablished`, `begin`, `content`, `connectionClosed`, `deadlinePassed`, `quit`) and after each
/// take actions with `next` until it gives none. It greets, takes TLS as its options say, says EHLO, and is `.ready`. Each reply is
/// matched to its command; a reply that cannot be one to it ends the session, since all that follow would be read wrongly.
public struct SMTPClientSession: ~Copyable, Sendable {
    enum Phase: Sendable, Hashable {
        /// Up to EHLO's answer.
        case opening
        case handshake
        /// Between transactions, or in one.
        case open
        case quitting
        case closed
    }

    /// A command whose reply is awaited.
    enum Expectation: Sendable, Hashable {
        case greeting
        case extendedHello
        case hello
        case startTLS
        case reset
        case mail
        case recipient(Int)
        case data
        /// A chunk that is not the last.
        case chunk
        case endOfContent
        case quit
    }

    public let options: SMTPClientOptions
    /// What EHLO's answer offers, the one within TLS where there is TLS.
    public internal(set) var capabilities = ServerCapabilities()
    public internal(set) var isEncrypted = false
    /// The reply that refused STARTTLS, when the session went on in clear.
    public internal(set) var startTLSRefusal: SMTPReply?
    /// Transactions that were begun with MAIL.
    public internal(set) var transactions = 0
    /// Waits that have begun: when it has changed, the deadline counts anew.
    public internal(set) var waits: UInt64 = 1

    var phase = Phase.opening
    var awaiting: [Expectation] = [.greeting]
    var transaction: ClientTransactionState?
    /// A recipient is being asked for, outside a transaction.
    var probing: ProbeState?
    var wantsContent = false
    /// The server still has a transaction that came to nothing: RSET goes before the next MAIL.
    var needsReset = false
    var transcript: Transcript
    private var parser: ReplyParser
    private var actions: [SMTPClientAction] = []
    private var output: [UInt8] = []
    /// Octets wait behind the reply that is being dealt with.
    private var hasUnread = false
    /// A command was sent when something that is no reply to it was there already.
    private var isOutOfStep = false

    public init(options: SMTPClientOptions) {
        self.options = options
        parser = ReplyParser(limits: options.limits)
        transcript = Transcript(maximumLines: options.limits.maximumTranscriptLines)
    }

    /// Whether `begin` may be called.
    public var isReady: Bool { phase == .open && transaction == nil && probing == nil }
    public var isClosed: Bool { phase == .closed }
    /// What was said since the last transaction ended.
    public var transcriptLines: [String] { transcript.lines }

    /// How long what is awaited now may take, from the moment that `waits` changed last; nil when nothing is.
    public var deadline: Duration? {
        let timeouts = options.timeouts
        switch phase {
        case .closed: return nil
        case .handshake: return timeouts.handshake
        case .quitting: return timeouts.quit
        case .opening, .open: break
        }
        switch awaiting.first {
        case nil: return transaction == nil ? nil : timeouts.contentPiece
        case .greeting: return timeouts.greeting
        case .extendedHello, .hello, .startTLS, .reset: return timeouts.command
        case .mail: return timeouts.mail
        case .recipient: return timeouts.recipient
        case .data: return timeouts.data
        case .chunk: return timeouts.contentPiece
        case .endOfContent: return timeouts.endOfContent
        case .quit: return timeouts.quit
        }
    }

    /// The next action; nil when there is none until something happens.
    public mutating func next() -> SMTPClientAction? {
        if !actions.isEmpty { return actions.removeFirst() }
        guard !output.isEmpty else { return nil }
        defer { output = [] }
        return .send(output)
    }

    // MARK: Events

    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        while position < bytes.count, phase != .closed {
            guard phase != .handshake else { return fail(.octetsBeforeHandshake) }
            let received: ReceivedReply?
            do throws(ReplyError) { received = try parser.next(bytes, from: &position) } catch {
                if case .malformed(let line) = error { transcript.received([line]) }
                return fail(.malformedReply(error))
            }
            guard let received else { return }
            transcript.received(received.lines)
            hasUnread = position < bytes.count
            answered(received.reply)
            hasUnread = false
        }
    }

    /// The peer closed the connection, or the transport failed.
    public mutating func connectionClosed() { fail(.connectionClosed) }

    /// What is awaited did not come within `deadline`.
    public mutating func deadlinePassed() { fail(.timedOut) }

    /// The handshake is done: all that was said before it is forgotten (RFC 3207 §4.2).
    public mutating func tlsEstablished(_ parameters: TLSParameters? = nil) {
        guard phase == .handshake else { return }
        isEncrypted = true
        capabilities = ServerCapabilities()
        parser = ReplyParser(limits: options.limits)
        transcript.note(parameters.map { "\($0.version) \($0.cipher)" } ?? "TLS")
        phase = .opening
        sayHello()
    }

    /// Says QUIT where that is possible, and ends the session.
    public mutating func quit() {
        guard isReady else { return fail(.abandoned) }
        phase = .quitting
        send("QUIT", .quit)
    }

    /// Ends the session without a word.
    public mutating func abandon() { fail(.abandoned) }

    // MARK: Sending

    mutating func send(_ command: String, _ expectation: Expectation) {
        transcript.sent(command)
        write(command.utf8)
        write([ASCII.carriageReturn, ASCII.lineFeed])
        expect(expectation)
    }

    mutating func write(_ bytes: some Sequence<UInt8>) { output.append(contentsOf: bytes) }

    mutating func encode(_ bytes: [UInt8], with encoder: inout ContentEncoder) {
        bytes.withUnsafeBytes { encoder.encode($0, into: &output) }
    }

    mutating func finish(_ encoder: inout ContentEncoder) { encoder.finish(into: &output) }

    mutating func expect(_ expectation: Expectation) {
        if awaiting.isEmpty {
            waits &+= 1
            if hasUnread || parser.isInsideReply { isOutOfStep = true }
        }
        awaiting.append(expectation)
    }

    mutating func act(_ action: SMTPClientAction) {
        if !output.isEmpty {
            actions.append(.send(output))
            output = []
        }
        actions.append(action)
    }

    mutating func sayHello() {
        switch options.dialect {
        case .smtp: send("EHLO \(options.localName)", .extendedHello)
        case .lmtp: send("LHLO \(options.localName)", .extendedHello)
        }
    }

    // MARK: Replies

    private mutating func answered(_ reply: SMTPReply) {
        guard phase != .quitting else { return close() }
        guard reply.code != 421 else { return fail(.refused(reply)) }
        guard !isOutOfStep else { return fail(.unexpectedReply(reply)) }
        guard let expectation = awaiting.first else {
            // In the middle of DATA a server may say that it will not go on; whatever else comes unasked is none of ours.
            return fail(transaction != nil && reply.code >= 400 ? .refused(reply) : .unexpectedReply(reply))
        }
        waits &+= 1
        switch expectation {
        case .greeting, .extendedHello, .hello, .startTLS:
            awaiting.removeFirst()
            opening(expectation, reply)
        case .reset, .mail, .recipient, .data, .chunk, .endOfContent:
            if probing == nil { inTransaction(expectation, reply) } else { inProbe(expectation, reply) }
        case .quit: close()
        }
    }

    private mutating func opening(_ expectation: Expectation, _ reply: SMTPReply) {
        guard reply.code < 300 || reply.code >= 400 else { return fail(.unexpectedReply(reply), at: expectation) }
        switch expectation {
        case .greeting:
            guard reply.isPositive else { return fail(.refused(reply), at: expectation) }
            guard reply.code == 220 else { return fail(.unexpectedReply(reply), at: expectation) }
            sayHello()
        case .extendedHello:
            if reply.isPositive {
                capabilities = ServerCapabilities(reply: reply)
                greeted()
            } else if reply.code >= 500, options.dialect == .smtp {
                // RFC 5321 §3.2: a server without EHLO.
                send("HELO \(options.localName)", .hello)
            } else {
                fail(.refused(reply), at: expectation)
            }
        case .hello:
            guard reply.isPositive else { return fail(.refused(reply), at: expectation) }
            capabilities = ServerCapabilities()
            greeted()
        case .startTLS: startTLSAnswered(reply)
        case .reset, .mail, .recipient, .data, .chunk, .endOfContent, .quit: break
        }
    }

    private mutating func greeted() {
        guard !isEncrypted, options.tls != .none else { return becomeOpen() }
        if capabilities.startTLS {
            send("STARTTLS", .startTLS)
        } else if options.tls == .required {
            fail(.startTLSNotOffered, at: .startTLS)
        } else {
            becomeOpen()
        }
    }

    private mutating func startTLSAnswered(_ reply: SMTPReply) {
        guard reply.isPositive else {
            guard options.tls != .required else { return fail(.startTLSRefused(reply), at: .startTLS) }
            startTLSRefusal = reply
            return becomeOpen()
        }
        guard reply.code == 220 else { return fail(.unexpectedReply(reply), at: .startTLS) }
        guard !hasUnread else { return fail(.octetsBeforeHandshake, at: .startTLS) }
        phase = .handshake
        act(.startTLS)
    }

    private mutating func becomeOpen() {
        phase = .open
        act(.ready)
    }

    // MARK: The end

    /// - Parameter expectation: what was awaited, when it is no longer in `awaiting`.
    mutating func fail(_ cause: SMTPClientFailure, at expectation: Expectation? = nil) {
        guard phase != .closed else { return }
        guard phase != .quitting else { return close() }
        let stage = stage(of: expectation ?? awaiting.first)
        if transaction != nil {
            failTransaction(cause, stage: stage)
        } else if probing != nil {
            failProbe(cause, stage: stage)
        } else {
            act(.failed(SMTPSessionFailure(stage: stage, cause: cause)))
        }
        close()
    }

    mutating func close() {
        guard phase != .closed else { return }
        phase = .closed
        awaiting = []
        wantsContent = false
        act(.close)
    }

    private func stage(of expectation: Expectation?) -> SMTPClientStage {
        switch expectation {
        case nil: phase == .handshake ? .handshake : transaction == nil ? .idle : .content
        case .greeting: .greeting
        case .extendedHello, .hello: .hello
        case .startTLS: .startTLS
        case .reset, .mail: .mail
        case .recipient: .recipient
        case .data: .data
        case .chunk: .content
        case .endOfContent: .endOfContent
        case .quit: .quit
        }
    }
}
