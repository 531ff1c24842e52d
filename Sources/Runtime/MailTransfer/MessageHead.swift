internal import IMAPProtocol
public import MailStore
public import MartletCore
public import MessageFormat

/// What goes with a message's octets.
public struct MessageHead: Sendable, Hashable {
    public var flags: MailboxFlags
    /// INTERNALDATE; nil: the message's Date field, or now.
    public var date: Instant?
    /// In the mailbox that it comes from; 0 when it has none.
    public var uid: UInt32
    /// Octets; 0 when they are not known yet.
    public var size: Int64

    public init(flags: MailboxFlags = MailboxFlags(), date: Instant? = nil, uid: UInt32 = 0, size: Int64 = 0) {
        self.flags = flags
        self.date = date
        self.uid = uid
        self.size = size
    }

    /// As the store wants them.
    public var named: NamedFlags {
        NamedFlags(system: Flags(rawValue: UInt64(flags.system.rawValue)), keywords: flags.keywords)
    }
}

extension MailboxFlags {
    /// A stored message's.
    init(_ flags: Flags, _ keywords: [String]) {
        self.init(
            system: System(rawValue: UInt8(truncatingIfNeeded: flags.intersection(.system).rawValue)),
            keywords: flags.keywordIndices.compactMap { $0 < keywords.count ? keywords[$0] : nil })
    }

    /// As IMAP tells them; `\Recent` and flags that nobody knows are left out.
    init(imap words: [String]) {
        self.init()
        for word in words {
            switch word.lowercased() {
            case "\\seen": system.insert(.seen)
            case "\\answered": system.insert(.answered)
            case "\\flagged": system.insert(.flagged)
            case "\\deleted": system.insert(.deleted)
            case "\\draft": system.insert(.draft)
            default: add(keyword: word)
            }
        }
    }
}

/// A mailbox of the account, as an import or export sees it.
public struct TransferMailbox: Sendable, Hashable {
    /// With `/` between levels.
    public var name: String
    public var use: SpecialUse?
    public var messages: Int
    /// Octets.
    public var size: Int64

    public init(name: String, use: SpecialUse? = nil, messages: Int = 0, size: Int64 = 0) {
        self.name = name
        self.use = use
        self.messages = messages
        self.size = size
    }
}
