/// Answers from zone files as their authoritative servers would: the zone that is nearest to the name, CNAMEs followed from
/// zone to zone, wildcards (RFC 4592), NXDOMAIN told from NODATA. For the lab, simulation and tests.
///
/// The zones are the whole of its DNS, unless there is another resolver for the rest: a name outside of all zones, or
/// delegated to servers whose zone is not here, does not exist.
public struct ZoneResolver: Resolving {
    /// CNAMEs that are followed one behind the other.
    public static let maximumAliases = 16

    private var zones: [DNSName: Zone] = [:]
    private let rest: (any Resolving)?
    private let security: DNSAnswer.Security

    /// - Parameters:
    ///   - files: each gives a zone for each SOA in it, with what is at or below its owner. What is below none makes a
    ///     zone for each top-level domain, at the nearest name that all of it is below. Files add to each other's zones.
    ///   - rest: who is asked for names outside of the zones.
    ///   - security: what is said of every answer from the zones; nothing in them is signed.
    public init(
        zones files: [ZoneFile], otherwise rest: (any Resolving)? = nil, security: DNSAnswer.Security = .insecure
    ) {
        self.rest = rest
        self.security = security
        for file in files {
            for record in file.records where record.data.type == .soa && zones[record.name] == nil {
                zones[record.name] = Zone(apex: record.name)
            }
        }
        for file in files {
            var ancestors: [DNSName: DNSName] = [:]
            for record in file.records where apex(of: record.name) == nil {
                let top = record.name.topLevel
                ancestors[top] = ancestors[top]?.commonAncestor(with: record.name) ?? record.name
            }
            for apex in ancestors.values { zones[apex] = Zone(apex: apex) }
            for record in file.records {
                guard let apex = apex(of: record.name) else { continue }
                zones[apex]?.add(record)
            }
        }
    }

    /// Whether the zones answer for `name`.
    public func answers(for name: DNSName) -> Bool { apex(of: name) != nil }

    public func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer {
        var answer = DNSAnswer(question: DNSQuestion(name, type), outcome: .noSuchName, ttl: .max, security: security)
        for _ in 0...ZoneResolver.maximumAliases {
            let finding = find(answer.finalName, type)
            if case .elsewhere = finding, let rest {
                let other = await rest.resolve(answer.finalName, type)
                answer.outcome = other.outcome
                answer.ttl = min(answer.ttl, other.ttl)
                answer.security = answer.isAlias ? security.combined(with: other.security) : other.security
                answer.finalName = other.finalName
                answer.unreadable = other.unreadable
                return answer
            }
            switch finding {
            case .records(let set):
                answer.outcome = .records(set.data)
                answer.ttl = min(answer.ttl, set.ttl)
                return answer
            case .noSuchRecords(let ttl):
                answer.outcome = .noSuchRecords
                answer.ttl = min(answer.ttl, ttl)
                return answer
            case .noSuchName(let ttl), .elsewhere(let ttl):
                answer.ttl = min(answer.ttl, ttl)
                return answer
            case .alias(let target, let ttl):
                answer.ttl = min(answer.ttl, ttl)
                answer.finalName = target
            }
        }
        return DNSAnswer(question: answer.question, outcome: .failure(.aliasChain), security: security)
    }

    private func find(_ name: DNSName, _ type: DNSRecordType) -> Zone.Finding {
        guard let apex = apex(of: name), let zone = zones[apex] else {
            return .elsewhere(ttl: Zone.defaultNegativeTTL)
        }
        return zone.find(name, type)
    }

    /// The longest apex that `name` is at or below.
    private func apex(of name: DNSName) -> DNSName? {
        var candidate: DNSName? = name
        while let present = candidate {
            if zones[present] != nil { return present }
            candidate = present.parent
        }
        return nil
    }
}

extension DNSName {
    fileprivate var topLevel: DNSName { DNSName(unchecked: labels.suffix(1)) }

    /// The longest name that both are equal to or below.
    fileprivate func commonAncestor(with other: DNSName) -> DNSName {
        var ancestor = self
        while !other.isEqualToOrBelow(ancestor), let parent = ancestor.parent { ancestor = parent }
        return ancestor
    }
}
