internal import Authentication
internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
public import NIOCore
public import NetworkTransport
internal import Records
internal import SMTPProtocol

/// One client of SMTP, submission or LMTP: an actor on its connection's event loop that drives the pure session.
///
/// Decisions on senders and recipients are made at once, from memory. A message waits for its commit; input that comes
/// meanwhile is kept up to a bound and then no longer read.
public actor SMTPConnection: ConnectionSession {
    nonisolated let connection: Connection
    nonisolated let service: SMTPService

    var session: SMTPServerSession
    var account: AuthenticatedAccount?
    var exchange: SASLExchange?
    var envelope: Envelope?
    var intake: MessageIntake?
    private var messageBegan: Instant?
    private var messageBytes = 0
    /// `session.steps` when the deadline was set: a line that comes byte by byte does not move it.
    private var stepsAtDeadline: UInt64 = 0
    private var isRunning = false
    /// The client has said its last word, and still reads.
    private var isInputEnded = false
    private(set) var isOver = false
    private var isServerClosing = false
    /// The server ends, and waits for this message as long as `closingGrace`.
    private var isLastMessage = false
    private var protocolErrors = ProtocolErrors()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }

    init(_ connection: Connection, service: SMTPService) {
        self.connection = connection
        self.service = service
        session = SMTPServerSession(
            role: service.role, hostname: service.configuration.hostname, limits: service.configuration.limits,
            canStartTLS: connection.canStartTLS, mechanisms: [])
    }

    // MARK: The transport's events

    public func opened() {
        let mechanisms =
            service.role == .submission
            ? service.authenticator.mechanisms(isTLS: connection.tls != nil, isLoopback: connection.isLoopback) : []
        session = SMTPServerSession(
            role: service.role, hostname: service.configuration.hostname, limits: service.configuration.limits,
            canStartTLS: connection.canStartTLS, mechanisms: mechanisms)
        connection.setDeadline(after: service.configuration.commandTimeout)
        send(session.greeting)
    }

    public func received(_ bytes: ByteBuffer) {
        guard !isOver else { return }
        bytes.withUnsafeReadableBytes { session.receive($0) }
        if isRunning {
            if session.heldBytes > service.configuration.readAheadBytes { connection.pauseReading() }
            return
        }
        isRunning = true
        Task.immediate { [self] in await run() }
    }

    public func tlsEstablished() {
        session.tlsEstablished(
            mechanisms: service.role == .submission
                ? service.authenticator.mechanisms(isTLS: true, isLoopback: connection.isLoopback) : [])
        // What was proved before the handshake counts no more (RFC 3207 §4.2).
        envelope = nil
        account = nil
        exchange = nil
        connection.setDeadline(after: service.configuration.commandTimeout)
    }

    public func deadlinePassed() {
        guard !isOver else { return }
        guard !isRunning else {
            if isLastMessage { connection.setDeadline(after: .milliseconds(100)) }
            return
        }
        if isLastMessage {
            return end(
                "The server was shut down in the middle of the message; nothing was taken.",
                Self.shuttingDown(service.configuration.hostname))
        }
        end(
            "The client was silent for too long.",
            SMTPReply(421, EnhancedStatus(4, 4, 2), "\(service.configuration.hostname) timed out waiting for you"))
    }

    public func inputEnded() {
        isInputEnded = true
        if !isRunning, !isOver { connection.close() }
    }

    public func closed(_ reason: CloseReason) {
        isOver = true
        if let intake, !isRunning {
            intake.discard()
            self.intake = nil
            recordConnection("The connection ended in the middle of a message; nothing was taken.", reply: nil)
        } else if case .tlsFailed(let reason) = reason {
            recordConnection("The TLS handshake failed: \(reason)", reply: nil)
        } else if let decision = protocolErrors.take() {
            record([decision], reply: nil)
        }
    }

    public func serverIsClosing() {
        guard !isOver else { return }
        isServerClosing = true
        guard !isRunning else { return }
        let reply = Self.shuttingDown(service.configuration.hostname)
        guard messageBegan != nil else { return sayGoodbye(reply) }
        // A message on its way may end: its sender would have to send all of it again.
        guard !isLastMessage else { return }
        isLastMessage = true
        connection.setDeadline(after: service.configuration.closingGrace)
    }

    private static func shuttingDown(_ hostname: String) -> SMTPReply {
        SMTPReply(421, EnhancedStatus(4, 3, 2), "\(hostname) is shutting down")
    }

    // MARK: Work

    private func run() async {
        while !isOver {
            let action = session.next()
            // RSET, EHLO and a refused MAIL end a transaction without another word.
            if !session.isInTransaction { envelope = nil }
            switch action {
            case .needMore:
                return rest()
            case .reply(let reply):
                send(reply)
            case .refuse(let reply):
                service.logger.debug(
                    "command refused", metadata: ["connection": "\(connection.number)", "reply": "\(reply)"])
                protocolErrors.note(reply)
                send(reply)
            case .refuseEnvelope(let reply, let refusal):
                send(refuseEnvelope(reply, refusal))
            case .replyAndClose(let reply):
                if reply.code == 221 {
                    sayGoodbye(reply)
                } else {
                    end("The session was ended: \(reply.lines.joined(separator: " ")).", reply)
                }
            case .startTLS(let reply):
                beginTLS(reply)
            case .authenticate(let mechanism, let response):
                await authenticate(mechanism, response)
            case .authenticationResponse(let response):
                await authenticationReceived(response)
            case .sender(let path, let parameters):
                guard await loginHolds() else {
                    envelope = Envelope(reversePath: path, parameters: parameters)
                    let (decision, _) = Self.loginEnded
                    end(
                        decision,
                        SMTPReply(
                            421, EnhancedStatus(4, 7, 0), "Your login is no longer valid; connect and log in again"))
                    break
                }
                let reply = decideSender(path, parameters)
                session.senderDecided(reply)
                send(reply)
            case .recipient(let path, let parameters):
                let reply = decideRecipient(path, parameters)
                session.recipientDecided(reply)
                send(reply)
            case .beginMessage:
                beginMessage()
                if let reply = session.dataReply { send(reply) }
            case .content(let bytes):
                messageBytes += bytes.count
                intake?.append(bytes)
            case .abandonMessage:
                intake?.discard()
                intake = nil
                messageBegan = nil
                send(SMTPServerSession.ok)
            case .refuseMessage(let reply, let reason):
                refuseMessage(reply, reason)
            case .endMessage:
                await endMessage()
            }
        }
        isRunning = false
    }

    private func rest() {
        isRunning = false
        connection.flush()
        guard !isOver else { return }
        if isServerClosing {
            serverIsClosing()
            if !isOver { connection.resumeReading() }
            return
        }
        if isInputEnded { return connection.close() }
        connection.resumeReading()
        guard let began = messageBegan else {
            if session.steps != stepsAtDeadline {
                stepsAtDeadline = session.steps
                connection.setDeadline(after: service.configuration.commandTimeout)
            }
            return
        }
        let configuration = service.configuration
        let elapsed = service.clock.now() - began
        if elapsed > configuration.slowGrace, configuration.minimumDataRate > 0 {
            let seconds = elapsed.components.seconds
            if messageBytes / max(1, Int(seconds)) < configuration.minimumDataRate {
                return end(
                    "The message came at less than \(configuration.minimumDataRate) octets a second.",
                    SMTPReply(
                        421, EnhancedStatus(4, 4, 2),
                        "Too slow: \(configuration.minimumDataRate) octets a second are the least"))
            }
        }
        connection.setDeadline(after: configuration.dataTimeout)
    }

    func send(_ reply: SMTPReply) {
        var bytes: [UInt8] = []
        reply.append(to: &bytes)
        connection.write(bytes)
    }

    func send(_ bytes: [UInt8]) { connection.write(bytes) }

    /// Ends the session for a reason that is recorded; the reply carries the record's code.
    private func end(_ summary: String, _ reply: SMTPReply) {
        end(Self.connectionDecision(summary, isTemporary: reply.code < 500), reply)
    }

    private func end(_ decision: Decision, _ reply: SMTPReply) {
        var reply = reply
        // What went wrong before belongs to the same story.
        let written = record((protocolErrors.take().map { [$0] } ?? []) + [decision], reply: reply.description)
        reply.lines[reply.lines.count - 1] += SMTPService.mention(written)
        sayGoodbye(reply)
    }

    private static func connectionDecision(_ summary: String, isTemporary: Bool) -> Decision {
        Decision(
            check: "connection", outcome: isTemporary ? .defer : .refuse, summary: summary,
            reference: "RFC 5321 §3.8")
    }

    private func sayGoodbye(_ reply: SMTPReply) {
        guard !isOver else { return }
        isOver = true
        intake?.discard()
        intake = nil
        send(reply)
        connection.close()
    }

    private func beginTLS(_ reply: SMTPReply) {
        do { try connection.startTLS(after: reply.bytes) } catch {
            service.logger.error("STARTTLS failed", metadata: ["reason": "\(error)"])
            sayGoodbye(SMTPReply(421, EnhancedStatus(4, 7, 0), "TLS is not available now"))
        }
    }

    private func beginMessage() {
        guard var envelope else { return }
        messageBegan = service.clock.now()
        messageBytes = 0
        let now = service.clock.now()
        let code = service.authenticator.codes.next(at: now)
        envelope.code = code
        self.envelope = envelope
        do throws(StoreError) {
            let spool = try service.store.makeSpool()
            let trace = traceFields(envelope, code: code, now: now)
            let isSubmission = service.role == .submission
            var looks: MessageIntake.Looks = isSubmission ? [.originators] : []
            if envelope.parameters.body == .binaryMIME { looks.insert(.lines) }
            let limit = service.configuration.maximumHeaderSize
            intake = MessageIntake(spool: spool, maximumHeaderSize: limit, looks: looks) { scan in
                // RFC 6409 §8: what a user's program left out is added; a relay changes nothing.
                var fields = trace.received
                if isSubmission {
                    if !scan.hasDate { fields += Array("Date: \(trace.date)\r\n".utf8) }
                    if !scan.hasMessageID { fields += Array("Message-ID: <\(code)@\(trace.hostname)>\r\n".utf8) }
                }
                return fields
            }
        } catch {
            intake = nil
            envelope.failure = error
            self.envelope = envelope
        }
    }

    /// Ends the transaction on our side; the session ends its own.
    func messageEnded(isAccepted: Bool = false) {
        intake = nil
        messageBegan = nil
        envelope = nil
        session.messageDecided(isAccepted: isAccepted)
    }

    func peer() -> Record.Peer {
        Record.Peer(
            address: connection.peerAddress, helo: session.clientName, tls: connection.tls, login: account?.login)
    }

    private func recordConnection(_ summary: String, reply: String?) {
        let decision = Self.connectionDecision(summary, isTemporary: false)
        record((protocolErrors.take().map { [$0] } ?? []) + [decision], reply: reply)
    }

    @discardableResult
    private func record(_ decisions: [Decision], reply: String?) -> LookupCode? {
        let now = service.clock.now()
        return service.writeRefusal(
            Record(
                code: service.authenticator.codes.next(at: now), kind: .connection, at: now,
                service: connection.service, peer: peer(),
                sender: envelope?.reversePath.text, recipients: envelope?.recipients.map(\.text) ?? [],
                decisions: decisions, reply: reply), of: network)
    }
}
