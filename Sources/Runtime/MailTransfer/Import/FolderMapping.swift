internal import MailStore
internal import MartletCore

/// Which folder of a source goes into which mailbox.
///
/// What was said counts first (`renames`), then what the source says of a folder's purpose (RFC 6154), then its name in the
/// languages of mail programs. Folders below one that was mapped go below its mailbox.
public struct FolderMapping: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        case mailbox(TransferMailbox)
        /// A sentence why.
        case leftOut(String)
    }

    /// Folder names and the mailboxes that they go to.
    public var renames: [String: String]
    /// All goes into this mailbox, and below it: a single folder and INBOX into it, others below. nil: into the account's own places.
    public var below: String?
    /// Folders that only show messages of others (`\All`, `\Flagged`) are taken too.
    public var takesVirtual: Bool

    public init(renames: [String: String] = [:], below: String? = nil, takesVirtual: Bool = false) {
        self.renames = renames
        self.below = below
        self.takesVirtual = takesVirtual
    }

    /// Each folder's mailbox, in the order of `folders`.
    ///
    /// - Parameter mailboxes: those that the account has.
    public func map(_ folders: [SourceFolder], to mailboxes: [TransferMailbox]) -> [Outcome] {
        // Some servers have all folders below INBOX: there it is no level.
        let others = folders.map(\.name).filter { $0 != "INBOX" }
        let isFlat = !others.isEmpty && others.allSatisfy { $0.hasPrefix("INBOX/") }
        var places: [String: String] = [:]
        return folders.map { folder in
            let outcome = map(folder, isFlat: isFlat, isAlone: folders.count == 1, mailboxes, places)
            if case .mailbox(let mailbox) = outcome, mailbox.name != folder.name { places[folder.name] = mailbox.name }
            return outcome
        }
    }

    private func map(
        _ folder: SourceFolder, isFlat: Bool, isAlone: Bool, _ mailboxes: [TransferMailbox], _ places: [String: String]
    ) -> Outcome {
        if let name = renames[folder.name] { return .mailbox(known(name, nil, mailboxes)) }
        if !takesVirtual, folder.use == .all || folder.use == .flagged {
            return .leftOut("\(folder.name) shows messages of other folders; --all-mail takes it too")
        }
        let name = isFlat && folder.name.hasPrefix("INBOX/") ? String(folder.name.dropFirst(6)) : folder.name
        if let below {
            let place = name == "INBOX" || isAlone ? below : below + "/" + name
            return .mailbox(known(place, nil, mailboxes))
        }
        if name == "INBOX" { return .mailbox(known(name, nil, mailboxes)) }
        if let use = folder.use ?? guess(name), use != .all, use != .flagged {
            if let mailbox = mailboxes.first(where: { $0.use == use }) { return .mailbox(mailbox) }
            return .mailbox(known(name, use, mailboxes))
        }
        // The nearest level above that went elsewhere.
        var levels = folder.name.split(separator: "/")
        while levels.count > 1 {
            levels.removeLast()
            let above = levels.joined(separator: "/")
            if above != "INBOX", let place = places[above] {
                return .mailbox(known(place + folder.name.dropFirst(above.count), nil, mailboxes))
            }
        }
        return .mailbox(known(name, nil, mailboxes))
    }

    /// By the name, if it is at the top or below something that is no folder of its own, as `[Gmail]`.
    private func guess(_ name: String) -> SpecialUse? {
        let levels = name.split(separator: "/")
        guard levels.count == 1 || (levels.count == 2 && levels[0].hasPrefix("[")) else { return nil }
        return SpecialUseNames.use(of: name)
    }

    private func known(_ name: String, _ use: SpecialUse?, _ mailboxes: [TransferMailbox]) -> TransferMailbox {
        let name = Normalization.nfc(name)
        return mailboxes.first { $0.name == name } ?? TransferMailbox(name: name, use: use)
    }
}
