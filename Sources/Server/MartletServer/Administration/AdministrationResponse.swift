package import DNSProtocol
internal import Foundation
internal import MailStore
package import MailTransfer
internal import MartletCore
internal import Records

/// The answer to an `AdministrationRequest`.
package enum AdministrationResponse: Codable, Sendable, Hashable {
    /// It is done; a sentence about what.
    case done(String)
    case status(StatusView)
    case account(AccountView, note: String?)
    case accounts([AccountView])
    /// With the password, which is told this once.
    case appPassword(AppPasswordView, password: PasswordText)
    case appPasswords([AppPasswordView])
    case domains([DomainView])
    case aliases([AliasView])
    case mailboxes([MailboxView])
    case messages([MessageView])
    /// Octets of a message in base64, and its whole size.
    case piece(base64: String, size: Int)
    case expunged([ExpungedView])
    case undeleted(Int)
    /// The connection carries frames from here on.
    case transferring
    case imported(BatchOutcome)
    case queue([QueuedMessageView])
    case queueStatistics(QueueStatisticsView)
    /// Recipients that were changed.
    case queueChanged(Int)
    case route(RouteView)
    case explanation(ExplanationView)
    case ledger(LedgerView)
    case verification(VerificationView)
    case repaired(RepairView)
    case compacted(CompactionView)
    case certificates([CertificateView])
    case failure(AdministrationFailure)
}

/// Why it was not done.
package struct AdministrationFailure: Error, Codable, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Codable, Sendable {
        /// What was asked for does not exist.
        case notFound
        /// It exists and may not be changed so.
        case refused
        /// What was typed is no address, no domain, no password.
        case invalid
        /// The store does not answer now.
        case unavailable
    }
    package let kind: Kind
    package let problem: String
    package let remedy: String?

    package init(_ kind: Kind, _ problem: String, remedy: String? = nil) {
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
    }

    package var description: String { remedy.map { "\(problem); \($0)" } ?? problem }
}

package struct StatusView: Codable, Sendable, Hashable {
    package var pid: Int32
    package var version: String
    package var hostname: String
    package var accounts: Int
    package var domains: Int
    /// Of a running server.
    package var certificates: [CertificateView]
    /// Whether mail can be given to it; absent when no server runs.
    package var isReady: Bool?
    /// Those in force; absent when no server runs.
    package var alarms: [AlarmView]?
}

/// Something that an administrator should see to.
package struct AlarmView: Codable, Sendable, Hashable {
    package var name: String
    package var text: String
    package var remedy: String
}

package struct AccountView: Codable, Sendable, Hashable {
    package var address: String
    package var displayName: String
    /// Octets; absent: no limit.
    package var quota: Int64?
    package var usedBytes: Int64
    package var usedMessages: Int64
    package var isAdministrator: Bool
    package var isSuspended: Bool
    /// All addresses that it may send as.
    package var addresses: [String]
}

package struct AppPasswordView: Codable, Sendable, Hashable {
    package var number: Int64
    package var label: String
    /// RFC 3339.
    package var createdAt: String
    package var lastUsedAt: String?

    init(_ credential: Credential) {
        number = credential.number
        label = credential.label
        createdAt = credential.createdAt.description
        lastUsedAt = credential.lastUsedAt?.description
    }
}

package struct DomainView: Codable, Sendable, Hashable {
    package var domain: String
    package var unicode: String
    package var catchAll: String?
    package var subaddressSeparator: String?
    package var accounts: Int
    /// What else a change has done.
    package var note: String?
}

package struct AliasView: Codable, Sendable, Hashable {
    package var address: String
    package var targets: [String]
}

package struct MailboxView: Codable, Sendable, Hashable {
    package var name: String
    package var messages: Int
    package var unseen: Int
    package var size: Int64
    package var uidValidity: UInt32
    package var specialUse: String?

    init(_ info: MailboxInfo) {
        name = info.name
        uidValidity = info.uidValidity
        specialUse = info.specialUse?.rawValue
        messages = info.messages
        unseen = info.unseen
        size = info.size
    }
}

package struct MessageView: Codable, Sendable, Hashable {
    package var uid: UInt32
    package var date: String
    package var size: Int
    package var flags: [String]
    package var from: String
    package var subject: String
    package var messageID: String?
}

package struct ExpungedView: Codable, Sendable, Hashable {
    package var mailbox: String
    package var uid: UInt32
    package var expungedAt: String
    package var size: Int
    package var from: String
    package var subject: String

    init(_ message: ExpungedMessage) {
        mailbox = message.mailboxName
        uid = message.uid
        expungedAt = message.expungedAt.description
        size = message.size
        from = message.from
        subject = message.subject
    }
}

/// The way of mail to an address.
package struct RouteView: Codable, Sendable, Hashable {
    /// One of `DoctorRoute.Verdict`, or `local`.
    package var verdict: String
    /// Whether mail can be delivered.
    package var isGood: Bool
    package var text: String
    /// One JSON object.
    package var json: String

    package init(_ report: DoctorRoute) {
        verdict = report.verdict.rawValue
        isGood = report.verdict == .accepted
        text = report.text
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Plain values cannot fail.
        json = (try? encoder.encode(report)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// An address of this server's own.
    init(localSubject subject: String) {
        verdict = "local"
        isGood = true
        let told = escapedForTerminal(subject)
        let summary = "Mail for \(told) stays on this server: its domain is one of its own."
        let next = "“martlet explain \(told)” tells whom it reaches."
        text = "\(summary)\nNext step: \(next)\n"
        json =
            "{\"nextStep\":\(JSONText.string(next)),\"subject\":\(JSONText.string(subject)),"
            + "\"summary\":\(JSONText.string(summary)),\"verdict\":\"local\"}"
    }
}

package struct ExplanationView: Codable, Sendable, Hashable {
    /// How the address would be resolved now; nil when the subject is none of a local domain.
    package var resolution: String?
    package var records: [RecordView]
}

package struct RecordView: Codable, Sendable, Hashable {
    package var code: String
    /// One line, for lists.
    package var line: String
    /// The whole story.
    package var text: String
    /// The record as stored: one JSON object.
    package var json: String

    init(_ record: Record) {
        code = record.code.description
        line = Explanation.line(for: record)
        text = Explanation.text(for: record)
        json = String(decoding: record.json(), as: UTF8.self)
    }
}

/// What a look at every row and every octet of the store found.
package struct VerificationView: Codable, Sendable, Hashable {
    package var isSound: Bool
    package var messages: Int
    package var blobs: Int
    /// Octets of all blobs.
    package var bytes: Int64
    /// Octets that no message names any more.
    package var unreferencedBytes: Int64
    /// How many there are; of them, the first are told.
    package var faultCount: Int
    package var faults: [String]
}

package struct LedgerView: Codable, Sendable, Hashable {
    package var holds: Bool
    package var drift: Int64
    /// By name: accepted, delivered, relayed, bounced, queued, discarded.
    package var counted: [String: Int64]
    package var recounted: [String: Int64]

    init(_ report: LedgerReport) {
        holds = report.holds
        drift = report.ledger.drift
        counted = LedgerView.byName(report.ledger)
        recounted = LedgerView.byName(report.recounted)
    }

    private static func byName(_ ledger: Ledger) -> [String: Int64] {
        Dictionary(uniqueKeysWithValues: Ledger.Entry.allCases.map { ($0.rawValue, ledger[$0]) })
    }
}
