public import MailStore
public import MartletCore
internal import Records

/// What the resolver asks. Answers come from memory: `DirectoryStore` keeps them there.
public protocol AddressLookup {
    func domain(_ domain: Domain) -> LocalDomain?
    func entry(localPart: String, domain: Domain) -> AddressEntry?
    /// Who reads what comes to postmaster and abuse where nobody else was named: the first administrator.
    func roleFallback() -> (AccountID, EmailAddress)?
}

/// Finds who an address reaches: account, alias, group, subaddress, role address, catch-all, in this order.
///
/// `postmaster` and `abuse` of every local domain reach somebody (RFC 5321 §4.5.1, RFC 2142 §4), and `postmaster` without
/// a domain means the first local domain's (RFC 5321 §4.1.1.3). Pure: asks `AddressLookup`, keeps nothing.
public struct RecipientResolver: Sendable {
    /// Aliases that may follow each other.
    public static let maximumDepth = 10
    /// Targets that one address may expand to.
    public static let maximumTargets = 1_000

    public init() {}

    public func resolve(_ address: EmailAddress, in lookup: some AddressLookup) -> Resolution {
        guard let domain = address.domain, lookup.domain(domain) != nil else {
            return Resolution(
                outcome: .notLocal,
                decision: Decision(
                    check: "recipient", outcome: .refuse, summary: "The domain of this address is not one of ours.",
                    evidence: [.init("recipient", address.description)], reference: "RFC 5321 §3.6.2",
                    remedy:
                        "add the domain with `martlet domain add`, or send through the submission port after a login"))
        }
        var expansion = Expansion()
        let isFound = expand(address, depth: 0, into: &expansion, lookup)
        var evidence = [Decision.Evidence("recipient", address.description)]
        evidence += expansion.path.map { .init("by", $0) }
        if let failure = expansion.failure {
            return Resolution(
                outcome: .brokenAlias(reason: failure),
                decision: Decision(
                    check: "recipient", outcome: .defer, summary: "The alias cannot be expanded: \(failure).",
                    evidence: evidence,
                    remedy: "mend it with `martlet alias add`"))
        }
        guard isFound else {
            return Resolution(
                outcome: .unknownUser,
                decision: Decision(
                    check: "recipient", outcome: .refuse,
                    summary: "There is no account, alias or catch-all for this address.", evidence: evidence,
                    reference: "RFC 5321 §4.2.3",
                    remedy: "`martlet account add` or `martlet alias add` makes it an address of ours"))
        }
        return Resolution(
            outcome: .found, targets: expansion.targets, outside: expansion.outside,
            decision: Decision(
                check: "recipient", outcome: .pass,
                summary: expansion.targets.count + expansion.outside.count == 1
                    ? "The address reaches one mailbox owner."
                    : "The address reaches \(expansion.targets.count + expansion.outside.count) mailbox owners.",
                evidence: evidence, reference: "RFC 5321 §3.9"))
    }

    private struct Expansion {
        var targets: [Resolution.Target] = []
        var outside: [EmailAddress] = []
        var path: [String] = []
        var visited: Set<String> = []
        var accounts: Set<AccountID> = []
        var failure: String?
    }

    /// Adds what `address` reaches. False when nobody is found.
    private func expand(
        _ address: EmailAddress, depth: Int, into expansion: inout Expansion, _ lookup: some AddressLookup
    ) -> Bool {
        guard depth <= RecipientResolver.maximumDepth else {
            expansion.failure = "more than \(RecipientResolver.maximumDepth) aliases follow each other"
            return true
        }
        guard expansion.targets.count + expansion.outside.count < RecipientResolver.maximumTargets else {
            expansion.failure = "it has more than \(RecipientResolver.maximumTargets) members"
            return true
        }
        guard let domain = address.domain, let local = lookup.domain(domain) else {
            if !expansion.outside.contains(address) { expansion.outside.append(address) }
            return true
        }
        // An address that was expanded already adds nobody: groups may overlap, and circles end here.
        guard expansion.visited.insert("\(address.foldedLocalPart)@\(domain.ascii)").inserted else { return true }

        let exact = address.foldedLocalPart
        if let entry = lookup.entry(localPart: exact, domain: domain) {
            return take(entry, detail: nil, of: address, depth: depth, into: &expansion, lookup)
        }
        if let separator = local.subaddressSeparator, let split = exact.firstIndex(of: separator),
            split != exact.startIndex,
            let entry = lookup.entry(localPart: String(exact[..<split]), domain: domain)
        {
            let written = address.localPart
            let detail = written.firstIndex(of: separator).map { String(written[written.index(after: $0)...]) }
            return take(entry, detail: detail, of: address, depth: depth, into: &expansion, lookup)
        }
        if exact == "postmaster" || exact == "abuse", let (account, owner) = lookup.roleFallback() {
            expansion.path.append("\(exact) goes to the administrator \(owner)")
            add(Resolution.Target(account: account, address: owner), to: &expansion)
            return true
        }
        if let catchAll = local.catchAll {
            expansion.path.append("catch-all of \(domain) → \(catchAll)")
            return expand(catchAll, depth: depth + 1, into: &expansion, lookup)
        }
        return false
    }

    private func take(
        _ entry: AddressEntry, detail: String?, of address: EmailAddress, depth: Int, into expansion: inout Expansion,
        _ lookup: some AddressLookup
    ) -> Bool {
        switch entry {
        case .account(let account, let owner):
            add(Resolution.Target(account: account, address: owner, detail: detail), to: &expansion)
            return true
        case .alias(let members):
            expansion.path.append("alias \(address) → \(members.prefix(5).map(\.description).joined(separator: ", "))")
            var isFound = false
            for member in members where expansion.failure == nil {
                if expand(member, depth: depth + 1, into: &expansion, lookup) { isFound = true }
            }
            return isFound
        }
    }

    private func add(_ target: Resolution.Target, to expansion: inout Expansion) {
        if expansion.accounts.insert(target.account).inserted { expansion.targets.append(target) }
    }
}

/// The directory of a store as the resolver sees it.
public struct DirectoryLookup: AddressLookup {
    private let directory: any DirectoryStore

    public init(_ directory: any DirectoryStore) { self.directory = directory }

    public func domain(_ domain: Domain) -> LocalDomain? { directory.domain(domain) }
    public func entry(localPart: String, domain: Domain) -> AddressEntry? {
        directory.entry(localPart: localPart, domain: domain)
    }
    public func roleFallback() -> (AccountID, EmailAddress)? {
        directory.accounts().filter(\.isAdministrator).min { $0.id < $1.id }.map { ($0.id, $0.address) }
    }
}
