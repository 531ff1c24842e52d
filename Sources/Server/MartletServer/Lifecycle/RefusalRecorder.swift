internal import Authentication
internal import Logging
internal import MailStore
internal import MartletCore
internal import NetworkTransport
internal import Records
internal import Synchronization

/// Writes records of connections that were refused at the door: one a `PeerNetwork`, service and minute, the number of the
/// others with the next, so that a flood does not become a flood of writes.
final class RefusalRecorder: Sendable {
    static let interval = Duration.seconds(60)
    /// Addresses that are remembered; beyond, refusals are logged only.
    static let maximumAddresses = 4_096

    private struct Window {
        var since: Instant
        var unwritten = 0
        var code: LookupCode
    }

    private let records: any RecordStore
    private let codes: LookupCodes
    private let clock: any WallClock
    private let logger: Logger
    private let windows = Mutex<[String: Window]>([:])

    init(records: any RecordStore, codes: LookupCodes, clock: any WallClock, logger: Logger) {
        self.records = records
        self.codes = codes
        self.clock = clock
        self.logger = logger
    }

    /// Called on an event loop; does not wait.
    /// - Returns: the code of the record that tells of it, or of the one before that will be followed by its count; nil when it
    ///   is only logged.
    func refused(service: String, address: String, _ refusal: ConnectionGate.Refusal) -> LookupCode? {
        let now = clock.now()
        guard let (code, before) = window(key: "\(service) \(PeerNetwork(address))", now: now) else { return nil }
        guard let before else { return code }
        let record = RefusalRecorder.record(
            code: code, at: now, service: service, address: address, refusal: refusal, before: before)
        logger.notice(
            "connection refused", metadata: ["service": "\(service)", "peer": "\(address)", "code": "\(record.code)"])
        Task { [records] in try? await records.write(record) }
        return code
    }

    /// The code, and how many refusals a new record tells of besides its own; nil when it is not time for a new one.
    private func window(key: String, now: Instant) -> (code: LookupCode, before: Int?)? {
        windows.withLock { windows in
            if let window = windows[key], window.since <= now, now - window.since < RefusalRecorder.interval {
                windows[key]?.unwritten += 1
                return (window.code, nil)
            }
            if windows.count >= RefusalRecorder.maximumAddresses {
                windows = windows.filter { now - $0.value.since < RefusalRecorder.interval }
                guard windows.count < RefusalRecorder.maximumAddresses else { return nil }
            }
            let before = windows[key]?.unwritten ?? 0
            let code = codes.next(at: now)
            windows[key] = Window(since: now, code: code)
            return (code, before)
        }
    }

    private static func record(
        code: LookupCode, at now: Instant, service: String, address: String, refusal: ConnectionGate.Refusal,
        before: Int
    ) -> Record {
        let family =
            service.hasPrefix("imap")
            ? "imap" : service.hasPrefix("pop3") ? "pop3" : service == "lmtp" ? "lmtp" : "smtp"
        let summary: String
        var remedy: String?
        var evidence: [Decision.Evidence] = []
        switch refusal {
        case .tooMany(let limit):
            summary = "The service had as many connections as it takes."
            remedy = "raise \(family).max-connections"
            evidence.append(.init("limit", "\(limit)"))
        case .tooManyFromAddress(let limit):
            summary = "The address had as many connections as one address may have."
            remedy = "raise \(family).max-connections-per-address"
            evidence.append(.init("limit", "\(limit)"))
        case .closing: summary = "The server was shutting down."
        }
        if before > 0 { evidence.append(.init("refused in the minute before, without a record", "\(before)")) }
        let decision = Decision(
            check: "connections", outcome: .defer, summary: summary, evidence: evidence, remedy: remedy)
        return Record(
            code: code, kind: .connection, at: now, service: service, peer: .init(address: address),
            decisions: [decision])
    }
}
