internal import Authentication
internal import Glibc
internal import Logging
internal import MailStore
internal import MartletCore
internal import OutboundDelivery
internal import StoreEngine

/// The store of a data directory with what its configuration says, and the administration on top of it: the part that a
/// server and a command without a server have in common.
struct OpenedStore: Sendable {
    let engine: EmbeddedStore
    let administration: Administration
    /// Makes the codes of all records of this process.
    let codes: LookupCodes
    let notices: NoticeMaker
    let bell: QueueBell
    let certificates: CertificateDesk
    let alarms: AlarmSource

    static func open(
        _ directory: DataDirectory, configuration: Configuration, clock: any WallClock, logger: Logger
    ) async throws(StoreOpenError) -> OpenedStore {
        var options = StoreOptions()
        options.expungedRetention = configuration.store.expungeRetention
        options.freeSpaceReserve = configuration.store.freeSpaceReserve
        options.indexCacheBudget = configuration.store.indexCache
        let engine = try await EmbeddedStore.open(
            directory: directory.store, options: options, clock: clock, logger: logger)
        let defaults = Administration.Defaults(
            quota: configuration.store.defaultQuota, subaddressSeparator: configuration.subaddressSeparator,
            hostname: configuration.effectiveHostname)
        let codes = LookupCodes()
        let notices = NoticeMaker(
            hostname: configuration.effectiveHostname, lifetime: configuration.queue.lifetime,
            nextCode: { codes.next(at: $0) }, clock: clock)
        let bell = QueueBell()
        let (certificates, alarms) = (CertificateDesk(), AlarmSource())
        let administration = Administration(
            directory: engine, mailboxes: engine, records: engine, queue: engine,
            canceller: QueueCanceller(store: engine, notices: notices), bell: bell, clock: clock, defaults: defaults,
            certificates: certificates, upkeep: EmbeddedUpkeep(engine: engine), alarms: alarms,
            doctor: RouteDoctor(configuration, clock: clock)
        ) { VerificationView(await engine.verify()) }
        return OpenedStore(
            engine: engine, administration: administration, codes: codes, notices: notices, bell: bell,
            certificates: certificates, alarms: alarms)
    }
}

extension Configuration {
    /// The configured name, or the machine's own, or `localhost` where that is no name.
    package var effectiveHostname: String {
        if let hostname = server.hostname { return hostname.ascii }
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Domain(text)?.ascii ?? "localhost"
    }
}
