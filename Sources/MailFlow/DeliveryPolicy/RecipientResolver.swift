public import MailStore
public import MartletCore
internal import Records

/// Finds who an address reaches: account, alias, group, subaddress, role address, catch-all, in this order.
///
/// `postmaster` and `abuse` of every local domain reach somebody (RFC 5321 §4.5.1, RFC 2142 §4), also when their alias leads to
/// nobody any more, and `postmaster` without a domain means the first local domain's (RFC 5321 §4.1.1.3). Pure: asks
/// `AddressLookup`, keeps nothing.
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
        let isKnown = expand(address, depth: 0, into: &expansion, lookup)
        let isRole = RecipientResolver.isRole(address.foldedLocalPart)
        var usedRoleFallback = false
        // A role address whose alias leads to nobody, or cannot be expanded, reaches whom it would reach without the alias.
        if expansion.failure != nil ? isRole : (expansion.isEmpty && expansion.hasRole),
            let (account, owner) = lookup.roleFallback()
        {
            expansion.failure = nil
            expansion.targets = [Resolution.Target(account: account, address: owner)]
            expansion.outside = []
            expansion.path.append("its aliases reach nobody, so it goes to the administrator \(owner)")
            usedRoleFallback = true
        }
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
        guard !expansion.isEmpty else {
            return Resolution(
                outcome: .unknownUser,
                decision: Decision(
                    check: "recipient", outcome: .refuse,
                    summary: isKnown
                        ? "The alias reaches nobody: what it names is unknown, or points back at it."
                        : "There is no account, alias or catch-all for this address.", evidence: evidence,
                    reference: "RFC 5321 §4.2.3",
                    remedy: "`martlet account add` or `martlet alias add` makes it an address of ours"))
        }
        let count = expansion.targets.count + expansion.outside.count
        return Resolution(
            outcome: .found, targets: expansion.targets, outside: expansion.outside, usedRoleFallback: usedRoleFallback,
            decision: Decision(
                check: "recipient", outcome: .pass,
                summary: count == 1
                    ? "The address reaches one mailbox owner." : "The address reaches \(count) mailbox owners.",
                evidence: evidence, reference: "RFC 5321 §3.9"))
    }

    /// Local parts that always reach somebody (RFC 5321 §4.5.1, RFC 2142 §4).
    static func isRole(_ localPart: String) -> Bool { localPart == "postmaster" || localPart == "abuse" }

    private struct Expansion {
        var targets: [Resolution.Target] = []
        var outside: [EmailAddress] = []
        var path: [String] = []
        var visited: Set<String> = []
        var accounts: Set<AccountID> = []
        /// A role address was met on the way.
        var hasRole = false
        var failure: String?
        var isEmpty: Bool { targets.isEmpty && outside.isEmpty }
    }

    /// Adds what `address` reaches. False when there is no entry for it.
    @discardableResult
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
        let exact = address.foldedLocalPart
        if RecipientResolver.isRole(exact) { expansion.hasRole = true }
        // An address that was expanded already adds nobody: groups may overlap, and circles end here.
        guard expansion.visited.insert("\(exact)@\(domain.ascii)").inserted else { return true }

        if let entry = lookup.entry(localPart: exact, domain: domain) {
            take(entry, detail: nil, of: address, depth: depth, into: &expansion, lookup)
            return true
        }
        if let separator = local.subaddressSeparator, let split = exact.firstIndex(of: separator),
            split != exact.startIndex,
            let entry = lookup.entry(localPart: String(exact[..<split]), domain: domain)
        {
            let written = address.localPart
            let detail = written.firstIndex(of: separator).map { String(written[written.index(after: $0)...]) }
            take(entry, detail: detail, of: address, depth: depth, into: &expansion, lookup)
            return true
        }
        if RecipientResolver.isRole(exact), let (account, owner) = lookup.roleFallback() {
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
    ) {
        switch entry {
        case .account(let account, let owner):
            add(Resolution.Target(account: account, address: owner, detail: detail), to: &expansion)
        case .alias(let members):
            expansion.path.append("alias \(address) → \(members.prefix(5).map(\.description).joined(separator: ", "))")
            for member in members where expansion.failure == nil {
                expand(member, depth: depth + 1, into: &expansion, lookup)
            }
        }
    }

    private func add(_ target: Resolution.Target, to expansion: inout Expansion) {
        if expansion.accounts.insert(target.account).inserted { expansion.targets.append(target) }
    }
}
