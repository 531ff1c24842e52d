internal import MartletCore

extension SMTPClientSession {
    /// Begins a transaction; the session is ready. What the server cannot take is answered at once, with nothing sent.
    /// - Parameter allowsEarlyContent: a small message may go in one write with MAIL and RCPT. Not on a connection that has been idle
    ///   and may be dead: what was sent on one like that may or may not have been taken.
    public mutating func begin(_ request: SMTPClientTransaction, allowsEarlyContent: Bool = true) {
        precondition(isReady, "a transaction begins when the session is ready")
        precondition(!request.recipients.isEmpty, "a transaction has recipients")
        guard capabilities.takes(request.body) else { return act(.needsDowngrade) }
        var state = ClientTransactionState(
            request, offered: capabilities, limits: options.limits, allowsEarly: allowsEarlyContent)
        if let limit = capabilities.maximumSize, request.size > limit {
            state.decideAll(.tooLarge(limit: limit), at: .mail)
        }
        if !capabilities.smtpUTF8 {
            if request.wholeNeedsSMTPUTF8 { state.decideAll(.needsSMTPUTF8, at: .mail) }
            for (index, recipient) in request.recipients.enumerated() where recipient.address.needsSMTPUTF8 {
                state.decide(index, .needsSMTPUTF8, at: .recipient)
            }
        }
        if state.isDecided { state.phase = .draining }
        if !state.isDecided {
            transactions += 1
            if transactions > 1 { transcript.note("transaction \(transactions) of this connection") }
        }
        transaction = state
        advance()
    }

    /// The next piece of the content that `.wantContent` asked for. Ignored when it is not wanted any more.
    public mutating func content(_ bytes: [UInt8], isLast: Bool) {
        guard wantsContent, var state = transaction.take() else { return }
        wantsContent = false
        waits &+= 1
        state.sentOctets += bytes.count
        if state.usesChunks {
            sendChunk(bytes, isLast: isLast, &state)
        } else {
            encode(bytes, with: &state.encoder)
            if isLast {
                transcript.note("\(state.sentOctets) octets of message")
                transcript.sent(".")
                finish(&state.encoder)
            }
        }
        if isLast {
            state.phase = .sent
            expect(.endOfContent)
        }
        transaction = state
        if !isLast, !state.usesChunks || capabilities.pipelining { wantContent() }
    }

    /// The content cannot be read: the session ends, since what was begun cannot be taken back (RFC 5321 §4.1.1.4).
    public mutating func contentUnavailable() {
        guard transaction != nil else { return }
        fail(.contentUnavailable)
    }

    /// BDAT (RFC 3030 §2).
    private mutating func sendChunk(_ bytes: [UInt8], isLast: Bool, _ state: inout ClientTransactionState) {
        var chunk: [UInt8] = []
        bytes.withUnsafeBytes { state.encoder.encode($0, into: &chunk) }
        if isLast { state.encoder.finish(into: &chunk) }
        let command = "BDAT \(chunk.count)" + (isLast ? " LAST" : "")
        transcript.sent(command)
        write(command.utf8)
        write([0x0D, 0x0A])
        write(chunk)
        if isLast {
            transcript.note("\(state.sentOctets) octets of message")
        } else {
            expect(.chunk)
        }
    }

    private mutating func wantContent() {
        wantsContent = true
        act(.wantContent)
    }

    // MARK: Going on

    /// Sends what can be sent now: with PIPELINING as much as there is, else one command (RFC 2920 §3.1).
    mutating func advance() {
        while var state = transaction.take() {
            let isChanged = step(&state)
            let isDone = awaiting.isEmpty && (state.phase == .sent || state.phase == .draining)
            guard !isDone else { return endTransaction(state) }
            transaction = state
            guard isChanged else { return }
        }
    }

    /// Whether anything was done.
    private mutating func step(_ state: inout ClientTransactionState) -> Bool {
        let maySend = capabilities.pipelining || awaiting.isEmpty
        switch state.phase {
        case .envelope(let sent):
            guard maySend else { return false }
            if needsReset {
                needsReset = false
                send("RSET", .reset)
            } else {
                sendEnvelope(sent, &state)
            }
            return true
        case .body: return maySend && beginBody(&state)
        case .data, .content, .sent, .draining: return false
        }
    }

    private mutating func sendEnvelope(_ sent: Int, _ state: inout ClientTransactionState) {
        if sent == 0 {
            send(state.request.mailCommand(capabilities), .mail)
        } else if state.results[sent - 1] == nil {
            send(
                state.request.recipientCommand(sent - 1, capabilities, saidSMTPUTF8: state.saysSMTPUTF8),
                .recipient(sent - 1))
        }
        state.phase = sent < state.request.recipients.count ? .envelope(sent: sent + 1) : .body
    }

    /// Whether something changed.
    private mutating func beginBody(_ state: inout ClientTransactionState) -> Bool {
        if state.usesChunks {
            guard state.isEarly || awaiting.isEmpty else { return false }
        }
        if awaiting.isEmpty, state.taken.isEmpty {
            needsReset = true
            state.phase = .draining
        } else if state.usesChunks {
            state.phase = .content
            wantContent()
        } else {
            state.phase = .data
            send("DATA", .data)
        }
        return true
    }

    private mutating func endTransaction(_ state: ClientTransactionState) {
        finish(state, otherwise: .failed(.abandoned), isStale: false)
        act(.ready)
    }

