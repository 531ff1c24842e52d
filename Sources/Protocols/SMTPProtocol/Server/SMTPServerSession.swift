internal import MartletBytes
public import MartletCore

/// The server's side of one SMTP, submission or LMTP session: bytes in, actions out (RFC 5321 §4, RFC 6409, RFC 2033).
///
/// Give it bytes with `receive` and take actions with `next` until it says `.needMore`. After an action that asks for a decision
/// (`sender`, `recipient`, `endMessage` …) call the function that its comment names before the next `next`. It keeps the input
/// that it has not looked at, so commands that are pipelined behind a decision wait, and memory is what one read brought.
public struct SMTPServerSession: ~Copyable, Sendable {
    public enum Role: Sendable, Hashable {
        /// Port 25: no AUTH.
        case relay
        /// Ports 587 and 465: AUTH before MAIL (RFC 6409 §4.3).
        case submission
        /// RFC 2033: LHLO, a reply for each recipient.
        case lmtp
    }

    enum Phase: Hashable {
        case command
        /// An action was returned that the driver has to answer.
        case waiting(Question)
        case authenticating
        case data
        /// `remaining` octets of a chunk; `refusal` when they are read and thrown away.
        case chunk(remaining: Int, isLast: Bool, refusal: SMTPReply?)
        case closed
    }

    enum Question: Hashable {
        case sender
        case recipient
        case message
        case authentication
        case handshake
    }

    struct Transaction {
        var reversePath: ReversePath
        var parameters: MailParameters
        var acceptedRecipients = 0
        /// BDAT has begun: only BDAT and RSET may follow (RFC 3030 §2).
        var hasChunks = false
        var contentSize = 0
        var decoder: ContentDecoder?
        /// That there are too many recipients was told, with a record.
        var isExcessTold = false
    }

    public let role: Role
    /// Our own name, as the greeting and EHLO tell it.
    public let hostname: String
    public let limits: SMTPLimits
    /// Mechanisms that AUTH offers; set anew by `tlsEstablished`.
    public private(set) var mechanisms: [String]
    /// Whether STARTTLS is offered; not once TLS is on.
    public private(set) var canStartTLS: Bool
    public private(set) var isAuthenticated = false
    /// What HELO, EHLO or LHLO said; nil before.
    public private(set) var clientName: String?
    /// Whether the client said EHLO or LHLO: for `with ESMTP` in Received.
    public private(set) var usesExtensions = false

    private let parser: SMTPCommandParser
    var input: [UInt8] = []
    /// Octets of `input` that are used up.
    var position = 0
    private var isSkippingLine = false
    private var skippedBytes = 0
    /// The limit that the line went over.
    private var skippedLimit = 0
    var phase = Phase.command
    var transaction: Transaction?
    private var transactions = 0
    var errors = 0
    private var refusedRecipients = 0
    private var excessRecipients = 0
    private var idleCommands = 0
    /// Lines and messages that were dealt with: a client that sends a line byte by byte makes none (RFC 5321 §4.5.3.2.7).
    public private(set) var steps: UInt64 = 0

    public init(role: Role, hostname: String, limits: SMTPLimits, canStartTLS: Bool, mechanisms: [String]) {
        self.role = role
        self.hostname = hostname
        self.limits = limits
        self.canStartTLS = canStartTLS
        self.mechanisms = mechanisms
        parser = SMTPCommandParser(limits: limits)
    }

    /// The greeting (RFC 5321 §3.1).
    public var greeting: SMTPReply { SMTPReply(220, nil, "\(hostname) \(role == .lmtp ? "LMTP" : "ESMTP") Martlet") }

    /// Whether MAIL was taken and neither RSET, EHLO nor the message's end has come since.
    public var isInTransaction: Bool { transaction != nil }

    /// Octets that wait.
    public var heldBytes: Int { input.count - position }

    // MARK: Events

