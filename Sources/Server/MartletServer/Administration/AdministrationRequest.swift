package import MartletCore

/// What `martlet account`, `domain`, `alias`, `message`, `explain` and `ledger` ask of the server (over the control socket)
/// or of the store they open themselves. One JSON object a line: `{"accountShow":{"address":"anna@example.test"}}`.
package enum AdministrationRequest: Codable, Sendable, Hashable {
    case status

    case accountAdd(
        address: String, displayName: String, quota: Int64?, usesDefaultQuota: Bool, isAdministrator: Bool,
        password: PasswordText)
    case accountList
    case accountShow(address: String)
    case accountRemove(address: String)
    /// What is nil stays. `quota` below zero: none.
    case accountSet(address: String, displayName: String?, quota: Int64?, isAdministrator: Bool?, isSuspended: Bool?)
    case accountPassword(address: String, password: PasswordText)
    case appPasswordAdd(address: String, label: String)
    case appPasswordList(address: String)
    case appPasswordRevoke(address: String, number: Int64)

    case domainAdd(domain: String, catchAll: String?, separator: SeparatorChange)
    case domainList
    case domainRemove(domain: String)
    case domainSet(domain: String, catchAll: CatchAllChange, separator: SeparatorChange)

    case aliasAdd(address: String, targets: [String])
    case aliasList(domain: String?)
    case aliasRemove(address: String)

    case mailboxList(address: String)
    /// Newest first: UIDs below `before`, at most `limit`.
    case messageList(address: String, mailbox: String, before: UInt32?, limit: Int)
    /// Octets from `offset`, at most `maximumPiece`.
    case messageRead(address: String, mailbox: String, uid: UInt32, offset: Int)
    case expungedList(address: String, limit: Int)
    /// All that can be brought back when both are nil.
    case messageUndelete(address: String, mailbox: String?, uids: [UInt32]?)

    /// After its answer the connection carries `TransferFrame`s to the server until it ends; each batch has an answer.
    case importOpen(address: String, keepsDuplicates: Bool)
    /// After its answer come `TransferFrame`s with the messages of a mailbox whose UID is above a number.
    case exportOpen(address: String, mailbox: String, above: UInt32)

    case queueList(QueueFilter, limit: Int)
    case queueStatistics
    case queueChange(QueueStep, QueueFilter)
    /// What waits ends, with a notice to its sender or without.
    case queueCancel(QueueFilter, notifies: Bool)
    /// An address or a domain: the way of its mail, up to RCPT.
    case doctorRoute(subject: String)

    /// A lookup code, a Message-ID or an address.
    case explain(subject: String, limit: Int)
    case ledger
    /// Reads the whole store and compares.
    case verify
    /// The same, and puts right what can be.
    case repair(removesDamaged: Bool)
    /// Gives back what segment files hold and nobody names, where that is so large a part of one: 0 to 1.
    case compact(deadShare: Double)
    /// A backup begins or goes on: segment files stay for so many seconds. 0: it has ended.
    case segmentsHold(holder: Int64, seconds: Int)

    /// The certificates that clients are shown, and those that are wanted.
    case certificateList
    /// Has one issued now, or all that an authority issues: nil.
    case certificateRenew(name: String?)

    /// Whether its answer takes as long as a store is large, or another server slow.
    package var takesLong: Bool {
        switch self {
        case .verify, .repair, .compact, .certificateRenew, .doctorRoute: true
        default: false
        }
    }

    /// Octets of a message in one reply.
    package static let maximumPiece = 256 * 1_024
    /// Octets of the longest request line: an alias with 1,000 targets fits.
    package static let maximumLine = 1 << 20
    /// Things in one list.
    package static let maximumList = 1_000
}

/// Which of what waits for other servers; all that is given must hold.
package struct QueueFilter: Codable, Sendable, Hashable {
    /// A lookup code.
    package var code: String?
    package var destination: String?
    /// Of a sender or recipient.
    package var address: String?
    /// `waiting`, `leased`, `held`.
    package var state: String?
    package init(code: String? = nil, destination: String? = nil, address: String? = nil, state: String? = nil) {
        self.code = code
        self.destination = destination
        self.address = address
        self.state = state
    }
}

package enum QueueStep: String, Codable, Sendable, Hashable {
    case hold
    case release
    case retry
}

package enum CatchAllChange: Codable, Sendable, Hashable {
    case keep
    case none
    case address(String)
}

package enum SeparatorChange: Codable, Sendable, Hashable {
    /// As it is; for a new domain, as configured.
    case keep
    case none
    case character(String)
}

/// A password on its way through the control socket. Shows itself in JSON only.
package struct PasswordText: Codable, Sendable, Hashable, CustomStringConvertible {
    package let secret: Secret
    package init(_ secret: Secret) { self.secret = secret }
    package init(from decoder: any Decoder) throws {
        secret = Secret(try decoder.singleValueContainer().decode(String.self))
    }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: secret.exposed, as: UTF8.self))
    }
    package var description: String { "<secret>" }
}
