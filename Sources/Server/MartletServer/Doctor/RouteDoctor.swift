package import DNSProtocol
package import MartletCore
internal import NIOPosix
internal import OutboundDelivery
internal import SMTPProtocol

/// What `martlet doctor route` does: the way of mail to an address with this configuration's resolver, routes and TLS, up to RCPT and
/// no further. Needs no store, and no server that runs.
package struct RouteDoctor: Sendable {
    /// A person waits for the answer: no step takes longer, whatever deliveries are allowed.
    private static let patience = Duration.seconds(20)

    private let configuration: Configuration
    private let clock: any WallClock

    package init(_ configuration: Configuration, clock: any WallClock) {
        self.configuration = configuration
        self.clock = clock
    }

    /// - Parameter subject: an address, or a domain, whose postmaster is asked for then (RFC 5321 §4.5.1).
    /// - Throws: `AdministrationFailure` when the subject is neither, or the configuration leads to no resolver.
    package func examine(_ subject: String) async throws(AdministrationFailure) -> DoctorRoute {
        let recipient = try RouteDoctor.recipient(subject)
        let resolution: Resolution
        let prober: RouteProber
        do {
            resolution = try Resolution(configuration)
            var options = try DeliveryRunner.Options(configuration)
            options.timeouts.connect = min(options.timeouts.connect, RouteDoctor.patience)
            options.timeouts.session = SMTPClientTimeouts(
                all: min(configuration.outbound.replyTimeout, RouteDoctor.patience))
            options.timeouts.session.quit = .seconds(2)
            prober = try RouteProber(
                options: options, resolver: resolution.resolver, group: MultiThreadedEventLoopGroup.singleton)
        } catch {
            throw AdministrationFailure(.invalid, "\(error)", remedy: "correct the configuration")
        }
        var report = await prober.probe(recipient, subject: subject, now: clock.now())
        await resolution.close()
        report.plan = plan(report)
        return report
    }

    static func recipient(_ subject: String) throws(AdministrationFailure) -> EmailAddress {
        if let address = EmailAddress(subject) { return address }
        if let domain = Domain(subject), let address = EmailAddress(localPart: "postmaster", domain: domain) {
            return address
        }
        throw AdministrationFailure(
            .invalid, "“\(escapedForTerminal(subject))” is neither an address nor a domain",
            remedy: "write name@domain, or a domain")
    }

    /// What a delivery would come to.
    private func plan(_ report: DoctorRoute) -> String {
        let queue = configuration.queue
        func told(_ duration: Duration) -> String { ConfigurationKey.text(duration: duration) }
        guard queue.isEnabled else { return "This server sends nothing out: queue.enabled is false." }
        switch report.verdict {
        case .accepted:
            let taken = report.probes.first { $0.recipientReply?.isPositive == true }
            let privacy =
                if case .established = taken?.tls { "encrypted" } else { "in clear" }
            return "This server hands it over \(privacy), to the first of the servers above that takes it."
        case .refused, .noRoute: return "This server tries once, and sends the sender a notice that says why."
        case .deferred, .unreachable, .notAsked, .noRouteNow:
            return "This server keeps it and tries again after \(told(queue.firstRetry)), then at pauses that grow to "
                + "\(told(queue.longestRetry)); it tells the sender after \(told(queue.delayNotice)) and gives up after "
                + "\(told(queue.lifetime))."
        }
    }
}