    /// Takes what the peer sent, in pieces of any size. After the end of the session it is thrown away.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        guard phase != .closed else { return }
        if position == input.count {
            input.removeAll(keepingCapacity: input.capacity <= 16_384)
            position = 0
        } else if position > 65_536 {
            input.removeSubrange(..<position)
            position = 0
        }
        input.append(contentsOf: bytes)
    }

    /// The handshake is done: everything said before it is forgotten (RFC 3207 §4.2).
    public mutating func tlsEstablished(mechanisms: [String]) {
        precondition(phase == .waiting(.handshake), "TLS follows startTLS")
        self.mechanisms = mechanisms
        canStartTLS = false
        clientName = nil
        usesExtensions = false
        transaction = nil
        isAuthenticated = false
        input = []
        position = 0
        phase = .command
    }

    /// `reply` is positive when the sender is taken.
    public mutating func senderDecided(_ reply: SMTPReply) {
        precondition(phase == .waiting(.sender), "senderDecided answers .sender")
        if !reply.isPositive {
            transaction = nil
            errors += 1
        }
        phase = .command
    }

    /// `reply` is positive when the recipient is taken.
    public mutating func recipientDecided(_ reply: SMTPReply) {
        precondition(phase == .waiting(.recipient), "recipientDecided answers .recipient")
        if reply.isPositive { transaction?.acceptedRecipients += 1 } else { refusedRecipients += 1 }
        phase = .command
    }

    /// The message was stored (`isAccepted`) or refused; its replies are the driver's to send.
    public mutating func messageDecided(isAccepted: Bool = false) {
        precondition(phase == .waiting(.message), "messageDecided answers .endMessage and .refuseMessage")
        // Who brings mail may go on; the limits are for those who bring none.
        if isAccepted {
            errors = 0
            idleCommands = 0
        }
        steps += 1
        transaction = nil
        phase = .command
    }

    /// Gives the 334 line that carries a challenge (RFC 4954 §4).
    public mutating func authenticationChallenged(_ challenge: [UInt8]) -> SMTPReply {
        precondition(phase == .waiting(.authentication), "a challenge answers .authenticate")
        phase = .authenticating
        return SMTPReply(334, nil, String(decoding: Base64.encode(challenge), as: UTF8.self))
    }

    /// `reply` is positive when the client is logged in.
    public mutating func authenticationEnded(_ reply: SMTPReply) {
        precondition(phase == .waiting(.authentication), "authenticationEnded answers .authenticate")
        isAuthenticated = reply.isPositive
        if !reply.isPositive { errors += 1 }
        phase = .command
    }

    // MARK: Actions

    /// The next thing to do.
    public mutating func next() -> SMTPAction {
        switch phase {
        case .closed, .waiting: return .needMore
        case .command:
            guard errors <= limits.maximumErrors else {
                return close(SMTPReply(421, EnhancedStatus(4, 7, 0), "Too many errors"))
            }
            guard refusedRecipients < limits.maximumRefusedRecipients else {
                return close(SMTPReply(421, EnhancedStatus(4, 7, 0), "Too many refused recipients"))
            }
            guard excessRecipients <= limits.maximumExcessRecipients else {
                return close(SMTPReply(421, EnhancedStatus(4, 7, 0), "Too many recipients beyond the limit"))
            }
            guard idleCommands <= limits.maximumIdleCommands else {
                return close(SMTPReply(421, EnhancedStatus(4, 7, 0), "Too many commands without mail"))
            }
            // RFC 4954 §4: AUTH with its initial response may be as long as the lines of an exchange.
            return nextLine(limit: isAuthCommand ? limits.maximumAuthenticationLine : limits.maximumCommandLine)
        case .authenticating: return nextLine(limit: limits.maximumAuthenticationLine)
        case .data: return nextContent()
        case .chunk(let remaining, let isLast, let refusal):
            return nextChunk(remaining, isLast: isLast, refusal: refusal)
        }
    }

    mutating func close(_ reply: SMTPReply) -> SMTPAction {
        phase = .closed
        input = []
        position = 0
        return .replyAndClose(reply)
    }

    mutating func refuse(_ code: UInt16, _ enhanced: EnhancedStatus, _ text: String) -> SMTPAction {
        errors += 1
        return .refuse(SMTPReply(code, enhanced, text))
    }

    /// One line up to its CRLF. A line that ends otherwise ends the session, so that nothing behind it is taken for a command.
    private mutating func nextLine(limit: Int) -> SMTPAction {
        let start = position
        let lineFeed = input.withUnsafeBytes { $0.firstIndex(ofByte: ASCII.lineFeed, from: start) }
        guard let lineFeed else { return skipOrWait(from: start, limit: limit) }
        position = lineFeed + 1
        steps += 1
        let isTooLong = isSkippingLine || lineFeed + 1 - start > limit
        let limit = isSkippingLine ? skippedLimit : limit
        isSkippingLine = false
        skippedBytes = 0
        // Also a line that is too long ends with CR LF only.
        guard lineFeed > start, input[lineFeed - 1] == ASCII.carriageReturn else {
            return close(
                SMTPReply(500, EnhancedStatus(5, 5, 2), "A bare LF is no line end; lines end in CR LF (RFC 5321 2.3.8)")
            )
        }
        let line = input[start..<(lineFeed - 1)]
        if isTooLong {
            let isAuthentication = limit == limits.maximumAuthenticationLine
            if phase == .authenticating { phase = .command }
            // RFC 4954 §4 has its own code.
            return refuse(
                500, EnhancedStatus(5, 5, isAuthentication ? 6 : 2), "Line too long: \(limit) octets are the limit")
        }
        if line.contains(ASCII.carriageReturn) {
            return close(
                SMTPReply(500, EnhancedStatus(5, 5, 2), "A bare CR is no line end; lines end in CR LF (RFC 5321 2.3.8)")
            )
        }
        // What is no base 64 ends the exchange, a NUL too.
        if phase == .authenticating { return authenticationLine(line) }
        if line.contains(0) { return refuse(500, EnhancedStatus(5, 5, 2), "A command holds no NUL") }
        do throws(SMTPSyntaxError) {
            return perform(try parser.parse(line))
        } catch {
            if error.losesFraming { return close(error.reply) }
            errors += 1
            let reason: EnvelopeRefusal.Reason =
                error.reply == SMTPServerSession.needsSMTPUTF8 ? .needsSMTPUTF8 : .malformed
            switch error.path {
            case nil: return .refuse(error.reply)
            case .sender(let text): return .refuseEnvelope(error.reply, EnvelopeRefusal(reason, sender: text))
            case .recipient(let text):
                return .refuseEnvelope(
                    error.reply,
                    EnvelopeRefusal(reason, sender: transaction?.reversePath.text, recipient: text))
            }
        }
    }

    private static let needsSMTPUTF8 = SMTPReply(
        553, EnhancedStatus(5, 6, 7), "An address beyond ASCII needs SMTPUTF8")

    private var isAuthCommand: Bool {
        role == .submission && input.withUnsafeBytes { $0.hasPrefixIgnoringCase("auth ", at: position) }
    }

    /// There is no line end yet. What is beyond the limit is thrown away up to its end, and told once.
    private mutating func skipOrWait(from start: Int, limit: Int) -> SMTPAction {
        let count = input.count - start
        guard isSkippingLine || count > limit else { return .needMore }
        if !isSkippingLine { skippedLimit = limit }
        isSkippingLine = true
        skippedBytes += count
        // A CR may be the first half of the line's end.
        input = input.count > start && input.last == ASCII.carriageReturn ? [ASCII.carriageReturn] : []
        position = 0
        guard skippedBytes <= limits.maximumSkippedBytes else {
            return close(SMTPReply(500, EnhancedStatus(5, 5, 2), "The line does not end"))
        }
        return .needMore
    }

    private mutating func authenticationLine(_ line: ArraySlice<UInt8>) -> SMTPAction {
        if line.elementsEqual([UInt8(ascii: "*")]) {
            phase = .waiting(.authentication)
            return .authenticationResponse(nil)
        }
        guard let response = Base64.decode(line) else {
            phase = .command
            return refuse(501, EnhancedStatus(5, 5, 2), "This is not base 64")
        }
        phase = .waiting(.authentication)
        return .authenticationResponse(response)
    }

    private mutating func perform(_ command: SMTPCommand) -> SMTPAction {
        if let transaction, transaction.hasChunks {
            switch command {
            case .bdat, .rset, .noop, .quit: break
            case .helo, .ehlo, .lhlo, .mail, .rcpt, .data, .vrfy, .expn, .help, .startTLS, .auth:
                return refuse(503, EnhancedStatus(5, 5, 1), "BDAT has begun: send the rest, or RSET")
            }
        }
        switch command {
        case .helo, .ehlo, .lhlo, .rset, .noop, .vrfy, .help, .bdat(size: 0, isLast: false): idleCommands += 1
        case .mail, .rcpt, .data, .bdat, .expn, .quit, .startTLS, .auth: break
        }
        switch command {
        case .helo(let name):
            guard role != .lmtp else { return refuse(500, EnhancedStatus(5, 5, 1), "This is LMTP: say LHLO") }
            return hello(name, extended: false)
        case .ehlo(let name):
            guard role != .lmtp else { return refuse(500, EnhancedStatus(5, 5, 1), "This is LMTP: say LHLO") }
            return hello(name, extended: true)
        case .lhlo(let name):
            guard role == .lmtp else { return refuse(500, EnhancedStatus(5, 5, 1), "This is SMTP: say EHLO") }
            return hello(name, extended: true)
        case .mail(let path, let parameters): return mail(path, parameters)
        case .rcpt(let path, let parameters, let isEightBit):
            return recipient(path, parameters, isEightBit: isEightBit)
        case .data: return data()
        case .bdat(let size, let isLast): return beginChunk(size, isLast: isLast)
        case .rset:
            let hadContent = transaction?.hasChunks == true
            transaction = nil
            return hadContent ? .abandonMessage : .reply(SMTPServerSession.ok)
        case .noop: return .reply(SMTPServerSession.ok)
        case .vrfy:
            return .reply(SMTPReply(252, EnhancedStatus(2, 5, 0), "Not verified here; send the message and see"))
        case .expn: return refuse(502, EnhancedStatus(5, 5, 1), "Lists are not told")
        case .help:
            return .reply(
                SMTPReply(
                    214, EnhancedStatus(2, 0, 0),
                    "Commands: HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS AUTH (RFC 5321)"))
        case .quit: return close(SMTPReply(221, EnhancedStatus(2, 0, 0), "\(hostname) closing the connection"))
        case .startTLS: return startTLS()
        case .auth(let mechanism, let response): return authenticate(mechanism, response)
        }
    }

    /// The reply to RSET after `.abandonMessage`.
    public static let ok = SMTPReply(250, EnhancedStatus(2, 0, 0), "Ok")

    private mutating func hello(_ name: String, extended: Bool) -> SMTPAction {
        clientName = name
        usesExtensions = extended
        transaction = nil
        guard extended else { return .reply(SMTPReply(250, nil, hostname)) }
        return .reply(SMTPReply(250, nil, lines: ["\(hostname) greets you"] + extensions))
    }

    /// What EHLO announces.
    public var extensions: [String] {
        var list = [
            "PIPELINING", "SIZE \(limits.maximumMessageSize)", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME",
            "ENHANCEDSTATUSCODES", "DSN",
            "LIMITS RCPTMAX=\(limits.maximumRecipients) MAILMAX=\(limits.maximumTransactions)",
        ]
        if canStartTLS { list.append("STARTTLS") }
        if role == .submission, !isAuthenticated, !mechanisms.isEmpty {
            list.append("AUTH " + mechanisms.joined(separator: " "))
        }
        return list
    }

    private mutating func mail(_ path: ReversePath, _ parameters: MailParameters) -> SMTPAction {
        guard clientName != nil else {
            return refuse(503, EnhancedStatus(5, 5, 1), "Say \(role == .lmtp ? "LHLO" : "EHLO") first")
        }
        guard transaction == nil else {
            return refuse(503, EnhancedStatus(5, 5, 1), "A transaction is under way; RSET ends it")
        }
        if role == .submission, !isAuthenticated {
            errors += 1
            return .refuseEnvelope(
                SMTPReply(530, EnhancedStatus(5, 7, 0), "Authentication required"),
                EnvelopeRefusal(.authenticationRequired, sender: path.text))
        }
        guard transactions < limits.maximumTransactions else {
            return close(
                SMTPReply(
                    421, EnhancedStatus(4, 7, 0),
                    "\(limits.maximumTransactions) messages a connection are the limit; connect again"))
        }
        if let size = parameters.size, size > limits.maximumMessageSize {
            errors += 1
            return .refuseEnvelope(
                SMTPReply(
                    552, EnhancedStatus(5, 3, 4), "Message too large: \(limits.maximumMessageSize) octets are the limit"
                ),
                EnvelopeRefusal(.declaredTooLarge(size, limit: limits.maximumMessageSize), sender: path.text))
        }
        transactions += 1
        transaction = Transaction(reversePath: path, parameters: parameters)
        phase = .waiting(.sender)
        return .sender(path, parameters)
    }

    private mutating func recipient(
        _ path: ForwardPath, _ parameters: RecipientParameters, isEightBit: Bool
    ) -> SMTPAction {
        guard let transaction else { return refuse(503, EnhancedStatus(5, 5, 1), "MAIL comes first") }
        guard transaction.acceptedRecipients < limits.maximumRecipients else {
            // No error of the client's, which may well have sent a thousand RCPTs at once (RFC 5321 §4.5.3.1.10).
            excessRecipients += 1
            let reply = SMTPReply(
                452, EnhancedStatus(4, 5, 3),
                "\(limits.maximumRecipients) recipients a message are the limit; send the rest in another")
            guard !transaction.isExcessTold else { return .refuse(reply) }
            self.transaction?.isExcessTold = true
            return .refuseEnvelope(
                reply,
                EnvelopeRefusal(
                    .tooManyRecipients(limit: limits.maximumRecipients), sender: transaction.reversePath.text,
                    recipient: path.text))
        }
        if isEightBit, !transaction.parameters.usesSMTPUTF8 {
            errors += 1
            return .refuseEnvelope(
                SMTPServerSession.needsSMTPUTF8,
                EnvelopeRefusal(.needsSMTPUTF8, sender: transaction.reversePath.text, recipient: path.text))
        }
        phase = .waiting(.recipient)
        return .recipient(path, parameters)
    }

    private mutating func startTLS() -> SMTPAction {
        guard canStartTLS else { return refuse(502, EnhancedStatus(5, 5, 1), "TLS is not to be had, or is on already") }
        guard transaction == nil else { return refuse(503, EnhancedStatus(5, 5, 1), "Not during a transaction") }
        guard position == input.count else {
            // Bytes behind the command came before the handshake and were not encrypted: an attacker's, or a confused client's
            // (CVE-2011-0411; RFC 3207 §6).
            return close(SMTPReply(503, EnhancedStatus(5, 5, 1), "Nothing may be pipelined behind STARTTLS"))
        }
        phase = .waiting(.handshake)
        return .startTLS(SMTPReply(220, EnhancedStatus(2, 0, 0), "Ready to start TLS"))
    }

    private mutating func authenticate(_ mechanism: String, _ response: [UInt8]?) -> SMTPAction {
        guard role == .submission else {
            return refuse(502, EnhancedStatus(5, 5, 1), "AUTH is for the submission ports, 587 and 465")
        }
        guard clientName != nil else { return refuse(503, EnhancedStatus(5, 5, 1), "Say EHLO first") }
        guard !isAuthenticated, transaction == nil else {
            return refuse(503, EnhancedStatus(5, 5, 1), "AUTH comes once, before MAIL")
        }
        phase = .waiting(.authentication)
        return .authenticate(mechanism: mechanism, initialResponse: response)
    }
}
