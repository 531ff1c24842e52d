public import NIOCore

/// The conversation on one connection: an actor that runs on the connection's event loop, so that it needs neither lock nor hop.
///
/// The transport calls these functions on the loop, in order. A session that awaits something (the store) must itself see
/// to it that input which arrives meanwhile waits: keep it, and `connection.pauseReading()` when much has gathered.
/// A session states `nonisolated var unownedExecutor: UnownedSerialExecutor { connection.executor }`.
public protocol ConnectionSession: Actor {
    /// The connection stands; with implicit TLS, the handshake is done. The place for a greeting.
    func opened()
    /// Bytes arrived, decrypted. Never empty.
    func received(_ bytes: ByteBuffer)
    /// The handshake that `connection.startTLS` began is done: a new protocol state begins (STYLE.md, 10).
    func tlsEstablished()
    /// The peer will send nothing more, and may still read: answer what came, then close. Only with
    /// `Listener.Options.allowsHalfClosure`.
    func inputEnded()
    /// The deadline that was set has passed. It is unset now.
    func deadlinePassed()
    /// The peer closed, the transport failed, or the server ends. Nothing more is called.
    func closed(_ reason: CloseReason)
    /// The server is about to end: say goodbye where the protocol has a word for it (421, BYE), and close.
    func serverIsClosing()
}

extension ConnectionSession {
    public func inputEnded() {}
}

/// Why a connection ended, for the record.
public enum CloseReason: Sendable, Hashable {
    case byUs
    case byPeer
    case tlsFailed(String)
    case failed(String)
}
