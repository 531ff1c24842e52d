internal import Authentication
internal import Glibc
internal import Logging
internal import MailStore
package import MartletCore
internal import NIOCore
internal import NIOPosix
internal import NetworkTransport
internal import Observation
internal import StoreEngine

/// A running mail server: the store, the certificate, the listeners, the control socket, and what has to be done from time
/// to time. Made in two steps, so that the lab can make its accounts before anybody connects.
package final class Server: Sendable {
    package let directory: DataDirectory
    package let configuration: Configuration
    package let administration: Administration
    let log: ServerLog
    let logger: Logger
    let store: OpenedStore
    let clock: any WallClock
    let group: MultiThreadedEventLoopGroup
    let certificates: CertificateKeeper
    /// Sockets from before the process gave up its rights; nil when it has none to give up.
    let sockets: BoundSockets?

    /// What the server's own certificate is for, where none is configured.
    package struct CertificateNames: Sendable {
        package var names: [String]
        package var addresses: [[UInt8]]

        package static let loopback: [[UInt8]] = [[127, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]

        package init(names: [String], addresses: [[UInt8]]) {
            self.names = names
            self.addresses = addresses
        }
    }

    private init(
        directory: DataDirectory, configuration: Configuration, log: ServerLog, store: OpenedStore,
        clock: any WallClock,
        group: MultiThreadedEventLoopGroup, certificates: CertificateKeeper, sockets: BoundSockets?
    ) {
        self.directory = directory
        self.configuration = configuration
        administration = store.administration
        self.log = log
        logger = log.logger("server")
        self.store = store
        self.clock = clock
        self.group = group
        self.certificates = certificates
        self.sockets = sockets
    }

    /// Makes the directory, opens the log, the certificate and the store. Nothing listens yet.
    package static func open(
        _ configuration: Configuration, directory: DataDirectory, clock: any WallClock, names: CertificateNames
    ) async throws(ServerFailure) -> Server {
        umask(0o077)
        raiseDescriptorLimit()
        try PrivilegedStart.begin(configuration)
        let sockets = PrivilegedStart.takeSockets()
        let busy = sockets == nil ? PortCheck.problems(with: configuration.listeners) : []
        guard busy.isEmpty else { throw ServerFailure(.configuration, busy) }
        // Read before anything is made: a certificate that cannot be used is a mistake in the configuration.
        let configured = try ConfiguredCertificates(configuration)
        do throws(FileFailure) { try directory.create() } catch {
            throw ServerFailure(.configuration, [error.description])
        }
        let log = ServerLog(configuration.log, directory: directory)
        let store: OpenedStore
        do throws(StoreOpenError) {
            store = try await OpenedStore.open(
                directory, configuration: configuration, clock: clock, logger: log.logger("store"))
        } catch {
            log.finish()
            if case .locked = error { throw ServerFailure(.busy, [error.description]) }
            throw ServerFailure(.configuration, [error.description])
        }
        do throws(ServerFailure) {
            let certificates = try CertificateKeeper(
                configured, directory: directory, names: names, now: clock.now(), logger: log.logger("certificates"))
            let threads = configuration.server.threads == 0 ? System.coreCount : configuration.server.threads
            return Server(
                directory: directory, configuration: configuration, log: log, store: store, clock: clock,
                group: MultiThreadedEventLoopGroup(numberOfThreads: threads), certificates: certificates,
                sockets: sockets)
        } catch {
            store.engine.close()
            log.finish()
            throw error
        }
    }

    /// Listens, calls `ready`, serves until SIGTERM or SIGINT, and closes cleanly.
    /// - Parameters:
    ///   - reload: the configuration read again, for SIGHUP; nil when there is nothing to read.
    ///   - ready: called when every service takes connections.
    package func run(
        reload: @Sendable () throws -> Configuration?,
        ready: (_ ports: [(service: String, port: Int)]) throws(FileFailure) -> Void
    ) async throws(ServerFailure) {
        let patience = configuration.server.shutdownPatience
        let signals = Signals { ShutdownWatchdog.start(patience: patience) }
        // Signals are heard until the store is closed.
        defer { withExtendedLifetime(signals) {} }
        let observer = ServerObserver(self)
        let observation: ObservationServer
        let services: MailServices
        let certificateService: CertificateService
        var outbound: OutboundService?
        do {
            observation = try await ObservationServer.start(
                on: configuration.listeners.metrics, source: observer, group: group)
            warnOfOpenMetrics()
        } catch {
            await closeStore()
            throw ServerFailure(.configuration, ["listeners.metrics: \(error)"])
        }
        do {
            if configuration.queue.isEnabled { outbound = try await OutboundService.start(self) }
            certificateService = try await CertificateService.start(self)
            do {
                services = try await MailServices.start(self, tls: certificates.box, outbound: outbound?.settings)
            } catch {
                await certificateService.stop()
                throw error
            }
        } catch {
            await outbound?.stop(patience: .zero)
            await observation.close()
            await closeStore()
            throw ServerFailure(.configuration, ["\(error)"])
        }
        await observer.watch(services.observed.with(outbound?.queue))
        store.alarms.connect { await observer.readiness() }
        var control: ControlServer?
        do {
            control = try await ControlServer.start(
                directory, administration: administration, group: group, logger: log.logger("control"))
            await observer.enter(.running)
            try ready(configuration.listeners.ports)
        } catch {
            await control?.close()
            await certificateService.stop()
            await services.close(patience: .zero)
            await outbound?.stop(patience: .zero)
            await observation.close()
            await closeStore()
            throw ServerFailure(.configuration, ["\(error)"])
        }
        logger.notice(
            "ready",
            metadata: [
                "version": "\(Version.text)", "directory": "\(directory.path)",
                "hostname": "\(configuration.effectiveHostname)",
            ])
        ServiceNotification.ready.send()
        let housekeeping = Task { await housekeep() }
        let watching = Task { await observer.watch() }
        for await event in signals.events {
            if case .end = event { break }
            await self.reload(reload)
        }
        ServiceNotification.stopping.send()
        logger.notice("ending")
        await observer.enter(.stopping)
        housekeeping.cancel()
        watching.cancel()
        await control?.close()
        await certificateService.stop()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.close(patience: patience) }
            group.addTask { [outbound] in await outbound?.stop(patience: patience) }
        }
        await observation.close()
        await closeStore()
    }

    private func warnOfOpenMetrics() {
        for case .internet(let host, _) in configuration.listeners.metrics
        where host != "::1" && !host.hasPrefix("127.") {
            logger.warning(
                "listeners.metrics is on an address that others may reach; it asks for no login",
                metadata: ["address": "\(host)"])
        }
    }

    /// Closes a server that was opened and does not run.
    package func abandon() async { await closeStore() }

    private func closeStore() async {
        store.engine.close()
        try? await group.shutdownGracefully()
        logger.notice("ended")
        log.finish()
    }

    // MARK: From time to time

    private func reload(_ read: @Sendable () throws -> Configuration?) async {
        do {
            let fresh = try read()
            log.reload(fresh?.log)
            try certificates.reload(fresh ?? configuration, now: clock.now())
            logger.notice(
                "reloaded the certificates, the log level and the log file",
                metadata: ["certificates": "\(certificates.box.certificatesInForce.count)"])
        } catch {
            logger.error("not reloaded: the old certificates stay", metadata: ["reason": "\(error)"])
        }
    }

    /// Once an hour: records and expunged messages that are too old go, and the server's own certificate is renewed in time.
    private func housekeep() async {
        var isFirstRound = true
        while !Task.isCancelled {
            let now = clock.now()
            do {
                let removed = try await store.engine.purgeRecords(
                    before: now + .seconds(-86_400 * Int64(configuration.recordsKeepDays)))
                if removed > 0 { logger.info("old records removed", metadata: ["count": "\(removed)"]) }
                let forgotten = try await store.engine.housekeep().forgottenMessages
                if forgotten > 0 { logger.info("expunged messages forgotten", metadata: ["count": "\(forgotten)"]) }
                try certificates.renewOwn(now: now)
            } catch {
                logger.error("housekeeping failed; it is tried again in an hour", metadata: ["reason": "\(error)"])
            }
            // Not while a server starts.
            if !isFirstRound { await compact() }
            isFirstRound = false
            try? await Task.sleep(for: .seconds(3_600))
        }
    }
}

extension Server {
    /// Gives back what segment files hold and nobody names, slowly.
    private func compact() async {
        do {
            let report = try await store.engine.compact()
            for fault in report.faults { logger.error("a content cannot be moved", metadata: ["reason": "\(fault)"]) }
            guard report.removedFiles > 0 else { return }
            logger.info(
                "segment files compacted",
                metadata: ["files": "\(report.removedFiles)", "octets": "\(report.freedBytes)"])
        } catch StoreError.notAllowed {
            // A backup or a repair is under way; there is time.
        } catch {
            logger.error("compaction failed; it is tried again in an hour", metadata: ["reason": "\(error)"])
        }
    }
}

extension Configuration.Listeners {
    /// The port of each service that listens on one.
    var ports: [(service: String, port: Int)] {
        all.compactMap { service, addresses in
            for case .internet(_, let port) in addresses { return (service, port) }
            return nil
        }
    }
}
