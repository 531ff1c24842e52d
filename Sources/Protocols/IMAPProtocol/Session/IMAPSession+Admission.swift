/// Whether a command may be executed now.
public enum Admission: Sendable, Equatable {
    /// - Parameter startsCondStore: the first command that uses CONDSTORE while a mailbox is selected: answer
    ///   `* OK [HIGHESTMODSEQ n]` with it (RFC 7162 §3.1).
    case allowed(startsCondStore: Bool)
    case refused(ResponseStatus, ResponseCode?, String)
}

extension IMAPSession {
    /// Decides by the state and takes note of CONDSTORE's use (RFC 7162 §3.1). Refusals are for the tagged answer.
    public mutating func admit(_ command: Command) -> Admission {
        if let refusal = refusal(of: command) { return refusal }
        guard IMAPSession.usesCondStore(command), enabled.insert(.condStore).inserted else {
            return .allowed(startsCondStore: false)
        }
        return .allowed(startsCondStore: isSelected)
    }

    private func refusal(of command: Command) -> Admission? {
        if state == .logout { return .refused(.bad, nil, "logged out") }
        switch command {
        case .capability, .noop, .logout, .id:
            return nil
        case .startTLS:
            guard state == .notAuthenticated else { return .refused(.bad, nil, "STARTTLS comes before login") }
            guard !isTLS else { return .refused(.bad, nil, "TLS is active already") }
            return policy.offersStartTLS ? nil : .refused(.bad, nil, "STARTTLS is not offered")
        case .login:
            guard state == .notAuthenticated else { return .refused(.bad, nil, "logged in already") }
            return allowsPlaintext ? nil : .refused(.no, .privacyRequired, "use STARTTLS first")
        case .authenticate(let mechanism, _):
            return refusal(ofMechanism: mechanism)
        case .enable, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .lsub, .namespace, .status, .append,
            .idle:
            return state == .notAuthenticated ? .refused(.bad, nil, "log in first") : nil
        case .select(_, let parameters), .examine(_, let parameters):
            if state == .notAuthenticated { return .refused(.bad, nil, "log in first") }
            // RFC 7162 §3.2.5: without ENABLE QRESYNC it is a BAD.
            return parameters.qresync == nil ? nil : .refused(.bad, nil, "QRESYNC is not enabled")
        case .check, .close, .unselect, .search:
            return refusalUnlessSelected(writes: false)
        case .fetch(let fetch):
            return refusalUnlessSelected(writes: false) ?? refusal(of: fetch)
        case .copy:
            return refusalUnlessSelected(writes: false)
        case .expunge, .store, .move:
            return refusalUnlessSelected(writes: true)
        }
    }

    private func refusalUnlessSelected(writes: Bool) -> Admission? {
        switch state {
        case .selected(let isReadOnly):
            writes && isReadOnly ? .refused(.no, .readOnly, "the mailbox is open for reading only") : nil
        case .authenticated: .refused(.bad, nil, "select a mailbox first")
        case .notAuthenticated, .logout: .refused(.bad, nil, "log in first")
        }
    }

    private func refusal(ofMechanism mechanism: String) -> Admission? {
        guard state == .notAuthenticated else { return .refused(.bad, nil, "logged in already") }
        if mechanisms.contains(mechanism) { return nil }
        guard policy.mechanisms.contains(mechanism) else { return .refused(.no, .cannot, "mechanism not supported") }
        return .refused(.no, .privacyRequired, "use STARTTLS first")
    }

    private func refusal(of fetch: FetchCommand) -> Admission? {
        if fetch.vanished { return .refused(.bad, nil, "QRESYNC is not enabled") }
        for item in fetch.items {
            switch item {
            case .emailID, .threadID, .saveDate, .preview: return .refused(.bad, nil, "item not supported")
            case .uid, .flags, .internalDate, .size, .envelope, .body, .bodyStructure, .modSeq, .rfc822, .rfc822Header,
                .rfc822Text, .section,
                .binary, .binarySize:
                break
            }
        }
        return nil
    }

    /// The "CONDSTORE enabling commands" (RFC 7162 §3.1); ENABLE is done by `enable`.
    static func usesCondStore(_ command: Command) -> Bool {
        switch command {
        case .select(_, let parameters), .examine(_, let parameters): parameters.condStore
        case .status(_, let items): items.contains(.highestModSeq)
        case .list(let list): list.status?.contains(.highestModSeq) ?? false
        case .fetch(let fetch): fetch.changedSince != nil || fetch.items.contains(.modSeq)
        case .store(let store): store.unchangedSince != nil
        case .search(let search): search.key.usesModSeq
        case .capability, .noop, .logout, .id, .startTLS, .authenticate, .login, .enable, .create, .delete, .rename,
            .subscribe, .unsubscribe,
            .lsub, .namespace, .append, .idle, .check, .close, .unselect, .expunge, .copy, .move:
            false
        }
    }
}

extension SearchKey {
    /// Whether MODSEQ stands in it: then the answer carries the highest MODSEQ found (RFC 7162 §3.1.5). Depth is bounded by
    /// the parser (`IMAPLimits.searchDepth`).
    public var usesModSeq: Bool {
        switch self {
        case .modSeq: true
        case .not(let key): key.usesModSeq
        case .or(let left, let right): left.usesModSeq || right.usesModSeq
        case .and(let keys): keys.contains { $0.usesModSeq }
        default: false
        }
    }
}
