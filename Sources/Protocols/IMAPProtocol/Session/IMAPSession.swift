/// The states of a connection (RFC 9051 §3) and what follows from them: which command is admitted, what may be sent during it,
/// which capabilities are told. Values in, values out: the shell executes what is admitted and reports what came of it.
///
/// After STARTTLS the shell makes a new session with `isTLS`; nothing of the old one is carried over (RFC 9051 §6.2.1).
public struct IMAPSession: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        case notAuthenticated
        case authenticated
        case selected(isReadOnly: Bool)
        case logout
    }

    public private(set) var state = State.notAuthenticated
    public internal(set) var enabled: EnabledExtensions = []
    public private(set) var authenticationFailures = 0
    public let isTLS: Bool
    public let policy: IMAPPolicy

    public init(policy: IMAPPolicy, isTLS: Bool) {
        self.policy = policy
        self.isTLS = isTLS
    }

    // MARK: What follows from the state

    public var isSelected: Bool {
        if case .selected = state { true } else { false }
    }

    public var isReadOnly: Bool { state == .selected(isReadOnly: true) }

    /// For `CommandParser.acceptsUTF8` and `ResponseWriter.usesUTF8` (RFC 9051 §5.1, RFC 6855 §3).
    public var usesUTF8: Bool { !enabled.isDisjoint(with: [.imap4rev2, .utf8Accept]) }

    /// RECENT, \Recent and [UNSEEN n] are RFC 3501's: not for clients that enabled IMAP4rev2 (RFC 9051 appendix E).
    public var announcesRecent: Bool { !enabled.contains(.imap4rev2) }

    /// Unsolicited FETCH responses carry MODSEQ (RFC 7162 §3.2).
    public var announcesModSeq: Bool { enabled.contains(.condStore) }

    /// Whether a SEARCH is answered by ESEARCH: asked for by RETURN, or IMAP4rev2 (RFC 9051 §6.4.4).
    public func answersWithESearch(_ search: SearchCommand) -> Bool {
        search.returns != nil || enabled.contains(.imap4rev2)
    }

    /// EXPUNGE must not be sent during FETCH, STORE and SEARCH without UID, nor when no command is in progress; IDLE is one
    /// (RFC 9051 §7.5.1, §5.5). EXISTS and FETCH may be sent with every answer while a mailbox is selected.
    public func allowsExpunge(during command: Command?) -> Bool {
        guard isSelected, let command else { return false }
        switch command {
        case .fetch(let fetch): return fetch.uid
        case .store(let store): return store.uid
        case .search(let search): return search.uid
        case .capability, .noop, .logout, .id, .startTLS, .authenticate, .login, .enable, .select, .examine, .create,
            .delete, .rename,
            .subscribe, .unsubscribe, .list, .lsub, .namespace, .status, .append, .idle, .check, .close, .unselect,
            .expunge, .copy, .move:
            return true
        }
    }

    // MARK: What came of commands

    public mutating func authenticated() {
        guard state == .notAuthenticated else { return }
        state = .authenticated
        authenticationFailures = 0
    }

    /// - Returns: whether the connection is to be closed now, with BYE.
    public mutating func authenticationFailed() -> Bool {
        authenticationFailures += 1
        return authenticationFailures >= policy.maximumAuthenticationFailures
    }

    /// A SELECT or EXAMINE is about to be done: the mailbox that was selected no longer is, whatever comes of it
    /// (RFC 9051 §6.3.2).
    /// - Returns: whether one was: then `* OK [CLOSED]` separates what belongs to it from what follows.
    public mutating func beginSelect() -> Bool {
        guard isSelected else { return false }
        state = .authenticated
        return true
    }

    public mutating func selected(isReadOnly: Bool) {
        guard state == .authenticated else { return }
        state = .selected(isReadOnly: isReadOnly)
    }

    /// CLOSE or UNSELECT is done, or the mailbox is gone.
    public mutating func unselected() {
        if isSelected { state = .authenticated }
    }

    public mutating func loggedOut() { state = .logout }

    /// ENABLE (RFC 5161 §3.1).
    /// - Returns: the names for ENABLED: those that this command turned on.
    public mutating func enable(_ names: [String]) -> [String] {
        var result: [String] = []
        func turnOn(_ session: inout IMAPSession, _ what: EnabledExtensions, _ name: String) {
            if session.enabled.insert(what).inserted { result.append(name) }
        }
        for name in names {
            switch name {
            case "CONDSTORE": turnOn(&self, .condStore, name)
            case "IMAP4REV2": turnOn(&self, .imap4rev2, "IMAP4rev2")
            case "UTF8=ACCEPT": turnOn(&self, .utf8Accept, name)
            default: break
            }
        }
        return result
    }
}
