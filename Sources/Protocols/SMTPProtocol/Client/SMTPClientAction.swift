/// What the driver of a client session does next. Values only.
public enum SMTPClientAction: Sendable, Hashable {
    case send([UInt8])
    /// Begin the handshake as client; then call `tlsEstablished`, or let the session go when it fails.
    case startTLS
    /// `begin` may be called, unless something has come since: `isReady` knows. Follows the last EHLO, and each transaction that
    /// leaves the connection usable.
    case ready
    /// Call `content` with the next piece, once the transport has taken most of what was sent before.
    case wantContent
    /// The server takes no body of this kind: `begin` again with the message made 7-bit.
    case needsDowngrade
    case transactionEnded(SMTPTransactionResult)
    case probeEnded(SMTPProbeResult)
    /// The session is over, and no transaction was under way. `.close` follows.
    case failed(SMTPSessionFailure)
    /// Send what is to be sent, and close. Nothing follows.
    case close
}
