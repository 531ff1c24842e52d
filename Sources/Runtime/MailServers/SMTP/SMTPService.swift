public import Authentication
internal import DeliveryPolicy
public import Logging
public import MailStore
public import MartletCore
public import NetworkTransport
public import SMTPProtocol
internal import Synchronization

/// What the sessions of one SMTP service share: store, directory, logins, limits. One for each role.
///
/// ```swift
/// let service = SMTPService(role: .submission, store: store, authenticator: authenticator, clock: clock, logger: logger)
/// let listener = try await Listener.start(
///     service.listenerOptions(name: "submissions", isImplicitTLS: true, limits: limits), on: endpoints, group: group, tls: tls,
///     makeSession: service.makeSession)
/// ```
public final class SMTPService: Sendable {
    /// What a service writes to: everything that one commit needs.
    public typealias Store = DeliveryStore & DirectoryStore & RecordStore

    public let role: SMTPServerSession.Role
    public let configuration: SMTPServerConfiguration
    let store: any Store
    let authenticator: Authenticator
    let clock: any WallClock
    let logger: Logger
    let refusals = RefusalBudget()
    public let metrics = SMTPMetrics()
    /// Records on their way to the store.
    let writing = Atomic<Int>(0)

    public init(
        role: SMTPServerSession.Role, store: any Store, authenticator: Authenticator, clock: any WallClock,
        logger: Logger,
        configuration: SMTPServerConfiguration = SMTPServerConfiguration()
    ) {
        self.role = role
        self.store = store
        self.authenticator = authenticator
        self.clock = clock
        self.logger = logger
        self.configuration = configuration
    }

    @Sendable public func makeSession(_ connection: Connection) -> SMTPConnection {
        SMTPConnection(connection, service: self)
    }

    var lookup: DirectoryLookup { DirectoryLookup(store) }

    /// Options of a listener with the protocol's own words for connections that are refused (RFC 5321 §3.1).
    public func listenerOptions(name: String, isImplicitTLS: Bool, limits: ConnectionGate.Limits) -> Listener.Options {
        let hostname = configuration.hostname
        var options = Listener.Options(
            service: name, usesImplicitTLS: isImplicitTLS, limits: limits,
            refusalGreeting: { refusal in
                guard !isImplicitTLS else { return [] }
                return switch refusal {
                case .tooMany:
                    SMTPReply(421, EnhancedStatus(4, 3, 2), "\(hostname) too many connections, try again later").bytes
                case .tooManyFromAddress:
                    SMTPReply(421, EnhancedStatus(4, 7, 0), "\(hostname) too many connections from your address").bytes
                case .closing: SMTPReply(421, EnhancedStatus(4, 3, 2), "\(hostname) is shutting down").bytes
                }
            })
        // A script that has said all closes its side, and waits for the answers (RFC 5321 §4.2.5: what was stored is told).
        options.allowsHalfClosure = true
        return options
    }
}
