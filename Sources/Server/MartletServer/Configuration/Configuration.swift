package import ACMEProtocol
package import MartletCore

/// The whole configuration as plain values, passed by value to each server. Made from `ConfigurationSettings`, where every
/// bound was checked; what needs two keys at once is checked here.
package struct Configuration: Sendable {
    package struct Server: Sendable {
        /// nil: the machine's own name.
        package var hostname: Domain?
        package var dataDirectory: String
        /// nil: whoever starts it.
        package var user: String?
        /// 0: one a processor.
        package var threads: Int
        package var shutdownPatience: Duration
    }

    package struct Listeners: Sendable {
        package var smtp: [ListenAddress]
        package var submission: [ListenAddress]
        package var submissions: [ListenAddress]
        package var lmtp: [ListenAddress]
        package var imap: [ListenAddress]
        package var imaps: [ListenAddress]
        package var pop3: [ListenAddress]
        package var pop3s: [ListenAddress]
        /// Empty unless certificates are had with proofs of that kind.
        package var acme: [ListenAddress]
        package var acmeTLS: [ListenAddress]
        /// Metrics and health by HTTP.
        package var metrics: [ListenAddress]

        /// Services by name with their addresses, in the order of the reference.
        package var all: [(service: String, addresses: [ListenAddress])] {
            [
                ("smtp", smtp), ("submission", submission), ("submissions", submissions), ("lmtp", lmtp),
                ("imap", imap), ("imaps", imaps),
                ("pop3", pop3), ("pop3s", pop3s), ("acme", acme), ("acme-tls", acmeTLS), ("metrics", metrics),
            ]
        }

        /// Those whose sockets are bound before rights are given up: Hummingbird, which serves the metrics, binds its own.
        package var boundEarly: [(service: String, addresses: [ListenAddress])] {
            all.filter { $0.service != "metrics" }
        }

        /// Those that take or give mail.
        package var ofMail: [(service: String, addresses: [ListenAddress])] {
            all.filter { !["acme", "acme-tls", "metrics"].contains($0.service) }
        }
    }

    /// Paths of PEM files; nil: a certificate by the server's own authority.
    package struct TLS: Sendable {
        package var certificate: String
        package var key: String
    }

    /// How certificates are had from an authority.
    package struct ACME: Sendable {
        package var directory: String
        package var agreesToTerms: Bool
        package var contacts: [String]
        /// Empty: the server's own.
        package var names: [String]
        package var challenge: ACMEChallengeKind
        /// Paths.
        package var trustedCertificates: String?
        package var externalAccount: String?
        package var firstRetry: Duration
    }

    package struct SMTP: Sendable {
        package var maximumMessageSize: Int
        package var maximumRecipients: Int
        package var maximumTransactions: Int
        /// Octets of a command with its CRLF.
        package var maximumLine: Int
        package var maximumHeaderSize: Int
        package var maximumErrors: Int
        package var commandTimeout: Duration
        package var dataTimeout: Duration
        /// Octets a second; 0: any.
        package var minimumDataRate: Int
        package var maximumReceived: Int
        package var maximumConnections: Int
        package var maximumConnectionsPerAddress: Int
    }

    package struct LMTP: Sendable {
        package var maximumConnections: Int
    }

    package struct IMAP: Sendable {
        package var idleTimeout: Duration
        package var loginTimeout: Duration
        package var appendLimit: Int
        package var maximumFailedLogins: Int
        package var maximumConnections: Int
        package var maximumConnectionsPerAddress: Int
    }

    package struct POP3: Sendable {
        package var idleTimeout: Duration
        package var loginTimeout: Duration
        package var maximumConnections: Int
        package var maximumConnectionsPerAddress: Int
    }

    package struct Authentication: Sendable {
        package var allowsPlaintextFromLoopback: Bool
        package var slowsDownFailures: Bool
    }

    package struct Store: Sendable {
        package var expungeRetention: Duration
        /// nil: no limit.
        package var defaultQuota: Int64?
        package var freeSpaceReserve: Int64
        package var indexCache: Int
    }

    package struct Queue: Sendable {
        package var isEnabled: Bool
        package var lifetime: Duration
        package var delayNotice: Duration
        package var firstRetry: Duration
        package var longestRetry: Duration
        package var maximumDeliveries: Int
        package var maximumDeliveriesPerDestination: Int
    }

    package struct Outbound: Sendable {
        package var port: Int
        /// `both`, `ipv4`, `ipv6`.
        package var addresses: String
        /// `opportunistic`, `required`, `verified`, `none`.
        package var tls: String
        package var routes: [FixedRoute]
        package var loopbackIsElsewhere: Bool
        package var connectTimeout: Duration
        package var replyTimeout: Duration
        package var rewritesSenders: Bool
    }

    package struct DNS: Sendable {
        /// `recursive`, `system`, `none`, or addresses.
        package var servers: [String]
        package var trustAnchor: String
        package var zones: [String]
        package var timeout: Duration
    }

    package struct Alarms: Sendable {
        /// nil: none.
        package var certificateExpiry: Duration?
        package var queueAge: Duration?
        /// Octets; 0: none.
        package var diskFree: Int64
        /// 0: none.
        package var diskFreePercent: Int
    }

    package struct Log: Sendable {
        package enum Format: String, Sendable {
            /// The journal when standard error leads there, otherwise text.
            case auto
            case text
            case json
            case journald
        }

        /// One of the names of `log.level`.
        package var level: String
        package var format: Format
    }

    package var server: Server
    package var listeners: Listeners
    package var tls: TLS?
    /// Shown to clients that ask for a name of theirs.
    package var certificates: [CertificatePair]
    /// nil: none are had from an authority.
    package var acme: ACME?
    package var smtp: SMTP
    package var lmtp: LMTP
    package var imap: IMAP
    package var pop3: POP3
    package var authentication: Authentication
    /// nil: no subaddressing.
    package var subaddressSeparator: Character?
    package var queue: Queue
    package var outbound: Outbound
    package var dns: DNS
    package var recordsKeepDays: Int
    package var store: Store
    package var alarms: Alarms
    package var log: Log

    /// - Parameter issues: what is wrong between keys that are right by themselves is added here.
    package init(_ settings: ConfigurationSettings, issues: inout [ConfigurationIssue]) {
        server = Server(
            hostname: Domain(settings.text("server.hostname")), dataDirectory: settings.text("server.data-directory"),
            user: settings.text("server.user").isEmpty ? nil : settings.text("server.user"),
            threads: settings.integer("server.threads"),
            shutdownPatience: settings.duration("server.shutdown-patience") ?? .zero)
        acme = ACME(settings)
        listeners = Listeners(
            smtp: settings.addresses("listeners.smtp"), submission: settings.addresses("listeners.submission"),
            submissions: settings.addresses("listeners.submissions"), lmtp: settings.addresses("listeners.lmtp"),
            imap: settings.addresses("listeners.imap"), imaps: settings.addresses("listeners.imaps"),
            pop3: settings.addresses("listeners.pop3"), pop3s: settings.addresses("listeners.pop3s"),
            acme: acme?.challenge == .http ? settings.addresses("listeners.acme") : [],
            acmeTLS: acme?.challenge == .tlsALPN ? settings.addresses("listeners.acme-tls") : [],
            metrics: settings.addresses("listeners.metrics"))
        let certificate = settings.text("tls.certificate")
        let key = settings.text("tls.key")
        tls = certificate.isEmpty ? nil : TLS(certificate: certificate, key: key)
        certificates = settings.texts("tls.certificates").compactMap { CertificatePair($0) }
        smtp = SMTP(
            maximumMessageSize: Int(settings.byteCount("smtp.max-message-size") ?? 0),
            maximumRecipients: settings.integer("smtp.max-recipients"),
            maximumTransactions: settings.integer("smtp.max-transactions"),
            maximumLine: Int(settings.byteCount("smtp.max-line") ?? 0),
            maximumHeaderSize: Int(settings.byteCount("smtp.max-header-size") ?? 0),
            maximumErrors: settings.integer("smtp.max-errors"),
            commandTimeout: settings.duration("smtp.command-timeout") ?? .zero,
            dataTimeout: settings.duration("smtp.data-timeout") ?? .zero,
            minimumDataRate: Int(settings.byteCount("smtp.min-data-rate") ?? 0),
            maximumReceived: settings.integer("smtp.max-received"),
            maximumConnections: settings.integer("smtp.max-connections"),
            maximumConnectionsPerAddress: settings.integer("smtp.max-connections-per-address"))
        lmtp = LMTP(maximumConnections: settings.integer("lmtp.max-connections"))
        imap = IMAP(
            idleTimeout: settings.duration("imap.idle-timeout") ?? .zero,
            loginTimeout: settings.duration("imap.login-timeout") ?? .zero,
            appendLimit: Int(settings.byteCount("imap.append-limit") ?? 0),
            maximumFailedLogins: settings.integer("imap.max-failed-logins"),
            maximumConnections: settings.integer("imap.max-connections"),
            maximumConnectionsPerAddress: settings.integer("imap.max-connections-per-address"))
        pop3 = POP3(
            idleTimeout: settings.duration("pop3.idle-timeout") ?? .zero,
            loginTimeout: settings.duration("pop3.login-timeout") ?? .zero,
            maximumConnections: settings.integer("pop3.max-connections"),
            maximumConnectionsPerAddress: settings.integer("pop3.max-connections-per-address"))
        authentication = Authentication(
            allowsPlaintextFromLoopback: settings.boolean("auth.plaintext-from-loopback"),
            slowsDownFailures: settings.boolean("auth.delay"))
        subaddressSeparator = settings.text("addresses.subaddress-separator").first
        queue = Queue(
            isEnabled: settings.boolean("queue.enabled"), lifetime: settings.duration("queue.lifetime") ?? .zero,
            delayNotice: settings.duration("queue.delay-notice") ?? .zero,
            firstRetry: settings.duration("queue.first-retry") ?? .zero,
            longestRetry: settings.duration("queue.longest-retry") ?? .zero,
            maximumDeliveries: settings.integer("queue.max-deliveries"),
            maximumDeliveriesPerDestination: settings.integer("queue.max-deliveries-per-destination"))
        outbound = Outbound(
            port: settings.integer("outbound.port"), addresses: settings.text("outbound.addresses"),
            tls: settings.text("outbound.tls"),
            routes: settings.texts("outbound.routes").compactMap { FixedRoute($0) },
            loopbackIsElsewhere: settings.boolean("outbound.loopback-is-elsewhere"),
            connectTimeout: settings.duration("outbound.connect-timeout") ?? .zero,
            replyTimeout: settings.duration("outbound.reply-timeout") ?? .zero,
            rewritesSenders: settings.boolean("outbound.sender-rewriting"))
        dns = DNS(
            servers: settings.texts("dns.servers"), trustAnchor: settings.text("dns.trust-anchor"),
            zones: settings.texts("dns.zones"), timeout: settings.duration("dns.timeout") ?? .zero)
        recordsKeepDays = settings.integer("records.keep-days")
        store = Store(
            expungeRetention: settings.duration("store.expunge-retention") ?? .zero,
            defaultQuota: settings.byteCount("store.quota-default"),
            freeSpaceReserve: settings.byteCount("store.free-space-reserve") ?? 0,
            indexCache: Int(settings.byteCount("store.index-cache") ?? 0))
        alarms = Alarms(
            certificateExpiry: settings.duration("alarms.certificate-expiry"),
            queueAge: settings.duration("alarms.queue-age"), diskFree: settings.byteCount("alarms.disk-free") ?? 0,
            diskFreePercent: settings.integer("alarms.disk-free-percent"))
        log = Log(level: settings.text("log.level"), format: Log.Format(rawValue: settings.text("log.format")) ?? .auto)
        issues += Configuration.conflicts(settings, listeners)
    }

    private static func conflicts(_ settings: ConfigurationSettings, _ listeners: Listeners) -> [ConfigurationIssue] {
        var issues: [ConfigurationIssue] = []
        let certificate = settings["tls.certificate"]
        let key = settings["tls.key"]
        // A key whose value is wrong is told of already, and nobody knows what it is to be.
        let unusable = settings.unusable
        if certificate.text.isEmpty != key.text.isEmpty, unusable.isDisjoint(with: ["tls.certificate", "tls.key"]) {
            let given = certificate.text.isEmpty ? key : certificate
            let missing = certificate.text.isEmpty ? certificate : key
            issues.append(
                ConfigurationIssue(
                    given.origin, "\(given.key.name) is set and \(missing.key.name) is not",
                    remedy: "set \(missing.key.name) too, or neither for a certificate by the server's own authority"))
        }
        issues += ACME.conflicts(settings, listeners)
        if settings.text("server.data-directory").isEmpty, !unusable.contains("server.data-directory") {
            issues.append(
                ConfigurationIssue(
                    settings["server.data-directory"].origin, "server.data-directory is empty",
                    remedy: "name a directory"))
        }
        var taken: [ListenAddress: String] = [:]
        for (service, addresses) in listeners.all where !unusable.contains("listeners.\(service)") {
            for address in addresses {
                if let other = taken[address] {
                    issues.append(
                        ConfigurationIssue(
                            settings["listeners.\(service)"].origin,
                            "listeners.\(service) and listeners.\(other) both want \(address)",
                            remedy: "give one of them another port"))
                }
                taken[address] = service
            }
        }
        if listeners.ofMail.allSatisfy({ $0.addresses.isEmpty && !unusable.contains("listeners.\($0.service)") }) {
            issues.append(
                ConfigurationIssue(
                    settings["listeners.smtp"].origin, "every listener is switched off",
                    remedy: "give one of listeners.* an address"))
        }
        return issues
    }
}

extension Configuration {
    /// Reads and checks everything.
    /// - Throws: every mistake at once.
    package static func load(
        preset: [(key: String, value: String)] = [], file: (text: String, path: String)? = nil,
        environment: [String: String] = [:],
        overrides: [String] = []
    ) throws(ConfigurationErrors) -> (configuration: Configuration, settings: ConfigurationSettings) {
        var issues: [ConfigurationIssue] = []
        let settings = ConfigurationSettings(
            preset: preset, file: file, environment: environment, overrides: overrides, issues: &issues)
        let configuration = Configuration(settings, issues: &issues)
        guard issues.isEmpty else { throw ConfigurationErrors(issues) }
        return (configuration, settings)
    }
}
