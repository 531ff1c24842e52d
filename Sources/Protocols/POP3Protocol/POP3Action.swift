public import MartletCore

/// What the driver of a session does next.
public enum POP3Action: Sendable, Hashable {
    /// Write these bytes. The next line may follow at once.
    case reply([UInt8])
    /// Write these bytes, then what `nextListingPiece` gives until it gives nil, waiting for the peer in between.
    case listing([UInt8])
    /// Write these bytes and close.
    case close([UInt8])
    /// Drop what was received behind the command, write these bytes and begin TLS; then call `tlsEstablished`.
    case startTLS([UInt8])
    /// Check name and password; then `loginSucceeded` or `loginFailed`.
    case login(user: String, Secret)
    /// Begin a SASL exchange; then `challenged`, `loginSucceeded` or `loginFailed`.
    case startExchange(mechanism: String, initialResponse: [UInt8]?)
    /// The client's answer to the challenge, decoded.
    case continueExchange([UInt8])
    /// The client gave up or sent what is no base64: end the exchange; then `loginFailed`.
    case cancelExchange
    /// Send the message: `lines` lines of its body, or all (nil). Or `messageFailed` when it cannot be read.
    /// `isUTF8` is false when header fields must be ASCII (RFC 6856 §2.1).
    case sendMessage(uid: UInt32, size: Int, lines: Int?, isUTF8: Bool)
    /// Remove these messages; then `updated`.
    case update([UInt32])
}

/// Why a login failed, as POP3 can tell it (RFC 3206).
public enum POP3LoginFailure: Sendable, Hashable {
    /// `[AUTH]`: the credentials are the reason.
    case credentials(String)
    /// `[SYS/TEMP]`: try again later.
    case temporary(String)
    /// Without a code: grammar, mechanism, cancelled.
    case other(String)
}

/// Why a message cannot be sent.
public enum POP3MessageFailure: Sendable, Hashable {
    /// Another session has removed it.
    case gone
    /// The store does not answer now.
    case temporary
    /// Its bytes are damaged.
    case damaged
}