    private mutating func finish(
        _ state: ClientTransactionState, otherwise outcome: SMTPTransactionResult.Outcome, isStale: Bool
    ) {
        act(
            .transactionEnded(
                SMTPTransactionResult(
                    recipients: state.recipients(otherwise: outcome), passedDSN: capabilities.dsn,
                    isStaleConnection: isStale, transcript: transcript.lines)))
        transcript = Transcript(maximumLines: options.limits.maximumTranscriptLines)
    }

    // MARK: Replies

    mutating func inTransaction(_ expectation: Expectation, _ reply: SMTPReply) {
        guard var state = transaction.take() else { return fail(.unexpectedReply(reply)) }
        state.hasReply = true
        let failure = taken(expectation, reply, &state)
        transaction = state
        guard failure == nil else { return fail(failure ?? .unexpectedReply(reply), at: expectation) }
        advance()
    }

    /// What the session fails with.
    private mutating func taken(
        _ expectation: Expectation, _ reply: SMTPReply, _ state: inout ClientTransactionState
    ) -> SMTPClientFailure? {
        let isIntermediate = reply.code >= 300 && reply.code < 400
        guard isIntermediate == (expectation == .data) || !reply.isPositive else { return .unexpectedReply(reply) }
        if expectation != .endOfContent || !awaitsMore(&state) { awaiting.removeFirst() }
        switch expectation {
        case .reset: return reply.isPositive ? nil : .unexpectedReply(reply)
        case .mail: mailAnswered(reply, &state)
        case .recipient(let index): recipientAnswered(index, reply, &state)
        case .data: return dataAnswered(reply, &state)
        case .chunk: return chunkAnswered(reply, &state)
        case .endOfContent: contentAnswered(reply, &state)
        case .greeting, .extendedHello, .hello, .startTLS, .quit: break
        }
        return nil
    }

    private mutating func mailAnswered(_ reply: SMTPReply, _ state: inout ClientTransactionState) {
        state.isMailTaken = reply.isPositive
        guard !reply.isPositive else { return }
        state.decideAll(.refused(reply), at: .mail)
        stopSending(&state)
    }

    private mutating func recipientAnswered(_ index: Int, _ reply: SMTPReply, _ state: inout ClientTransactionState) {
        if !reply.isPositive {
            state.decide(index, .refused(reply), at: .recipient)
        } else if state.results[index] == nil {
            state.taken.append(index)
        }
        if state.isDecided, state.phase == .content { stopSending(&state) }
    }

    /// Nobody is left to send for. DATA that is on its way is still answered.
    private mutating func stopSending(_ state: inout ClientTransactionState) {
        wantsContent = false
        switch state.phase {
        case .envelope, .body, .content:
            if state.isMailTaken { needsReset = true }
            state.phase = .draining
        case .data, .sent, .draining: break
        }
    }

    private mutating func dataAnswered(
        _ reply: SMTPReply, _ state: inout ClientTransactionState
    ) -> SMTPClientFailure? {
        guard reply.isPositive else {
            if state.isMailTaken { needsReset = true }
            state.decideAll(.refused(reply), at: .data)
            state.phase = .draining
            return nil
        }
        guard state.isDecided else {
            state.phase = .content
            wantContent()
            return nil
        }
        // RFC 2920 §3.1: a server that wants content for nobody gets an empty one. LMTP has no answer to that.
        guard options.dialect == .smtp else { return .unexpectedReply(reply) }
        transcript.sent(".")
        write([UInt8(ascii: "."), 0x0D, 0x0A])
        expect(.endOfContent)
        state.phase = .draining
        return nil
    }

    private mutating func chunkAnswered(
        _ reply: SMTPReply, _ state: inout ClientTransactionState
    ) -> SMTPClientFailure? {
        if !reply.isPositive {
            // RFC 3030 §2: what follows is refused too, and RSET has to come before anything else. How LMTP counts the answers
            // to what follows is not told.
            guard options.dialect == .smtp else { return .refused(reply) }
            needsReset = true
            state.decideAll(.refused(reply), at: .content)
            stopSending(&state)
        } else if state.phase == .content, !wantsContent {
            wantContent()
        }
        return nil
    }

    /// LMTP: a reply for each recipient that RCPT took (RFC 2033 §4.2). Whether another than the present one is to come.
    private func awaitsMore(_ state: inout ClientTransactionState) -> Bool {
        guard options.dialect == .lmtp else { return false }
        state.answersTaken += 1
        return state.answersTaken < state.taken.count
    }

    private mutating func contentAnswered(_ reply: SMTPReply, _ state: inout ClientTransactionState) {
        if state.usesChunks, !reply.isPositive { needsReset = true }
        let outcome: SMTPTransactionResult.Outcome = reply.isPositive ? .accepted(reply) : .refused(reply)
        if options.dialect == .lmtp, state.answersTaken <= state.taken.count, !state.taken.isEmpty {
            state.decide(state.taken[state.answersTaken - 1], outcome, at: .endOfContent)
        } else {
            state.decideAll(outcome, at: .endOfContent)
        }
    }

    // MARK: The end

    mutating func failTransaction(_ cause: SMTPClientFailure, stage: SMTPClientStage) {
        guard var state = transaction.take() else { return }
        let outcome: SMTPTransactionResult.Outcome =
            switch cause {
            case .refused(let reply): .refused(reply)
            default: state.phase == .sent ? .unknown(cause) : .failed(cause)
            }
        state.decideAll(outcome, at: state.phase == .sent ? .endOfContent : stage)
        let isStale = transactions > 1 && !state.hasReply && cause == .connectionClosed && state.phase != .sent
        finish(state, otherwise: outcome, isStale: isStale)
    }
}
