public import MartletCore

extension SMTPClientSession {
    /// Asks whether the server takes a recipient: MAIL FROM:<>, RCPT, RSET, one after the other, and never DATA. The session is ready;
    /// it answers with `.probeEnded`, and is ready again unless it has ended. A positive answer promises nothing: a server may still
    /// refuse the message (RFC 5321 §3.3).
    public mutating func probe(_ recipient: EmailAddress) {
        precondition(isReady, "a probe begins when the session is ready")
        var state = SMTPProbeResult()
        guard !recipient.needsSMTPUTF8 || capabilities.smtpUTF8 else {
            state.needsSMTPUTF8 = true
            return endProbe(state)
        }
        probing = ProbeState(recipient: recipient, result: state)
        send("MAIL FROM:<>" + (recipient.needsSMTPUTF8 ? " SMTPUTF8" : ""), .mail)
    }

    /// A reply to one of the probe's commands.
    mutating func inProbe(_ expectation: Expectation, _ reply: SMTPReply) {
        guard var state = probing else { return fail(.unexpectedReply(reply)) }
        guard reply.code < 300 || reply.code >= 400 else { return fail(.unexpectedReply(reply)) }
        awaiting.removeFirst()
        switch expectation {
        case .mail:
            state.result.senderReply = reply
            probing = state
            guard reply.isPositive else { return endProbe(state.result) }
            send("RCPT TO:<\(state.recipient)>", .recipient(0))
        case .recipient:
            state.result.recipientReply = reply
            probing = state
            send("RSET", .reset)
        // Whatever it says to RSET, all that was asked is known.
        default: endProbe(state.result)
        }
    }

    /// The session ends in the middle of it.
    mutating func failProbe(_ cause: SMTPClientFailure, stage: SMTPClientStage) {
        guard var state = probing else { return }
        if case .refused(let reply) = cause {
            if stage == .mail, state.result.senderReply == nil { state.result.senderReply = reply }
            if stage == .recipient { state.result.recipientReply = reply }
        }
        state.result.failure = SMTPSessionFailure(stage: stage, cause: cause)
        finishProbe(state.result)
    }

    private mutating func endProbe(_ result: SMTPProbeResult) {
        finishProbe(result)
        act(.ready)
    }

    private mutating func finishProbe(_ result: SMTPProbeResult) {
        var result = result
        result.transcript = transcript.lines
        probing = nil
        transcript = Transcript(maximumLines: options.limits.maximumTranscriptLines)
        act(.probeEnded(result))
    }
}

/// How far a probe has come.
struct ProbeState: Sendable {
    let recipient: EmailAddress
    var result: SMTPProbeResult
}
