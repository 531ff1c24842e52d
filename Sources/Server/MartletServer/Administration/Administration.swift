internal import Authentication
package import MailStore
package import MartletCore
package import OutboundDelivery

/// Carries out `AdministrationRequest`s on a store. The same code serves the control socket of a running server and a
/// command that opened the store itself, so that both do the same and check the same.
package struct Administration: Sendable {
    package struct Defaults: Sendable {
        /// nil: no limit.
        package var quota: Int64?
        package var subaddressSeparator: Character?
        package var hostname: String
        package init(quota: Int64?, subaddressSeparator: Character?, hostname: String) {
            self.quota = quota
            self.subaddressSeparator = subaddressSeparator
            self.hostname = hostname
        }
    }

    let directory: any DirectoryStore
    let mailboxes: any MailboxStore
    let records: any RecordStore
    let queueStore: any QueueStore
    let canceller: QueueCanceller
    let bell: QueueBell
    let certificates: CertificateDesk
    let clock: any WallClock
    let defaults: Defaults
    /// How the engine looks at itself: engines differ in what there is to compare.
    let verifier: @Sendable () async -> VerificationView
    /// What the engine can be asked to do with itself; nil where it is looked after by others.
    let upkeep: (any StoreUpkeep)?
    let alarms: AlarmSource
    let doctor: RouteDoctor?

    package init(
        directory: any DirectoryStore, mailboxes: any MailboxStore, records: any RecordStore,
        queue: any QueueStore, canceller: QueueCanceller, bell: QueueBell, clock: any WallClock, defaults: Defaults,
        certificates: CertificateDesk = CertificateDesk(), upkeep: (any StoreUpkeep)? = nil,
        alarms: AlarmSource = AlarmSource(), doctor: RouteDoctor? = nil,
        verifier: @escaping @Sendable () async -> VerificationView
    ) {
        self.directory = directory
        self.mailboxes = mailboxes
        self.records = records
        queueStore = queue
        self.canceller = canceller
        self.bell = bell
        self.certificates = certificates
        self.clock = clock
        self.defaults = defaults
        self.verifier = verifier
        self.upkeep = upkeep
        self.alarms = alarms
        self.doctor = doctor
    }

    /// Does what is asked. Every failure is a `.failure` with a sentence for people.
    @concurrent
    package func perform(_ request: AdministrationRequest) async -> AdministrationResponse {
        do throws(AdministrationFailure) {
            switch request {
            case .status: return .status(await status())
            case .accountAdd, .accountList, .accountShow, .accountRemove, .accountSet, .accountPassword:
                return try await account(request)
            case .appPasswordAdd, .appPasswordList, .appPasswordRevoke: return try await appPassword(request)
            case .domainAdd, .domainList, .domainRemove, .domainSet: return try await domain(request)
            case .aliasAdd, .aliasList, .aliasRemove: return try await alias(request)
            case .mailboxList, .messageList, .messageRead, .expungedList, .messageUndelete:
                return try await message(request)
            case .importOpen(let address, _):
                _ = try existingAccount(address)
                return .transferring
            case .exportOpen(let address, let mailbox, _):
                let account = try existingAccount(address)
                _ = try await stored { () throws(StoreError) in
                    try await mailboxes.mailbox(named: mailbox, of: account.id)
                }
                return .transferring
            case .queueList, .queueStatistics, .queueChange, .queueCancel: return try await queue(request)
            case .doctorRoute(let subject): return .route(try await route(subject))
            case .explain(let subject, let limit): return .explanation(try await explain(subject, limit: limit))
            case .verify: return .verification(await verifier())
            case .repair, .compact, .segmentsHold: return try await maintenance(request)
            case .certificateList:
                guard let views = await certificates.list() else { throw CertificateDesk.nobody }
                return .certificates(views)
            case .certificateRenew(let name): return .certificates(try await certificates.renew(name))
            case .ledger:
                return .ledger(LedgerView(try await stored { () throws(StoreError) in try await records.ledger() }))
            }
        } catch {
            return .failure(error)
        }
    }

    private func status() async -> StatusView {
        let readiness = await alarms()
        return StatusView(
            pid: processID(), version: Version.text, hostname: defaults.hostname, accounts: directory.accounts().count,
            domains: directory.domains().count, certificates: await certificates.list() ?? [],
            isReady: readiness?.isReady,
            alarms: readiness?.alarms.map { AlarmView(name: $0.name.rawValue, text: $0.text, remedy: $0.remedy) })
    }

    private func route(_ subject: String) async throws(AdministrationFailure) -> RouteView {
        let recipient = try RouteDoctor.recipient(subject)
        if let domain = recipient.domain, directory.domain(domain) != nil { return RouteView(localSubject: subject) }
        guard let doctor else { throw AdministrationFailure(.unavailable, "routes cannot be looked at here") }
        return RouteView(try await doctor.examine(subject))
    }

    // MARK: What the parts share

    /// Runs a call of the store and puts its error into words.
    func stored<Value>(_ body: () async throws(StoreError) -> Value) async throws(AdministrationFailure) -> Value {
        do { return try await body() } catch { throw Administration.failure(error) }
    }

    static func failure(_ error: StoreError) -> AdministrationFailure {
        switch error {
        case .unavailable(let reason):
            AdministrationFailure(
                .unavailable, "the store cannot write: \(reason)", remedy: "look at the disk; nothing was changed")
        case .overQuota:
            AdministrationFailure(
                .refused, "the account has no room", remedy: "raise its quota with “martlet account set --quota”")
        case .noSuchAccount:
            AdministrationFailure(.notFound, "there is no such account", remedy: "“martlet account list” lists them")
        case .noSuchMailbox:
            AdministrationFailure(.notFound, "there is no such mailbox", remedy: "“martlet account show” lists them")
        case .mailboxExists: AdministrationFailure(.refused, "it exists already")
        case .invalidName(let reason): AdministrationFailure(.invalid, "the name cannot be used: \(reason)")
        case .notAllowed(let reason): AdministrationFailure(.refused, reason)
        case .noSuchMessage:
            AdministrationFailure(.notFound, "there is no such message", remedy: "“martlet message list” lists them")
        case .limit(let name): AdministrationFailure(.refused, "a limit is reached: \(name)")
        case .corrupt(let reason):
            AdministrationFailure(
                .unavailable, "stored bytes are damaged: \(reason)", remedy: "restore them from a backup")
        case .closed:
            AdministrationFailure(.unavailable, "the server is shutting down", remedy: "try again when it is back")
        }
    }

    func emailAddress(_ text: String) throws(AdministrationFailure) -> EmailAddress {
        guard let address = EmailAddress(text), address.domain != nil else {
            throw AdministrationFailure(
                .invalid, "“\(escapedForTerminal(text))” is no address", remedy: "write name@domain")
        }
        return address
    }

    func domainName(_ text: String) throws(AdministrationFailure) -> Domain {
        guard let domain = Domain(text) else {
            throw AdministrationFailure(
                .invalid, "“\(escapedForTerminal(text))” is no domain", remedy: "write a name such as example.org")
        }
        return domain
    }

    /// An address in a domain that mail is taken for.
    func localAddress(_ text: String) throws(AdministrationFailure) -> (address: EmailAddress, domain: LocalDomain) {
        let address = try emailAddress(text)
        guard let name = address.domain, let domain = directory.domain(name) else {
            let name = address.domain?.unicode ?? "its domain"
            throw AdministrationFailure(
                .refused, "\(name) is not a domain of this server", remedy: "add it first: martlet domain add \(name)")
        }
        return (address, domain)
    }

    /// The account with exactly this address.
    func existingAccount(_ text: String) throws(AdministrationFailure) -> Account {
        let address = try emailAddress(text)
        if let domain = address.domain,
            case .account(let id, _)? = directory.entry(localPart: address.foldedLocalPart, domain: domain),
            let account = directory.account(id)
        {
            return account
        }
        throw AdministrationFailure(
            .notFound, "there is no account \(address)", remedy: "“martlet account list” lists them")
    }

    /// Hashes a password: tens of milliseconds to a third of a second, on a thread of the pool.
    func credential(
        _ password: Secret, number: Int64, label: String, besides existing: [Credential]
    ) throws(AdministrationFailure) -> Credential {
        do throws(CredentialMaker.Failure) {
            return try CredentialMaker.make(
                password: password, number: number, label: label, now: clock.now(), sharingSaltsOf: existing)
        } catch {
            throw AdministrationFailure(error == .outOfMemory ? .unavailable : .invalid, error.description)
        }
    }
}
