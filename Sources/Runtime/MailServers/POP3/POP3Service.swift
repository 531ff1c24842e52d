public import Authentication
public import Logging
public import MailStore
public import NetworkTransport

/// What can be set about POP3.
public struct POP3ServerConfiguration: Sendable, Hashable {
    /// A connection that has not logged in by then is closed. Restarted by STLS.
    public var loginTimeout = Duration.seconds(60)
    /// How long a session may go without a whole command. RFC 1939 §3: 10 minutes at least. Also how long a peer that does not read is borne.
    public var idleTimeout = Duration.seconds(600)
    /// Octets of a message that are in memory at a time.
    public var pieceSize = 131_072
    /// Octets of commands that are kept while one is being carried out; then reading stops.
    public var maximumWaitingInput = 65_536

    public init() {}
}

/// POP3 over a store: makes the sessions of the listeners `pop3` and `pop3s`.
///
///     let service = POP3Service(store: store, authenticator: authenticator, logger: logger)
///     try await Listener.start(options, on: endpoints, group: group, tls: tls, makeSession: service.makeSession)
public final class POP3Service: Sendable {
    let store: any MailboxStore
    let authenticator: Authenticator
    let configuration: POP3ServerConfiguration
    let logger: Logger

    public init(
        store: any MailboxStore, authenticator: Authenticator,
        configuration: POP3ServerConfiguration = POP3ServerConfiguration(), logger: Logger
    ) {
        self.store = store
        self.authenticator = authenticator
        self.configuration = configuration
        self.logger = logger
    }

    @Sendable public func makeSession(_ connection: Connection) -> POP3Session {
        POP3Session(connection: connection, service: self)
    }

    /// For `Listener.Options.refusalGreeting` of `pop3`.
    @Sendable public static func refusalGreeting(_ refusal: ConnectionGate.Refusal) -> [UInt8] {
        switch refusal {
        case .tooMany, .tooManyFromAddress: Array("-ERR [SYS/TEMP] Too many connections\r\n".utf8)
        case .closing: Array("-ERR [SYS/TEMP] Server is shutting down\r\n".utf8)
        }
    }
}
