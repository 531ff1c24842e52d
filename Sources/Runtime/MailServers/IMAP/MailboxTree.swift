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
        /// Names of the selection options that some mailbox below meets which is not listed itself: CHILDINFO
        /// (RFC 5258 §3.5).
        var childInfo: [String] = []

        /// - Parameter knowsNonExistent: the client enabled IMAP4rev2 or used extended LIST (RFC 5258 §3).
        func attributes(knowsNonExistent: Bool) -> ListAttributes {
            var attributes: ListAttributes = hasChildren ? .hasChildren : .hasNoChildren
            // Plain LIST of rev1 has no word for what does not exist but that it cannot be selected.
            if info == nil { attributes.insert(knowsNonExistent ? .nonExistent : .noSelect) }
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
        let patterns = command.patterns.map { MailboxPattern(reference: command.reference, pattern: $0) }
        let criteria = command.selection.intersection([.subscribed, .specialUse])
        var childInfo: [String] = []
        if criteria.contains(.subscribed) { childInfo.append("SUBSCRIBED") }
        if criteria.contains(.specialUse) { childInfo.append("SPECIAL-USE") }
        // With RECURSIVEMATCH, levels above what is selected and not listed.
        var hiding: Set<String> = []
        var isListed: [Bool] = []
        isListed.reserveCapacity(names.count)
        for name in names {
            let matches = patterns.contains { $0.matches(name) }
            isListed.append(matches)
            if !matches, command.selection.contains(.recursiveMatch), isSelected(name, criteria) {
                hiding.formUnion(MailboxTree.levels(above: name))
            }
        }
        return zip(names, isListed).compactMap { name, isListed in
            guard isListed, isSelected(name, criteria) || hiding.contains(name) else { return nil }
            var entry = Entry(name: name, info: mailboxes[name])
            entry.isSubscribed = subscriptions.contains(name)
            entry.showsSubscribed = criteria.contains(.subscribed) || command.returns.contains(.subscribed)
            entry.hasChildren = parents.contains(name)
            if hiding.contains(name) { entry.childInfo = childInfo }
            return entry
        }
    }

    /// Whether the name itself meets all `criteria` (RFC 5258 §3.1, RFC 6154 §2). Without any, whatever exists and the levels
    /// above it do, but no subscription whose mailbox is gone.
    private func isSelected(_ name: String, _ criteria: ListCommand.Selection) -> Bool {
        if criteria.contains(.subscribed), !subscriptions.contains(name) { return false }
        if criteria.contains(.specialUse), mailboxes[name]?.specialUse == nil { return false }
        return !criteria.isEmpty || mailboxes[name] != nil || parents.contains(name)
    }

    /// What LSUB answers: a name that is not subscribed stands for subscribed ones below it that `%` hides (RFC 3501 §6.3.9).
    func subscribed(reference: String, _ pattern: String) -> [(name: String, isSubscribed: Bool)] {
        let matcher = MailboxPattern(reference: reference, pattern: pattern)
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
