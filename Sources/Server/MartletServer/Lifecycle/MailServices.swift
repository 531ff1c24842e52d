internal import Authentication
internal import IMAPServer
internal import Logging
internal import NIOCore
internal import NetworkTransport
internal import POP3Server
internal import SMTPProtocol
internal import SMTPServer

/// The listeners of all mail protocols, wired to one store and one authenticator.
struct MailServices: Sendable {
    private var listeners: [Listener] = []
    private var smtpServices: [(name: String, service: SMTPService)] = []
    private var authenticator: Authenticator?

    /// Those that count what they do.
    var observed: ObservedParts {
        ObservedParts(listeners: listeners, smtp: smtpServices, authenticator: authenticator)
    }

    /// Starts all, or none.
    /// - Throws: `BindError` naming the address that could not be had.
    static func start(
        _ server: Server, tls: TLSContextBox, outbound: SMTPServerConfiguration.Outbound?
    ) async throws -> MailServices {
        var services = MailServices()
        do {
            try await services.start(server, tls, outbound)
        } catch {
            await services.close(patience: .zero)
            throw error
        }
        return services
    }

    /// Takes no more connections and lets sessions end, all services at once.
    func close(patience: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            for listener in listeners { group.addTask { await listener.close(patience: patience) } }
        }
        for (_, service) in smtpServices { await service.recordsWritten(patience: MailServices.recordPatience) }
    }

    /// How long the last records have to become durable.
    private static let recordPatience = Duration.seconds(1)

    private mutating func start(
        _ server: Server, _ tls: TLSContextBox, _ outbound: SMTPServerConfiguration.Outbound?
    ) async throws {
        let configuration = server.configuration
        var options = Authenticator.Options()
        options.plaintextFromLoopback = configuration.authentication.allowsPlaintextFromLoopback
        options.slowsDownFailures = configuration.authentication.slowsDownFailures
        let authenticator = Authenticator(
            directory: server.store.engine, records: server.store.engine, clock: server.clock, options: options,
            codes: server.store.codes)
        self.authenticator = authenticator
        let recorder = RefusalRecorder(
            records: server.store.engine, codes: authenticator.codes, clock: server.clock,
            logger: server.log.logger("gate"))
        let door = Door(group: server.group, tls: tls, recorder: recorder, sockets: server.sockets)
        try await startSMTP(server, authenticator, door, outbound)
        try await startIMAP(server, authenticator, door)
        try await startPOP3(server, authenticator, door)
    }

    /// What the listeners have in common.
    private struct Door {
        let group: any EventLoopGroup
        let tls: TLSContextBox
        let recorder: RefusalRecorder
        let sockets: BoundSockets?

        func refused(_ service: String) -> @Sendable (String, ConnectionGate.Refusal) -> String? {
            { [recorder] address, refusal in
                recorder.refused(service: service, address: address, refusal)?.description
            }
        }
    }

    private mutating func listen<Session: ConnectionSession>(
        _ options: Listener.Options, _ addresses: [ListenAddress], _ door: Door,
        _ makeSession: @escaping @Sendable (Connection) -> Session
    ) async throws {
        guard !addresses.isEmpty else { return }
        var options = options
        options.recordRefusal = door.refused(options.service)
        if let sockets = door.sockets { options.boundSocket = { sockets.take($0) } }
        listeners.append(
            try await Listener.start(
                options, on: addresses, group: door.group, tls: door.tls, makeSession: makeSession))
    }

    // MARK: SMTP, submission, LMTP

    private mutating func startSMTP(
        _ server: Server, _ authenticator: Authenticator, _ door: Door, _ outbound: SMTPServerConfiguration.Outbound?
    ) async throws {
        let configuration = server.configuration
        let limits = ConnectionGate.Limits(
            connections: configuration.smtp.maximumConnections,
            connectionsPerAddress: configuration.smtp.maximumConnectionsPerAddress)
        let lmtpLimits = ConnectionGate.Limits(
            connections: configuration.lmtp.maximumConnections,
            connectionsPerAddress: configuration.lmtp.maximumConnections)
        let services: [(name: String, role: SMTPServerSession.Role, addresses: [ListenAddress])] = [
            ("smtp", .relay, configuration.listeners.smtp),
            ("submission", .submission, configuration.listeners.submission),
            ("submissions", .submission, configuration.listeners.submissions),
            ("lmtp", .lmtp, configuration.listeners.lmtp),
        ]
        var settings = SMTPServerConfiguration(configuration)
        settings.outbound = outbound
        for (name, role, addresses) in services {
            let service = SMTPService(
                role: role, store: server.store.engine, authenticator: authenticator, clock: server.clock,
                logger: server.log.logger(name),
                configuration: settings)
            if !addresses.isEmpty { smtpServices.append((name, service)) }
            let options = service.listenerOptions(
                name: name, isImplicitTLS: name == "submissions", limits: role == .lmtp ? lmtpLimits : limits)
            try await listen(options, addresses, door, service.makeSession)
        }
    }

    // MARK: IMAP and POP3

    private mutating func startIMAP(_ server: Server, _ authenticator: Authenticator, _ door: Door) async throws {
        let configuration = server.configuration
        var options = IMAPServerConfiguration()
        options.serverName = configuration.effectiveHostname
        options.version = Version.text
        options.maximumMessageSize = UInt64(configuration.imap.appendLimit)
        options.loginTimeout = configuration.imap.loginTimeout
        options.idleTimeout = configuration.imap.idleTimeout
        options.maximumFailedLogins = configuration.imap.maximumFailedLogins
        let service = IMAPService(
            store: server.store.engine, authenticator: authenticator, clock: server.clock,
            logger: server.log.logger("imap"), configuration: options)
        let limits = ConnectionGate.Limits(
            connections: configuration.imap.maximumConnections,
            connectionsPerAddress: configuration.imap.maximumConnectionsPerAddress)
        for (name, addresses) in [("imap", configuration.listeners.imap), ("imaps", configuration.listeners.imaps)] {
            try await listen(
                service.listenerOptions(isImplicitTLS: name == "imaps", limits: limits), addresses, door,
                service.makeSession)
        }
    }

    private mutating func startPOP3(_ server: Server, _ authenticator: Authenticator, _ door: Door) async throws {
        let configuration = server.configuration
        var options = POP3ServerConfiguration()
        options.idleTimeout = configuration.pop3.idleTimeout
        options.loginTimeout = configuration.pop3.loginTimeout
        let service = POP3Service(
            store: server.store.engine, authenticator: authenticator, configuration: options,
            logger: server.log.logger("pop3"))
        let limits = ConnectionGate.Limits(
            connections: configuration.pop3.maximumConnections,
            connectionsPerAddress: configuration.pop3.maximumConnectionsPerAddress)
        for (name, addresses) in [("pop3", configuration.listeners.pop3), ("pop3s", configuration.listeners.pop3s)] {
            let isImplicit = name == "pop3s"
            var listenerOptions = Listener.Options(
                service: name, usesImplicitTLS: isImplicit, limits: limits,
                refusalGreeting: { isImplicit ? [] : POP3Service.refusalGreeting($0) })
            listenerOptions.allowsHalfClosure = true
            try await listen(listenerOptions, addresses, door, service.makeSession)
        }
    }
}

extension SMTPServerConfiguration {
    init(_ configuration: Configuration) {
        self.init()
        hostname = configuration.effectiveHostname
        limits.maximumCommandLine = configuration.smtp.maximumLine
        limits.maximumMessageSize = configuration.smtp.maximumMessageSize
        limits.maximumRecipients = configuration.smtp.maximumRecipients
        limits.maximumTransactions = configuration.smtp.maximumTransactions
        limits.maximumErrors = configuration.smtp.maximumErrors
        maximumHeaderSize = configuration.smtp.maximumHeaderSize
        maximumReceived = configuration.smtp.maximumReceived
        commandTimeout = configuration.smtp.commandTimeout
        dataTimeout = configuration.smtp.dataTimeout
        minimumDataRate = configuration.smtp.minimumDataRate
        slowGrace = min(slowGrace, dataTimeout)
        // The rest of the patience is for the answer.
        closingGrace = configuration.server.shutdownPatience * 0.8
    }
}
