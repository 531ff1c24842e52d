public import Authentication
internal import IMAPProtocol
public import Logging
public import MailStore
public import MartletCore
public import NetworkTransport

/// What the sessions of an IMAP service share: store, logins, limits. `imap` (143, STARTTLS) and `imaps` (993) use the same one.
///
/// ```swift
/// let service = IMAPService(store: store, authenticator: authenticator, clock: clock, logger: logger)
/// let listener = try await Listener.start(
///     service.listenerOptions(isImplicitTLS: false, limits: limits), on: endpoints, group: group, tls: tls,
///     makeSession: service.makeSession)
/// ```
public final class IMAPService: Sendable {
    public let configuration: IMAPServerConfiguration
    let store: any MailboxStore
    let authenticator: Authenticator
    let clock: any WallClock
    let logger: Logger
    /// Shared by the searches of all connections.
    let searchBudget: SearchBudget

    public init(
        store: any MailboxStore, authenticator: Authenticator, clock: any WallClock, logger: Logger,
        configuration: IMAPServerConfiguration = IMAPServerConfiguration()
    ) {
        self.store = store
        self.authenticator = authenticator
        self.clock = clock
        self.logger = logger
        self.configuration = configuration
        searchBudget = SearchBudget(limit: configuration.searchedBytes)
    }

    @Sendable public func makeSession(_ connection: Connection) -> IMAPConnection {
        IMAPConnection(connection, service: self)
    }

    /// What a connection may do, from its address and the logins that are configured.
    func policy(for connection: Connection) -> IMAPPolicy {
        IMAPPolicy(
            offersStartTLS: connection.canStartTLS,
            allowsPlaintextWithoutTLS: authenticator.allowsPlaintext(isTLS: false, isLoopback: connection.isLoopback),
            // All that there are: the session offers the ones that the state of the connection allows, and tells why not.
            mechanisms: authenticator.mechanisms(isTLS: true, isLoopback: connection.isLoopback),
            appendLimit: configuration.maximumMessageSize,
            maximumAuthenticationFailures: configuration.maximumFailedLogins)
    }

    /// Options of a listener with the protocol's own words for connections that are refused (RFC 9051 §7.1.5).
    public func listenerOptions(isImplicitTLS: Bool, limits: ConnectionGate.Limits) -> Listener.Options {
        var options = Listener.Options(
            service: isImplicitTLS ? "imaps" : "imap", usesImplicitTLS: isImplicitTLS, limits: limits,
            refusalGreeting: { refusal in
                guard !isImplicitTLS else { return [] }
                let text =
                    switch refusal {
                    case .tooMany, .tooManyFromAddress: "* BYE [LIMIT] Too many connections, try again later\r\n"
                    case .closing: "* BYE [UNAVAILABLE] The server is shutting down\r\n"
                    }
                return Array(text.utf8)
            })
        options.allowsHalfClosure = true
        return options
    }
}
