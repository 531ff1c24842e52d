internal import MailStore
internal import MartletCore
internal import Records
internal import Synchronization

/// Writes records of failed logins, one an address, login, reason and minute: the first at once, the number of the others with
/// the next. A code leads to the reason of the failure that it was told for.
final class FailureRecorder: Sendable {
    static let interval = Duration.seconds(60)
    /// Pairs of address and login that are remembered.
    static let maximumWindows = 16_384
    /// Records a minute from one address, which may try many names; what is more is counted only.
    static let recordsPerAddress = 20
    /// Records a minute from all addresses together; what is more is counted only.
    static let recordsPerInterval = 600

    private struct Key: Hashable {
        var pair: LoginThrottle.Pair
        var kind: LoginFailure.Kind
        /// Of the failure; no longer than a record tells it.
        var reason: String
    }

    private struct Window {
        var since: Instant
        var unwritten: Int
        var code: LookupCode
    }

    private struct State {
        var windows: [Key: Window] = [:]
        /// Records of this minute by address.
        var byAddress: [PeerNetwork: Int] = [:]
        var globalSince = Instant(microseconds: 0)
        var globalCount = 0
        var globalUnwritten = 0
    }

    private let records: (any RecordStore)?
    private let codes: LookupCodes
    private let state = Mutex(State())

    init(records: (any RecordStore)?, codes: LookupCodes) {
        self.records = records
        self.codes = codes
    }

    /// Returns the code of the record that tells of this failure, or of the one that will be followed by its count.
    func record(
        _ failure: LoginFailure, login: String, mechanism: String, pair: LoginThrottle.Pair, peer: LoginPeer,
        now: Instant
    ) -> LookupCode? {
        guard let records else { return nil }
        let key = Key(pair: pair, kind: failure.kind, reason: String(failure.reason.prefix(200)))
        let step = state.withLock { state -> (code: LookupCode, before: Int, elsewhere: Int, isNew: Bool)? in
            if var window = state.windows[key], window.since <= now, now - window.since < FailureRecorder.interval {
                window.unwritten += 1
                state.windows[key] = window
                return (window.code, 0, 0, false)
            }
            if now < state.globalSince || now - state.globalSince >= FailureRecorder.interval {
                state.globalSince = now
                state.globalCount = 0
                state.byAddress = [:]
            }
            guard state.globalCount < FailureRecorder.recordsPerInterval,
                state.byAddress[pair.address, default: 0] < FailureRecorder.recordsPerAddress
            else {
                state.globalUnwritten += 1
                return nil
            }
            state.globalCount += 1
            state.byAddress[pair.address, default: 0] += 1
            if state.windows.count >= FailureRecorder.maximumWindows {
                let old = state.windows.filter {
                    $0.key != key && now - $0.value.since >= FailureRecorder.interval
                }
                for (old, window) in old {
                    state.globalUnwritten += window.unwritten
                    state.windows[old] = nil
                }
            }
            let before = state.windows[key]?.unwritten ?? 0
            // Others' failures are told with the next record there is, as what they are.
            let elsewhere = state.globalUnwritten
            state.globalUnwritten = 0
            let code = codes.next(at: now)
            if state.windows.count < FailureRecorder.maximumWindows || state.windows[key] != nil {
                state.windows[key] = Window(since: now, unwritten: 0, code: code)
            }
            return (code, before, elsewhere, true)
        }
        guard let step else { return nil }
        guard step.isNew else { return step.code }
        let record = FailureRecorder.makeRecord(
            step.code, failure, login: login, mechanism: mechanism, peer: peer, before: step.before,
            elsewhere: step.elsewhere, now: now)
        Task { try? await records.write(record) }
        return step.code
    }

    private static func makeRecord(
        _ code: LookupCode, _ failure: LoginFailure, login: String, mechanism: String, peer: LoginPeer, before: Int,
        elsewhere: Int, now: Instant
    ) -> Record {
        var evidence: [Decision.Evidence] = [
            .init("mechanism", String(mechanism.prefix(64))), .init("reason", failure.reason),
        ]
        // An exchange may end before it names anybody.
        let login: String? = login.isEmpty ? nil : String(login.prefix(320))
        if let login { evidence.insert(.init("login", login), at: 0) }
        if before > 0 { evidence.append(.init("earlier failures without a record", "\(before)")) }
        if elsewhere > 0 {
            evidence.append(.init("failures of other logins or addresses without a record", "\(elsewhere)"))
        }
        let remedy =
            switch failure.kind {
            case .wrongCredentials:
                "Use the account's full address and its password or an app password; `martlet account` sets a new one."
            case .suspended: "`martlet account` takes the suspension back."
            case .encryptionRequired: "Switch on TLS in the client."
            case .unknownMechanism: "Choose one of the mechanisms that the server names."
            case .malformed, .cancelled, .unavailable: nil as String?
            }
        let decision = Decision(
            check: "authentication", outcome: failure.isTemporary ? .defer : .refuse,
            summary: "The login was refused: \(failure.reason).",
            evidence: evidence, reference: "RFC 4422 §3.6", remedy: remedy)
        return Record(
            code: code, kind: .login, at: now, service: peer.service,
            peer: Record.Peer(address: peer.address, tls: peer.tls, login: login),
            decisions: [decision],
            reply: failure.publicText)
    }
}
