internal import DeliveryPolicy
internal import MailStore
internal import MartletCore

extension Administration {
    // MARK: Domains

    func domain(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .domainAdd(let text, let catchAll, let separator):
            let name = try domainName(text)
            // No top-level domain is a number (RFC 3696 §2): that is an address.
            guard name.ascii.split(separator: ".").last?.allSatisfy(\.isNumber) == false else {
                throw AdministrationFailure(
                    .invalid, "\(name) is no domain: its last part is a number",
                    remedy: "write a name such as example.org")
            }
            guard directory.domain(name) == nil else {
                throw AdministrationFailure(
                    .refused, "\(name) is a domain of this server already",
                    remedy: "change it with “martlet domain set”")
            }
            var domain = LocalDomain(domain: name, subaddressSeparator: defaults.subaddressSeparator)
            if let catchAll { domain.catchAll = try emailAddress(catchAll) }
            try apply(separator, to: &domain)
            try await put(domain)
            var added = view(domain)
            added.note = strandedRoles(of: domain)
            return .domains([added])
        case .domainList:
            return .domains(directory.domains().map(view).sorted { $0.domain < $1.domain })
        case .domainRemove(let text):
            let domain = try existingDomain(text)
            try await stored { () throws(StoreError) in try await directory.removeDomain(domain.domain) }
            return .done("\(domain.domain) is no longer a domain of this server")
        case .domainSet(let text, let catchAll, let separator):
            var domain = try existingDomain(text)
            switch catchAll {
            case .keep: break
            case .none: domain.catchAll = nil
            case .address(let address): domain.catchAll = try emailAddress(address)
            }
            try apply(separator, to: &domain)
            let note = losses(by: domain)
            try await put(domain)
            var view = view(domain)
            view.note = note
            return .domains([view])
        default:
            preconditionFailure("requests about domains come here")
        }
    }

    private func put(_ domain: LocalDomain) async throws(AdministrationFailure) {
        if let catchAll = domain.catchAll {
            try refuseUnreachable(catchAll, in: ChangedLookup(DirectoryLookup(directory), domain: domain))
        }
        try await stored { () throws(StoreError) in try await directory.putDomain(domain) }
    }

    private func apply(_ change: SeparatorChange, to domain: inout LocalDomain) throws(AdministrationFailure) {
        switch change {
        case .keep: break
        case .none: domain.subaddressSeparator = nil
        case .character(let text):
            guard let character = SubaddressSeparators.character(text) else {
                throw AdministrationFailure(
                    .invalid, "“\(escapedForTerminal(text))” cannot separate a tag",
                    remedy: "use one of \(SubaddressSeparators.told), or none")
            }
            domain.subaddressSeparator = character
        }
    }

    private func existingDomain(_ text: String) throws(AdministrationFailure) -> LocalDomain {
        let name = try domainName(text)
        guard let domain = directory.domain(name) else {
            throw AdministrationFailure(
                .notFound, "\(name) is not a domain of this server", remedy: "“martlet domain list” lists them")
        }
        return domain
    }

    private func view(_ domain: LocalDomain) -> DomainView {
        DomainView(
            domain: domain.domain.ascii, unicode: domain.domain.unicode, catchAll: domain.catchAll?.description,
            subaddressSeparator: domain.subaddressSeparator.map(String.init),
            accounts: directory.accounts().count { $0.address.domain == domain.domain })
    }

    // MARK: Aliases

    func alias(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .aliasAdd(let text, let targetTexts):
            let (address, domain) = try localAddress(text)
            if case .account? = directory.entry(localPart: address.foldedLocalPart, domain: domain.domain) {
                try refuseTaken(address)
            }
            var targets: [EmailAddress] = []
            for targetText in targetTexts {
                let target = try emailAddress(targetText)
                if !targets.contains(target) { targets.append(target) }
            }
            guard !targets.isEmpty, targets.count <= RecipientResolver.maximumTargets else {
                throw AdministrationFailure(
                    .invalid, "an alias has 1 to \(RecipientResolver.maximumTargets) targets",
                    remedy: "martlet alias add ADDRESS TARGET [TARGET]...")
            }
            let changed = ChangedLookup(DirectoryLookup(directory), alias: address, targets: targets)
            for target in targets { try refuseUnreachable(target, in: changed) }
            // The alias itself is one step more than its targets.
            try refuseUnreachable(address, in: changed)
            try refuseBreakingOthers(address, in: changed)
            try await stored { () throws(StoreError) in try await directory.putAlias(address, targets: targets) }
            return .aliases([AliasView(address: address.description, targets: targets.map(\.description))])
        case .aliasList(let domainText):
            let domain = try domainText.map { text throws(AdministrationFailure) in try existingDomain(text).domain }
            let aliases = directory.aliases().filter { domain == nil || $0.address.domain == domain }
            return .aliases(
                aliases.map { AliasView(address: $0.address.description, targets: $0.targets.map(\.description)) }
                    .sorted { $0.address < $1.address })
        case .aliasRemove(let text):
            let address = try emailAddress(text)
            guard let domain = address.domain,
                case .alias? = directory.entry(localPart: address.foldedLocalPart, domain: domain)
            else {
                throw AdministrationFailure(
                    .notFound, "there is no alias \(address)", remedy: "“martlet alias list” lists them")
            }
            try await stored { () throws(StoreError) in try await directory.removeAlias(address) }
            return .done("the alias \(address) is removed")
        default:
            preconditionFailure("requests about aliases come here")
        }
    }

    /// A local target must reach somebody, or mail to the alias would be lost work; one elsewhere is for the queue.
    /// - Parameter lookup: the directory as it will be after the change.
    private func refuseUnreachable(_ target: EmailAddress, in lookup: some AddressLookup) throws(AdministrationFailure)
    {
        let resolution = RecipientResolver().resolve(target, in: lookup)
        switch resolution.outcome {
        case .found, .notLocal: return
        case .unknownUser:
            if let circle = circle(target, in: lookup) {
                throw AdministrationFailure(
                    .refused, "\(target) would reach nobody: the aliases go in a circle, \(circle)",
                    remedy: "let one of them name an account")
            }
            throw AdministrationFailure(
                .refused, "\(target) would reach nobody",
                remedy: "name an account, or an alias that leads to one: martlet account add \(target)")
        case .brokenAlias(let reason):
            throw AdministrationFailure(
                .refused, "\(target) could not be expanded: \(reason)", remedy: "name the accounts themselves")
        }
    }

    /// Aliases that lead to `address` must go on reaching somebody with the change: none may become too long a chain.
    private func refuseBreakingOthers(_ address: EmailAddress, in lookup: some AddressLookup)
        throws(AdministrationFailure)
    {
        let aliases = directory.aliases()
        var sources: [String: [EmailAddress]] = [:]
        for alias in aliases {
            for target in alias.targets { sources[Administration.key(target), default: []].append(alias.address) }
        }
        var open = [address]
        var seen: Set<String> = [Administration.key(address)]
        while let next = open.popLast() {
            for source in sources[Administration.key(next)] ?? [] where seen.insert(Administration.key(source)).inserted
            {
                if case .brokenAlias(let reason) = RecipientResolver().resolve(source, in: lookup).outcome {
                    throw AdministrationFailure(
                        .refused, "the alias \(source), which leads to \(address), could not be expanded: \(reason)",
                        remedy: "let \(source) name the accounts themselves")
                }
                open.append(source)
            }
        }
    }

    static func key(_ address: EmailAddress) -> String {
        "\(address.foldedLocalPart)@\(address.domain?.ascii ?? "")"
    }
}
