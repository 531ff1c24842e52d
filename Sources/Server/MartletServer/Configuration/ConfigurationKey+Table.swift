extension ConfigurationKey {
    /// Every key, in the order of the reference. An empty file is a complete configuration.
    package static let all: [ConfigurationKey] =
        server + listeners + tls + acme + smtp + lmtp + imap + pop3 + auth + addresses + queue + outbound + dns
        + records + store + alarms + log

    private static let server: [ConfigurationKey] = [
        ConfigurationKey(
            "server.hostname", .hostName, "",
            "The name by which this server greets, and which stands in Received. Other servers look it up: it should resolve to this machine. "
                + "Empty: the machine's own name."),
        ConfigurationKey(
            "server.data-directory", .path, "/var/lib/martlet",
            "Where everything is kept: mail, accounts, records, keys, the log and the control socket. Made when it is missing, for this user only."
        ),
        ConfigurationKey(
            "server.user", .userName, "",
            "As whom the server goes on when root starts it: ports are bound first, then root's rights are given up for good. The data directory, "
                + "and the files of tls, must be this user's to read. Empty: it stays who starts it."),
        ConfigurationKey(
            "server.threads", .integer(0...256), "0",
            "Threads that serve connections. 0: as many as the machine has processors."),
        ConfigurationKey(
            "server.shutdown-patience", .duration(.zero ... .seconds(600)), "5s",
            "How long sessions have to end after SIGTERM before their connections are closed: a message that is on its way in may "
                + "come to its end, others hear that the server goes. What was acknowledged is durable either way."
        ),
    ]

    private static let listeners: [ConfigurationKey] = [
        listener("smtp", "25", "mail from other servers"),
        listener("submission", "587", "mail from users, with STARTTLS"),
        listener("submissions", "465", "mail from users, TLS from the first byte (RFC 8314)"),
        ConfigurationKey(
            "listeners.lmtp", .listenAddresses, "none",
            "Where LMTP (RFC 2033) is served to a filter or relay in front of this server: a socket's path such as /run/martlet/lmtp, or "
                + "a loopback address with a port. It delivers to local recipients without authentication: never on an address that others reach."
        ),
        listener("imap", "143", "IMAP, with STARTTLS"),
        listener("imaps", "993", "IMAP, TLS from the first byte (RFC 8314)"),
        listener("pop3", "110", "POP3, with STLS"),
        listener("pop3s", "995", "POP3, TLS from the first byte (RFC 8314)"),
        listener(
            "acme", "80",
            "proofs for a certificate authority (acme.challenge http-01), nothing else, and only with acme.directory"),
        listener(
            "acme-tls", "443",
            "proofs for a certificate authority (acme.challenge tls-alpn-01), nothing else, and only with acme.directory"
        ),
        ConfigurationKey(
            "listeners.metrics", .listenAddresses, "none",
            "Where HTTP tells how the server is: /metrics for Prometheus, /health/live and /health/ready for whoever looks after it. Such "
                + "as 127.0.0.1:9625, or a socket's path. It asks for no login and has no TLS: never on an address that others reach."
        ),
    ]

    private static func listener(_ service: String, _ port: String, _ what: String) -> ConfigurationKey {
        ConfigurationKey(
            "listeners.\(service)", .listenAddresses, "0.0.0.0:\(port), [::]:\(port)",
            "Where this service is offered: \(what). A list of addresses with ports, IPv4 and IPv6 each by itself; none switches it off."
        )
    }

    private static let tls: [ConfigurationKey] = [
        ConfigurationKey(
            "tls.certificate", .path, "", reload: .signal,
            "The certificate chain as PEM, the server's own first. Empty: the server makes an authority of its own in the data directory "
                + "(ca.pem) and a certificate by it, which clients trust only when they are told to."),
        ConfigurationKey(
            "tls.key", .path, "", reload: .signal,
            "The private key of tls.certificate as PEM. Both are given or neither."),
        ConfigurationKey(
            "tls.certificates", .certificatePairs, "none", reload: .signal,
            "Further certificates for clients that ask for a name (SNI), a list of CERTIFICATE:KEY, two paths each. A client gets the one whose "
                + "subjectAltName has the name it asks for, as it is or by a wildcard for its first label; whoever asks for none, or for one "
                + "that is in none, gets tls.certificate."),
    ]

    private static let acme: [ConfigurationKey] = [
        ConfigurationKey(
            "acme.directory", .secureURL, "",
            "The directory of an authority that issues certificates by ACME (RFC 8555), such as https://acme-v02.api.letsencrypt.org/directory. "
                + "A certificate is had for each of acme.names, renewed after two thirds of its lifetime, and shown to clients that ask for its "
                + "name; the first also to all others where tls.certificate is empty. Empty: none is asked for."),
        ConfigurationKey(
            "acme.agree-to-terms", .boolean, "false",
            "Whether you agree to the authority's terms of service; without, most issue nothing."),
        ConfigurationKey(
            "acme.contact", .mailAddresses, "none", "Whom the authority may write to: a list of addresses."),
        ConfigurationKey(
            "acme.names", .hostNames, "none",
            "The names by which clients reach this server, at most 100. Each gets a certificate of its own and has to lead to this machine in the "
                + "public DNS. none: server.hostname alone."),
        ConfigurationKey(
            "acme.challenge", .choice(["http-01", "tls-alpn-01"]), "http-01",
            "How control over a name is proven: http-01 at port 80 (listeners.acme), tls-alpn-01 at port 443 (listeners.acme-tls). The authority "
                + "connects to these ports, whatever forwards them."),
        ConfigurationKey(
            "acme.ca-certificates", .path, "",
            "A PEM file with who may vouch for the authority itself, for one of your own. Empty: whom this machine trusts."
        ),
        ConfigurationKey(
            "acme.external-account", .path, "",
            "A file with the identifier and the MAC key that the authority gave you, with a space between them, where it wants an account of "
                + "its own (RFC 8555 §7.3.4). Empty: none."),
        ConfigurationKey(
            "acme.first-retry", .duration(.seconds(1) ... .seconds(86_400)), "5m",
            "The pause after the first attempt that failed; each later one is twice as long, up to a day, or what the authority asks for."
        ),
    ]

    private static let smtp: [ConfigurationKey] = [
        ConfigurationKey(
            "smtp.max-message-size", .byteCount(64_000...2_000_000_000), "50MB",
            "The largest message that is taken, by SMTP, submission and LMTP alike. Announced by SIZE (RFC 1870); larger ones get 552 5.3.4."
        ),
        ConfigurationKey(
            "smtp.max-recipients", .integer(100...50_000), "1000",
            "Recipients of one message; more get 452 4.5.3 and are sent again by the client. Announced as RCPTMAX (RFC 9422). "
                + "RFC 5321 §4.5.3.1.8 demands 100."),
        ConfigurationKey(
            "smtp.max-transactions", .integer(1...1_000_000), "1000",
            "Messages in one connection; then the client is told 421 4.7.0 and connects anew. Announced as MAILMAX (RFC 9422)."
        ),
        ConfigurationKey(
            "smtp.max-line", .byteCount(512...65_536), "2048",
            "Octets of a command with its line end; longer ones get 500 5.5.2. RFC 5321 §4.5.3.1.4 demands 512, extensions more."
        ),
        ConfigurationKey(
            "smtp.max-header-size", .byteCount(16_384...1_048_576), "1MiB",
            "Octets of a message's header fields together; more get 552 5.3.4."),
        ConfigurationKey(
            "smtp.max-errors", .integer(1...1_000), "20",
            "Commands that fail before the connection is closed with 421 4.7.0."),
        ConfigurationKey(
            "smtp.command-timeout", .duration(.seconds(10) ... .seconds(3_600)), "5m",
            "How long the server waits for the next command (RFC 5321 §4.5.3.2.7 demands 5 minutes) before it says 421 4.4.2."
        ),
        ConfigurationKey(
            "smtp.data-timeout", .duration(.seconds(10) ... .seconds(3_600)), "5m",
            "How long the server waits for the next bytes of a message before it gives up with 421 4.4.2."),
        ConfigurationKey(
            "smtp.min-data-rate", .byteCount(0...1_000_000), "100",
            "Octets a second, on average over a message, below which a sender is too slow and is told 421 4.4.2. Looked at from a minute "
                + "after its beginning, or smtp.data-timeout where that is shorter. 0: any pace will do."
        ),
        ConfigurationKey(
            "smtp.max-received", .integer(10...1_000), "100",
            "Received fields in a message above which it is taken to go in circles and is refused with 554 5.4.6. RFC 5321 §6.3 demands 100."
        ),
        ConfigurationKey(
            "smtp.max-connections", .integer(1...1_000_000), "2000",
            "Connections to one SMTP service at a time; further ones are told 421 4.3.2."),
        ConfigurationKey(
            "smtp.max-connections-per-address", .integer(1...1_000_000), "50",
            "Connections from one address to one SMTP service at a time; further ones are told 421 4.7.0."),
    ]

    private static let lmtp: [ConfigurationKey] = [
        ConfigurationKey(
            "lmtp.max-connections", .integer(1...1_000_000), "200",
            "Connections by LMTP at a time; further ones are told 421 4.3.2.")
    ]

    private static let imap: [ConfigurationKey] = [
        ConfigurationKey(
            "imap.idle-timeout", .duration(.seconds(60) ... .seconds(86_400)), "30m",
            "How long an authenticated session may say nothing before it is logged out. RFC 9051 §5.4 demands 30 minutes."
        ),
        ConfigurationKey(
            "imap.login-timeout", .duration(.seconds(5) ... .seconds(3_600)), "1m",
            "How long a connection may stay without a login before it is closed."),
        ConfigurationKey(
            "imap.append-limit", .byteCount(64_000...2_000_000_000), "50MB",
            "The largest message that a client may store. Announced by APPENDLIMIT (RFC 7889); larger ones are refused before a byte is read."
        ),
        ConfigurationKey(
            "imap.max-failed-logins", .integer(1...100), "5",
            "Logins that may fail on one connection before it is closed."),
        ConfigurationKey(
            "imap.max-connections", .integer(1...1_000_000), "20000", "Connections to one IMAP service at a time."),
        ConfigurationKey(
            "imap.max-connections-per-address", .integer(1...1_000_000), "200",
            "Connections from one address to one IMAP service at a time. A household's or office's devices share one, with several each."
        ),
    ]

    private static let pop3: [ConfigurationKey] = [
        ConfigurationKey(
            "pop3.idle-timeout", .duration(.seconds(10) ... .seconds(86_400)), "10m",
            "How long a session may say nothing before it is closed, with nothing deleted. RFC 1939 §3 demands 10 minutes."
        ),
        ConfigurationKey(
            "pop3.login-timeout", .duration(.seconds(5) ... .seconds(3_600)), "1m",
            "How long a connection may stay without a login before it is closed."),
        ConfigurationKey(
            "pop3.max-connections", .integer(1...1_000_000), "5000", "Connections to one POP3 service at a time."),
        ConfigurationKey(
            "pop3.max-connections-per-address", .integer(1...1_000_000), "50",
            "Connections from one address to one POP3 service at a time."),
    ]

    private static let auth: [ConfigurationKey] = [
        ConfigurationKey(
            "auth.plaintext-from-loopback", .boolean, "false",
            "Whether a client on this very machine may send its password without TLS. From elsewhere that is always refused."
        ),
        ConfigurationKey(
            "auth.delay", .boolean, "true",
            "Whether logins that fail are answered more and more slowly, by address and by account. An owner is never locked out for good."
        ),
    ]

    private static let addresses: [ConfigurationKey] = [
        ConfigurationKey(
            "addresses.subaddress-separator", .separator, "+",
            "The character before the tag in user+tag@domain, for domains that are added from now on; `martlet domain set` changes one. none: no tags."
        )
    ]

    private static let queue: [ConfigurationKey] = [
        ConfigurationKey(
            "queue.enabled", .boolean, "true",
            "Whether mail goes to other servers: that of users, and what aliases forward. false: such addresses get 550 5.7.1."
        ),
        ConfigurationKey(
            "queue.lifetime", .duration(.seconds(60) ... .seconds(2_592_000)), "5d",
            "How long a message is tried before it comes back to its sender. RFC 5321 §4.5.4.1 demands at least 4 to 5 days."
        ),
        ConfigurationKey(
            "queue.delay-notice", .duration(.seconds(1) ... .seconds(2_592_000)), "4h",
            "After how long a sender is told that a message is still on its way."),
        ConfigurationKey(
            "queue.first-retry", .duration(.seconds(1) ... .seconds(86_400)), "5m",
            "The pause after the first attempt that failed. Those after it grow from step to step, up to queue.longest-retry."
        ),
        ConfigurationKey(
            "queue.longest-retry", .duration(.seconds(1) ... .seconds(604_800)), "4h",
            "The longest pause between two attempts to hand a message on."),
        ConfigurationKey(
            "queue.max-deliveries", .integer(1...10_000), "200", "Deliveries to other servers at a time, in all."),
        ConfigurationKey(
            "queue.max-deliveries-per-destination", .integer(1...1_000), "20",
            "Deliveries to one domain at a time. Each begins with two, and gets more while they succeed."),
    ]

    private static let outbound: [ConfigurationKey] = [
        ConfigurationKey(
            "outbound.port", .integer(1...65_535), "25", "The port of other servers that MX records lead to."),
        ConfigurationKey(
            "outbound.addresses", .choice(["both", "ipv4", "ipv6"]), "both",
            "Which addresses of other servers are used. ipv4: where this machine's IPv6 has no name in the DNS, others refuse mail from it."
        ),
        ConfigurationKey(
            "outbound.tls", .choice(["opportunistic", "required", "verified", "none"]), "opportunistic",
            "opportunistic: encrypted where the other server can, whatever its certificate. required: never in clear. verified: and with a "
                + "certificate that is valid for the server's name. none: in clear."),
        ConfigurationKey(
            "outbound.routes", .routes, "none",
            "Where mail goes instead of to the MX of its domain: a list of domain=host:port. *=host:port is a smart host for all the others. "
                + "The host is a name, an IPv4 address or an IPv6 address in brackets."),
        ConfigurationKey(
            "outbound.loopback-is-elsewhere", .boolean, "false",
            "Whether a server that answers on this machine's loopback is another one. For labs and tests: otherwise mail that leads here "
                + "would go in circles."),
        ConfigurationKey(
            "outbound.connect-timeout", .duration(.milliseconds(100) ... .seconds(300)), "30s",
            "How long a connection to another server may take to come about."),
        ConfigurationKey(
            "outbound.reply-timeout", .duration(.milliseconds(100) ... .seconds(3_600)), "5m",
            "How long another server may take for a reply (RFC 5321 §4.5.3.2 asks for 5 minutes); twice as long for the reply to a whole message."
        ),
        ConfigurationKey(
            "outbound.sender-rewriting", .boolean, "true",
            "Whether forwarded mail gets a return path of this server (SRS), so that the next server's SPF check passes."
        ),
    ]

    private static let dns: [ConfigurationKey] = [
        ConfigurationKey(
            "dns.servers", .nameServers(words: ["recursive", "system", "none"]), "recursive",
            "Who is asked. recursive: the DNS's own servers from the root down, which keeps answers from being forged or limited on the way. "
                + "system: the resolvers of /etc/resolv.conf. A list of addresses, with @port where it is not 53. none: the zone files alone."
        ),
        ConfigurationKey(
            "dns.trust-anchor", .path, "/usr/share/dns/root.key",
            "A file with the root's DNSSEC keys; where it is not there, or empty, nothing is validated."),
        ConfigurationKey(
            "dns.zones", .paths, "",
            "Zone files in master-file format, comma-separated, that are answered from before anybody is asked. For labs and tests."
        ),
        ConfigurationKey(
            "dns.timeout", .duration(.milliseconds(100) ... .seconds(120)), "20s",
            "How long a question to the DNS may take, with all that has to be asked for it."),
    ]

    private static let records: [ConfigurationKey] = [
        ConfigurationKey(
            "records.keep-days", .integer(1...3_650), "30",
            "Days for which `martlet explain` can tell what happened to a message or a connection. Records hold addresses, never content."
        )
    ]

    private static let store: [ConfigurationKey] = [
        ConfigurationKey(
            "store.expunge-retention", .duration(.zero ... .seconds(31_536_000)), "14d",
            "How long a message can be brought back with `martlet message undelete` after it was expunged. 0s: until the next hourly clean-up."
        ),
        ConfigurationKey(
            "store.quota-default", .byteCount(1_000_000...1_000_000_000_000_000, allowsNone: true), "none",
            "Room for an account that is added without --quota. Over it, mail gets 452 4.2.2."),
        ConfigurationKey(
            "store.free-space-reserve", .byteCount(0...1_000_000_000_000), "64MiB",
            "Room on the disk that is left alone: mail gets 452 4.3.1 before the disk is full."),
        ConfigurationKey(
            "store.index-cache", .byteCount(1_000_000...1_000_000_000_000), "64MiB",
            "Memory for the indexes of mailboxes in use, about 28 octets a message. Writes are always synchronous: no key turns that off."
        ),
    ]

    private static let alarms: [ConfigurationKey] = [
        ConfigurationKey(
            "alarms.certificate-expiry", .duration(.zero ... .seconds(31_536_000), allowsNone: true), "14d",
            "An alarm begins when a certificate is valid for less than this; when it is from acme.directory, only with less than a quarter "
                + "of its lifetime left, since the server renews it by itself after two thirds. Alarms are looked for once a minute; their "
                + "beginning and end are in the log, and `martlet status`, /metrics and /health/ready show them."),
        ConfigurationKey(
            "alarms.queue-age", .duration(.zero ... .seconds(2_592_000), allowsNone: true), "4h",
            "An alarm begins when a message has waited for another server for longer than this."),
        ConfigurationKey(
            "alarms.disk-free", .byteCount(0...1_000_000_000_000_000), "1GiB",
            "An alarm begins when less than this is free on the disk of server.data-directory. 0: whatever is free."),
        ConfigurationKey(
            "alarms.disk-free-percent", .integer(0...99), "5",
            "The same as a share of the disk, in percent. Below store.free-space-reserve mail is refused, and the server is not ready. "
                + "That the ledger does not hold is always an alarm."),
    ]

    private static let log: [ConfigurationKey] = [
        ConfigurationKey(
            "log.level", .choice(["trace", "debug", "info", "notice", "warning", "error"]), "info", reload: .signal,
            "How much is logged: info is one line for each message, debug is for an operator who looks for something."),
        ConfigurationKey(
            "log.format", .choice(["auto", "text", "json", "journald"]), "auto",
            "How standard error is written. text: a line for each event. json: an object for each event. journald: entries of the systemd "
                + "journal, in which what belongs to an event is a field of its own, such as MARTLET_CODE. auto: journald when standard error "
                + "leads to the journal, otherwise text. The file log in server.data-directory has lines, or objects with json."
        ),
    ]
}
