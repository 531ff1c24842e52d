public import MartletCore

/// A client's command with the tag that its answer repeats (RFC 9051 §2.2.1).
public struct TaggedCommand: Sendable, Equatable {
    /// ASCII, 1 to `IMAPLimits.tagBytes` octets.
    public var tag: String
    public var command: Command
    public init(tag: String, command: Command) {
        self.tag = tag
        self.command = command
    }
}

/// Every command of IMAP4rev1 (RFC 3501 §6), IMAP4rev2 (RFC 9051 §6) and of the extensions that Martlet knows, decoded:
/// names are UTF-8, dates are moments, FETCH macros are expanded. `uid` says that the command was written `UID …`.
public enum Command: Sendable, Equatable {
    // Any state (RFC 9051 §6.1)
    case capability
    case noop
    case logout
    /// RFC 2971; nil is `ID NIL`.
    case id([IDField]?)

    // Not authenticated (RFC 9051 §6.2)
    case startTLS
    /// The mechanism in capitals. The initial response is decoded from base64 (RFC 4959); `=` gives an empty one, absent is nil.
    case authenticate(mechanism: String, initialResponse: Secret?)
    case login(user: String, password: Secret)

    // Authenticated (RFC 9051 §6.3)
    /// Capability names in capitals (RFC 5161).
    case enable([String])
    case select(MailboxName, SelectParameters)
    case examine(MailboxName, SelectParameters)
    /// `use`: the attributes asked for by CREATE … (USE (…)), RFC 6154 §3.
    case create(MailboxName, use: [SpecialUseAttribute])
    case delete(MailboxName)
    case rename(from: MailboxName, to: MailboxName)
    case subscribe(MailboxName)
    case unsubscribe(MailboxName)
    case list(ListCommand)
    /// RFC 3501 §6.3.9; rev2 has LIST (SUBSCRIBED).
    case lsub(reference: String, pattern: String)
    case namespace
    case status(MailboxName, StatusItems)
    /// APPEND up to and with the announcement of its first message. The bytes come from the framer (`FramerEvent.message`).
    case append(MailboxName, AppendMessage)
    case idle

    // Selected (RFC 9051 §6.4)
    /// RFC 3501 §6.4.1.
    case check
    case close
    case unselect
    /// `uids` is nil for EXPUNGE and the set of UID EXPUNGE (RFC 4315).
    case expunge(uids: SequenceSet?)
    case search(SearchCommand)
    case fetch(FetchCommand)
    case store(StoreCommand)
    case copy(SequenceSet, to: MailboxName, uid: Bool)
    case move(SequenceSet, to: MailboxName, uid: Bool)

    /// The command's name in capitals, for replies (`FETCH completed`), logs and metrics.
    public var name: String {
        switch self {
        case .capability: "CAPABILITY"
        case .noop: "NOOP"
        case .logout: "LOGOUT"
        case .id: "ID"
        case .startTLS: "STARTTLS"
        case .authenticate: "AUTHENTICATE"
        case .login: "LOGIN"
        case .enable: "ENABLE"
        case .select: "SELECT"
        case .examine: "EXAMINE"
        case .create: "CREATE"
        case .delete: "DELETE"
        case .rename: "RENAME"
        case .subscribe: "SUBSCRIBE"
        case .unsubscribe: "UNSUBSCRIBE"
        case .list: "LIST"
        case .lsub: "LSUB"
        case .namespace: "NAMESPACE"
        case .status: "STATUS"
        case .append: "APPEND"
        case .idle: "IDLE"
        case .check: "CHECK"
        case .close: "CLOSE"
        case .unselect: "UNSELECT"
        case .expunge(let uids): uids == nil ? "EXPUNGE" : "UID EXPUNGE"
        case .search(let search): search.uid ? "UID SEARCH" : "SEARCH"
        case .fetch(let fetch): fetch.uid ? "UID FETCH" : "FETCH"
        case .store(let store): store.uid ? "UID STORE" : "STORE"
        case .copy(_, _, let uid): uid ? "UID COPY" : "COPY"
        case .move(_, _, let uid): uid ? "UID MOVE" : "MOVE"
        }
    }
}

/// One field of ID (RFC 2971 §3.3).
public struct IDField: Sendable, Equatable {
    public var name: String
    public var value: String?
    public init(name: String, value: String?) {
        self.name = name
        self.value = value
    }
}

/// What stands in parentheses after SELECT's mailbox (RFC 4466 §2.1, RFC 7162 §3.1.8, §3.2.5).
public struct SelectParameters: Sendable, Equatable {
    public var condStore: Bool
    /// Parsed, not advertised yet.
    public var qresync: QResyncParameters?
    public init(condStore: Bool = false, qresync: QResyncParameters? = nil) {
        self.condStore = condStore
        self.qresync = qresync
    }
}

/// RFC 7162 §3.2.5.
public struct QResyncParameters: Sendable, Equatable {
    public var uidValidity: UInt32
    public var modSeq: UInt64
    public var knownUIDs: SequenceSet?
    /// Sequence numbers and the UIDs that belong to them (§3.2.5.2).
    public var matchSequences: SequenceSet?
    public var matchUIDs: SequenceSet?
    public init(
        uidValidity: UInt32, modSeq: UInt64, knownUIDs: SequenceSet? = nil, matchSequences: SequenceSet? = nil,
        matchUIDs: SequenceSet? = nil
    ) {
        self.uidValidity = uidValidity
        self.modSeq = modSeq
        self.knownUIDs = knownUIDs
        self.matchSequences = matchSequences
        self.matchUIDs = matchUIDs
    }
}

/// The use of a mailbox (RFC 6154 §2, RFC 8457 \Important).
public enum SpecialUseAttribute: String, Sendable, Equatable, CaseIterable {
    case all = "\\All"
    case archive = "\\Archive"
    case drafts = "\\Drafts"
    case flagged = "\\Flagged"
    case important = "\\Important"
    case junk = "\\Junk"
    case sent = "\\Sent"
    case trash = "\\Trash"
}
