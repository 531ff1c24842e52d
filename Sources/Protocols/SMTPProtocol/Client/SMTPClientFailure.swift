public import MartletCore

/// Where in the conversation something was decided.
public enum SMTPClientStage: String, Sendable, Hashable, CaseIterable {
    case greeting
    /// EHLO, HELO or LHLO.
    case hello
    case startTLS = "STARTTLS"
    case handshake
    /// Between transactions.
    case idle
    case mail = "MAIL"
    case recipient = "RCPT"
    case data = "DATA"
    /// While the message was being sent.
    case content
    /// When the message was sent and the answer was awaited.
    case endOfContent
    case quit = "QUIT"
}

/// What ended a session. Nothing of it is final: another try may do better.
public enum SMTPClientFailure: Error, Sendable, Hashable {
    /// A reply that leaves nothing to go on with: a greeting of 4yz or 5yz, HELO refused, 421, a refusal in the middle of content.
    case refused(SMTPReply)
    /// A reply that cannot be one to what was asked, or one that nobody asked for.
    case unexpectedReply(SMTPReply)
    case malformedReply(ReplyError)
    case connectionClosed
    /// The answer did not come within its time.
    case timedOut
    /// TLS is required and not offered.
    case startTLSNotOffered
    /// TLS is required, and the server refused to begin it.
    case startTLSRefused(SMTPReply)
    /// Octets came behind the answer to STARTTLS and before the handshake: from anybody on the way (RFC 3207 §6).
    case octetsBeforeHandshake
    /// Our own side could not give the content.
    case contentUnavailable
    /// Our own side ended the session.
    case abandoned

    /// What the server said, where that is what went wrong.
    public var reply: SMTPReply? {
        switch self {
        case .refused(let reply), .unexpectedReply(let reply), .startTLSRefused(let reply): reply
        case .malformedReply, .connectionClosed, .timedOut, .startTLSNotOffered, .octetsBeforeHandshake,
            .contentUnavailable, .abandoned:
            nil
        }
    }

    /// RFC 3463 §3.5, §3.6, §3.8.
    public var status: EnhancedStatus {
        switch self {
        case .refused(let reply): reply.enhanced ?? EnhancedStatus(reply.code < 500 ? 4 : 5, 0, 0)
        case .unexpectedReply, .malformedReply, .octetsBeforeHandshake: EnhancedStatus(4, 5, 0)
        case .connectionClosed, .timedOut: EnhancedStatus(4, 4, 2)
        case .startTLSNotOffered, .startTLSRefused: EnhancedStatus(4, 7, 5)
        case .contentUnavailable, .abandoned: EnhancedStatus(4, 3, 0)
        }
    }

    /// One line for people.
    public var text: String {
        switch self {
        case .refused(let reply): "\(reply)"
        case .unexpectedReply(let reply): "the server answered out of turn: \(reply)"
        case .malformedReply(.malformed(let line)): "the server sent what is no reply: \(line)"
        case .malformedReply(.contradictory(let first, let last)):
            "the lines of the server's reply contradict each other: \(first) and \(last)"
        case .malformedReply(.tooLong(let limit)): "the server's reply is longer than \(limit) octets"
        case .connectionClosed: "the connection was lost"
        case .timedOut: "no answer in time"
        case .startTLSNotOffered: "TLS is required, and the server does not offer STARTTLS"
        case .startTLSRefused(let reply): "TLS is required, and the server refused STARTTLS: \(reply)"
        case .octetsBeforeHandshake: "the server sent something between its answer to STARTTLS and the handshake"
        case .contentUnavailable: "the message could not be read here"
        case .abandoned: "the session was ended here"
        }
    }
}

/// A session's end, when no transaction was under way.
public struct SMTPSessionFailure: Error, Sendable, Hashable {
    public var stage: SMTPClientStage
    public var cause: SMTPClientFailure
    public init(stage: SMTPClientStage, cause: SMTPClientFailure) {
        self.stage = stage
        self.cause = cause
    }
}
