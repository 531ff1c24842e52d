internal import DeliveryPolicy
internal import MailStore
internal import MartletCore

/// What a change means for addresses that lead elsewhere: told to who makes it.
extension Administration {
    /// Addresses that are named in one sentence; of more the number is told.
    private static let maximumNamed = 10

    /// A sentence about the aliases and catch-alls that name `address`, which is gone; nil when none does.
    func references(to address: EmailAddress) -> String? {
        let key = Administration.key(address)
        return sentence("mend what still names it") { Administration.key($0) == key }
    }

    /// A sentence about the aliases and catch-alls that reach somebody through a tag, and do so no more when the domain
    /// changes; nil when none does.
    /// - Parameter domain: as it will be.
    func losses(by domain: LocalDomain) -> String? {
        let before = DirectoryLookup(directory)
        let after = ChangedLookup(before, domain: domain)
        return sentence("mend what still has a tag with the former separator") { target in
            guard target.domain == domain.domain,
                case .found = RecipientResolver().resolve(target, in: before).outcome
            else { return false }
            if case .found = RecipientResolver().resolve(target, in: after).outcome { return false }
            return true
        }
    }

    /// A sentence about role addresses of a new domain that reach nobody; nil when they do.
    func strandedRoles(of domain: LocalDomain) -> String? {
        guard let postmaster = EmailAddress(localPart: "postmaster", domain: domain.domain) else { return nil }
        if case .found = RecipientResolver().resolve(postmaster, in: DirectoryLookup(directory)).outcome { return nil }
        return "nobody reads \(postmaster) yet, and every domain has to take mail for it (RFC 5321 §4.5.1): "
            + "“martlet account add” makes an account, and the first one gets it"
    }

    /// `WHAT: the aliases a@b, c@d and the catch-all of b`
    private func sentence(_ what: String, _ isAffected: (EmailAddress) -> Bool) -> String? {
        let aliases = directory.aliases().filter { $0.targets.contains(where: isAffected) }.map {
            $0.address.description
        }
        let domains = directory.domains().filter { $0.catchAll.map(isAffected) ?? false }.map(\.domain.description)
        var parts: [String] = []
        if !aliases.isEmpty { parts.append("the aliases \(Administration.named(aliases))") }
        if !domains.isEmpty { parts.append("the catch-all of \(Administration.named(domains))") }
        return parts.isEmpty ? nil : "\(what): \(parts.joined(separator: " and "))"
    }

    private static func named(_ names: [String]) -> String {
        let shown = names.sorted().prefix(maximumNamed).joined(separator: ", ")
        return names.count > maximumNamed ? "\(shown) and \(names.count - maximumNamed) more" : shown
    }

    /// `a@b → c@b → a@b`: the first circle of aliases that `address` leads to; nil when there is none.
    func circle(_ address: EmailAddress, in lookup: some AddressLookup) -> String? {
        var seen: Set<String> = []
        return circle(address, behind: [], seen: &seen, in: lookup)?.map(\.description).joined(separator: " → ")
    }

    private func circle(
        _ address: EmailAddress, behind path: [EmailAddress], seen: inout Set<String>, in lookup: some AddressLookup
    ) -> [EmailAddress]? {
        let key = Administration.key(address)
        if let start = path.firstIndex(where: { Administration.key($0) == key }) { return path[start...] + [address] }
        guard path.count <= RecipientResolver.maximumDepth, seen.insert(key).inserted, let domain = address.domain,
            case .alias(let members)? = lookup.entry(localPart: address.foldedLocalPart, domain: domain)
        else { return nil }
        for member in members {
            if let found = circle(member, behind: path + [address], seen: &seen, in: lookup) { return found }
        }
        return nil
    }
}
