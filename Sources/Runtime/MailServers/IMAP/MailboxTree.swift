internal import IMAPProtocol
internal import MailStore

/// The names of an account as LIST sees them: mailboxes, subscriptions without one, and levels above them that do not exist.
struct MailboxTree {
    struct Entry {
        var name: String
        /// nil: there is no such mailbox.
        var info: MailboxInfo?
        var isSubscribed = false
        var showsSubscribed = false
        var hasChildren = false
        /// Some mailbox below fits RECURSIVEMATCH's other options (RFC 5258 §3.5).
        var hasMatchingChildren = false

        func attributes(isRev2: Bool) -> ListAttributes {
            var attributes: ListAttributes = hasChildren ? .hasChildren : .hasNoChildren
            // rev1 has no word for what does not exist but that it cannot be selected.
            if info == nil { attributes.insert(isRev2 ? .nonExistent : .noSelect) }
            if showsSubscribed, isSubscribed { attributes.insert(.subscribed) }
            return attributes
        }

        var uses: [SpecialUseAttribute] {
            info?.specialUse.flatMap { SpecialUseAttribute(rawValue: $0.rawValue) }.map { [$0] } ?? []
        }
    }

    private let mailboxes: [String: MailboxInfo]
    private let subscriptions: Set<String>
    /// Every name and every level above one, in the order of LIST: INBOX first.
    private let names: [String]
    /// Names that have an existing mailbox below.
    private let parents: Set<String>
    private let subscribedParents: Set<String>

    init(_ infos: [MailboxInfo], subscriptions: [String]) {
        var mailboxes: [String: MailboxInfo] = [:]
        for info in infos { mailboxes[info.name] = info }
        self.mailboxes = mailboxes
        self.subscriptions = Set(subscriptions)
        parents = Set(infos.lazy.flatMap { MailboxTree.levels(above: $0.name) })
        subscribedParents = Set(subscriptions.lazy.flatMap { MailboxTree.levels(above: $0) })
        names = Set(mailboxes.keys).union(subscriptions).union(parents).union(subscribedParents)
            .sorted { left, right in (left == "INBOX" ? 0 : 1, left) < (right == "INBOX" ? 0 : 1, right) }
    }

    /// What LIST answers, in order.
    func entries(for command: ListCommand) -> [Entry] {
        let patterns = command.patterns.map { ListPattern(command.reference + $0) }
        let selectsSubscribed = command.selection.contains(.subscribed)
        return names.compactMap { name in
            guard patterns.contains(where: { $0.matches(name) }) else { return nil }
            var entry = Entry(name: name, info: mailboxes[name])
            entry.isSubscribed = subscriptions.contains(name)
            entry.showsSubscribed = selectsSubscribed || command.returns.contains(.subscribed)
            entry.hasChildren = parents.contains(name)
            let isRecursive = command.selection.contains(.recursiveMatch)
            entry.hasMatchingChildren = isRecursive && subscribedParents.contains(name)
            if selectsSubscribed {
                guard entry.isSubscribed || entry.hasMatchingChildren else { return nil }
            } else if entry.info == nil, !parents.contains(name) {
                // A subscription whose mailbox is gone.
                return nil
            }
            if command.selection.contains(.specialUse), entry.info?.specialUse == nil { return nil }
            return entry
        }
    }

    /// What LSUB answers: a name that is not subscribed stands for subscribed ones below it that `%` hides (RFC 3501 §6.3.9).
    func subscribed(_ pattern: String) -> [(name: String, isSubscribed: Bool)] {
        let matcher = ListPattern(pattern)
        let endsInPercent = pattern.utf8.last == UInt8(ascii: "%")
        return names.compactMap { name in
            guard matcher.matches(name) else { return nil }
            if subscriptions.contains(name) { return (name, true) }
            return endsInPercent && subscribedParents.contains(name) ? (name, false) : nil
        }
    }

    private static func levels(above name: String) -> [String] {
        var levels: [String] = []
        var index = name.startIndex
        while let slash = name[index...].firstIndex(of: "/") {
            if slash > name.startIndex { levels.append(String(name[..<slash])) }
            index = name.index(after: slash)
        }
        return levels
    }
}

/// A pattern of LIST: `*` matches everything, `%` everything but `/` (RFC 9051 §6.3.9). INBOX matches in any case.
struct ListPattern {
    private let pattern: [UInt8]
    private let folded: [UInt8]

    init(_ text: String) {
        pattern = Array(text.utf8)
        folded = pattern.map { $0 &- 0x61 < 26 ? $0 & 0xDF : $0 }
    }

    func matches(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { bytes in
            ListPattern.matches(pattern, bytes)
                || (bytes.count == 5 && bytes.elementsEqual("INBOX".utf8) && ListPattern.matches(folded, bytes))
        }
    }

    /// Wildcards without recursion: on a mismatch the last one takes one octet more. A `*` never has to give way to an earlier
    /// wildcard; a `%` that meets `/` gives way to the last `*`. O(pattern × name).
    private static func matches(_ pattern: [UInt8], _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        var p = 0
        var n = 0
        var star: (p: Int, n: Int)?
        var percent: (p: Int, n: Int)?
        while true {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, n)
                percent = nil
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "%") {
                percent = (p, n)
                p += 1
            } else if n < name.count, p < pattern.count, pattern[p] == name[n] {
                p += 1
                n += 1
            } else if n == name.count, p == pattern.count {
                return true
            } else if let last = percent, last.n < name.count, name[last.n] != UInt8(ascii: "/") {
                percent = (last.p, last.n + 1)
                p = last.p + 1
                n = last.n + 1
            } else if let last = star, last.n < name.count {
                star = (last.p, last.n + 1)
                percent = nil
                p = last.p + 1
                n = last.n + 1
            } else {
                return false
            }
        }
    }
}
