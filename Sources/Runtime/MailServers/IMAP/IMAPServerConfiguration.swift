public import IMAPProtocol

/// What an operator may set of the IMAP service. All have defaults.
public struct IMAPServerConfiguration: Sendable {
    /// The name of the program for ID (RFC 2971 §3.3): not the host's.
    public static let productName = "Martlet"
    /// The name in the greeting.
    public var serverName = productName
    /// For ID (RFC 2971); empty: not told.
    public var version = ""
    /// Bounds of commands and literals.
    public var limits = IMAPLimits()
    /// Octets of the largest message that APPEND takes: APPENDLIMIT (RFC 7889).
    public var maximumMessageSize: UInt64 = 52_428_800
    /// Octets of all messages of one APPEND together (MULTIAPPEND).
    public var maximumAppendSize: UInt64 = 268_435_456
    /// Messages of one APPEND.
    public var maximumAppendedMessages = 1_000
    /// A connection that has not logged in by then is closed. Restarted by STARTTLS.
    public var loginTimeout = Duration.seconds(60)
    /// A connection that is silent for so long is closed. RFC 9051 §5.4: at least 30 minutes.
    public var idleTimeout = Duration.seconds(31 * 60)
    /// A peer that takes nothing of an answer for so long is cut off.
    public var sendTimeout = Duration.seconds(300)
    /// Commands in a row that cannot be read before the connection is closed.
    public var maximumBadCommands = 20
    /// Failed logins on one connection before it is closed.
    public var maximumFailedLogins = 5
    /// Octets that are read ahead while a command waits for the store; then reading stops.
    public var readAheadBytes = 65_536
    /// Octets of messages that SEARCH of texts and header fields holds at once over all connections; more wait for their turn.
    /// What is decoded of them takes about as much again.
    public var searchedBytes = 67_108_864

    public init() {}
}
