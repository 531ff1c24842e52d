public import NetworkTransport
public import SMTPProtocol

/// Why there is no connection that a message could be sent on.
public struct RelayFailure: Error, Sendable, Hashable {
    public enum Cause: Sendable, Hashable {
        /// No TCP connection: refused, no route, no answer. One line.
        case unreachable(String)
        /// The server was reached, and the session came to nothing.
        case session(SMTPSessionFailure)
        /// The handshake failed. One line.
        case handshake(String)
        /// A verified certificate is required.
        case certificate(CertificateCheck)
    }

    public var target: RelayTarget
    public var cause: Cause
    public var transcript: [String]

    public init(target: RelayTarget, cause: Cause, transcript: [String]) {
        self.target = target
        self.cause = cause
        self.transcript = transcript
    }

    /// TLS is where it broke: with `.opportunistic`, another connection with `.none` may do (RFC 7435 §3).
    public var isTLSFailure: Bool {
        switch cause {
        case .unreachable: false
        case .handshake, .certificate: true
        case .session(let failure):
            switch failure.cause {
            case .connectionClosed, .timedOut: failure.stage == .startTLS || failure.stage == .handshake
            // Whoever could put them there could as well have taken the offer of TLS away.
            case .octetsBeforeHandshake: true
            default: false
            }
        }
    }

    /// One line for people and records.
    public var text: String {
        switch cause {
        case .unreachable(let reason): reason
        case .session(let failure): "\(failure.cause.text) (\(failure.stage.rawValue))"
        case .handshake(let reason): "TLS failed: \(reason)"
        case .certificate(.failed(let reason)): "a verified certificate is required, and \(reason)"
        case .certificate(.verified): "a verified certificate is required"
        }
    }
}
