internal import MartletBytes

/// The flags of a message as mbox and Maildir keep them: IMAP's system flags (RFC 9051 §2.3.2) and keywords by name.
public struct MailboxFlags: Sendable, Hashable {
    /// The system flags, with the same bits as the store's.
    public struct System: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let seen = System(rawValue: 1 << 0)
        public static let answered = System(rawValue: 1 << 1)
        public static let flagged = System(rawValue: 1 << 2)
        public static let deleted = System(rawValue: 1 << 3)
        public static let draft = System(rawValue: 1 << 4)
        public static let all: System = [.seen, .answered, .flagged, .deleted, .draft]
    }

    public var system: System
    /// Each an atom of RFC 9051 §9, without doubles, in order of appearance.
    public private(set) var keywords: [String]

    /// Keywords that are taken of one message: what a mailbox of the store can hold.
    public static let maximumKeywords = 58
    /// Octets of a keyword.
    public static let maximumKeywordLength = 255

    public init(system: System = [], keywords: [String] = []) {
        self.system = system.intersection(.all)
        self.keywords = []
        for keyword in keywords { add(keyword: keyword) }
    }

    /// Adds a keyword. One that is no atom, is there already, or is one too many is left out.
    ///
    /// - Returns: whether the message has it now.
    @discardableResult
    public mutating func add(keyword: String) -> Bool {
        guard Self.isKeyword(keyword) else { return false }
        if keywords.contains(where: { ASCII.equalsIgnoringCase($0.utf8, keyword.utf8) }) { return true }
        guard keywords.count < Self.maximumKeywords else { return false }
        keywords.append(keyword)
        return true
    }

    /// RFC 9051 §9 `flag-keyword`: an atom.
    public static func isKeyword(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumKeywordLength
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"(){%*\"\\]".utf8.contains($0) }
    }
}
