public import MailStore
public import MartletCore
public import Records

/// Whom somebody who has logged in may write as: their own addresses, with any tag (RFC 6409 §6.1, §8.1).
///
/// An address is somebody's own when it is the account's, or an alias that reaches this account and nobody else: a group
/// speaks for all of its members, not for one (Docs/decisions/0008-group-senders.md). `postmaster` and `abuse` without an
/// entry are the administrator's, who reads them.
public enum SubmissionPolicy {
    /// The account that sends.
    public struct Sender: Sendable, Hashable {
        public var account: AccountID
        /// Its own address.
        public var address: EmailAddress
        /// The name as given at login.
        public var login: String
        public init(account: AccountID, address: EmailAddress, login: String) {
            self.account = account
            self.address = address
            self.login = login
        }
    }

    /// Whether `address` belongs to the account alone. A tag behind the domain's separator is passed over unless the whole
    /// address has an entry of its own, which may be somebody else's.
    public static func isOwn(_ address: EmailAddress, of account: AccountID, in lookup: some AddressLookup) -> Bool {
        guard let domain = address.domain, let local = lookup.domain(domain) else { return false }
        let exact = address.foldedLocalPart
        if let entry = lookup.entry(localPart: exact, domain: domain) {
            return isOwn(entry, address, account, lookup)
        }
        // Whoever reads a role address that nobody has taken may answer as it.
        if RecipientResolver.isRole(exact), let (administrator, _) = lookup.roleFallback() {
            return administrator == account
        }
        guard let separator = local.subaddressSeparator, let split = exact.firstIndex(of: separator),
            let base = EmailAddress(localPart: String(exact[..<split]), domain: domain),
            let entry = lookup.entry(localPart: base.foldedLocalPart, domain: domain)
        else { return false }
        return isOwn(entry, base, account, lookup)
    }

    private static func isOwn(
        _ entry: AddressEntry, _ address: EmailAddress, _ account: AccountID, _ lookup: some AddressLookup
    ) -> Bool {
        switch entry {
        case .account(let id, _): return id == account
        case .alias:
            let resolution = RecipientResolver().resolve(address, in: lookup)
            return resolution.outcome == .found && resolution.outside.isEmpty && !resolution.usedRoleFallback
                && resolution.targets.map(\.account) == [account]
        }
    }

    /// Decides on MAIL of an authenticated session.
    public static func decideSender(
        _ address: EmailAddress?, of sender: Sender, in lookup: some AddressLookup
    ) -> Decision {
        guard let address else {
            // The originators in the header are held to own addresses all the same.
            return Decision(
                check: "sender", outcome: .pass,
                summary: "The message has no return path, as receipts and automatic answers have.",
                evidence: [.init("login", sender.login)], reference: "RFC 8098 §3")
        }
        guard isOwn(address, of: sender.account, in: lookup) else {
            return Decision(
                check: "sender", outcome: .refuse,
                summary: "The sender address does not belong to the account that logged in.",
                evidence: [.init("sender", address.description), .init("login", sender.login)],
                reference: "RFC 6409 §6.1", remedy: ownAddressRemedy)
        }
        return Decision(
            check: "sender", outcome: .pass, summary: "The sender address belongs to the account that logged in.",
            evidence: [.init("sender", address.description)], reference: "RFC 6409 §6.1")
    }

    /// Decides on the fields of a submitted message that say who wrote or sent it. Each address in them has to be an own one.
    public static func decideOriginators(
        _ originators: Originators, of sender: Sender, in lookup: some AddressLookup
    ) -> Decision {
        guard originators.fields.contains(where: { $0.name == .from && !$0.addresses.isEmpty }) else {
            return Decision(
                check: "from", outcome: .refuse, summary: "The message has no From field with an address.",
                reference: "RFC 5322 §3.6", remedy: "add a From field")
        }
        for field in originators.fields {
            guard !field.isCutOff else {
                return Decision(
                    check: "from", outcome: .refuse,
                    summary: "The \(field.name.rawValue) field has more addresses than are looked at.",
                    evidence: [.init("addresses", "\(field.addresses.count)"), .init("login", sender.login)],
                    reference: "RFC 6409 §8.1", remedy: "name the account's own address alone")
            }
            for text in field.addresses {
                if let address = EmailAddress(text), isOwn(address, of: sender.account, in: lookup) { continue }
                return Decision(
                    check: "from", outcome: .refuse,
                    summary:
                        "The \(field.name.rawValue) field names an address that does not belong to the account that logged in.",
                    evidence: [.init(field.name.rawValue.lowercased(), text), .init("login", sender.login)],
                    reference: "RFC 6409 §8.1", remedy: ownAddressRemedy)
            }
        }
        return Decision(
            check: "from", outcome: .pass, summary: "The message names the account that logged in, and nobody else.",
            reference: "RFC 6409 §8.1")
    }

    private static let ownAddressRemedy =
        "use one of the account's addresses, or make this one an alias of it alone with `martlet alias add`"
}

/// The fields of a header that say who wrote, sent or sent again (RFC 5322 §3.6.2, §3.6.6).
public struct Originators: Sendable, Hashable {
    public enum FieldName: String, Sendable, Hashable, CaseIterable {
        case from = "From"
        case sender = "Sender"
        case resentFrom = "Resent-From"
        case resentSender = "Resent-Sender"
    }

    public struct Field: Sendable, Hashable {
        public var name: FieldName
        /// As written; what is no whole address stands here too.
        public var addresses: [String]
        /// There are more addresses than were read.
        public var isCutOff: Bool
        public init(_ name: FieldName, _ addresses: [String], isCutOff: Bool = false) {
            self.name = name
            self.addresses = addresses
            self.isCutOff = isCutOff
        }
    }

    /// In the order of the header; the same name as often as it stands there.
    public var fields: [Field]
    public init(_ fields: [Field] = []) { self.fields = fields }
}
