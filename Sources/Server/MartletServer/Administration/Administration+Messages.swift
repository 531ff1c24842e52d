internal import DeliveryPolicy
internal import Foundation
internal import MailStore
internal import MartletCore
internal import Records

extension Administration {
    func message(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .mailboxList(let address):
            let account = try existingAccount(address)
            let infos = try await stored { () throws(StoreError) in try await mailboxes.mailboxes(of: account.id) }
            return .mailboxes(infos.map(MailboxView.init))
        case .messageList(let address, let mailbox, let before, let limit):
            return .messages(try await list(address, mailbox, before: before, limit: limit))
        case .messageRead(let address, let mailbox, let uid, let offset):
            let account = try existingAccount(address)
            let (bytes, size) = try await stored { () throws(StoreError) in
                let info = try await mailboxes.mailbox(named: mailbox, of: account.id)
                let message = try await mailboxes.message(in: info.key, uid: uid)
                let start = min(max(0, offset), message.size)
                let end = start + min(AdministrationRequest.maximumPiece, message.size - start)
                return (try await message.read(start..<end), message.size)
            }
            return .piece(base64: Data(bytes).base64EncodedString(), size: size)
        case .expungedList(let address, let limit):
            let account = try existingAccount(address)
            let expunged = try await stored { () throws(StoreError) in
                try await mailboxes.expunged(
                    of: account.id, limit: min(max(1, limit), AdministrationRequest.maximumList))
            }
            return .expunged(expunged.map(ExpungedView.init))
        case .messageUndelete(let address, let mailbox, let uids):
            return .undeleted(try await undelete(address, mailbox: mailbox, uids: uids))
        default:
            preconditionFailure("requests about messages come here")
        }
    }

    private func list(
        _ address: String, _ mailbox: String, before: UInt32?, limit: Int
    ) async throws(AdministrationFailure) -> [MessageView] {
        let account = try existingAccount(address)
        let (entries, summaries, keywords) = try await stored { () throws(StoreError) in
            let info = try await mailboxes.mailbox(named: mailbox, of: account.id)
            let index = try await mailboxes.index(of: info.key)
            var end = index.count
            while let before, end > 0, index.uids[end - 1] >= before { end -= 1 }
            let start = max(0, end - min(max(1, limit), AdministrationRequest.maximumList))
            let entries = (start..<end).reversed().map { index[$0] }
            return (entries, try await mailboxes.summaries(in: info.key, uids: entries.map(\.uid)), index.keywords)
        }
        let byUID = Dictionary(summaries.map { ($0.uid, $0.summary) }, uniquingKeysWith: { first, _ in first })
        return entries.map { entry in
            let summary = byUID[entry.uid]
            return MessageView(
                uid: entry.uid, date: entry.internalDate.description, size: entry.size,
                flags: Administration.names(entry.flags, keywords),
                from: summary?.from ?? "", subject: summary?.subject ?? "", messageID: summary?.messageID)
        }
    }

    private static func names(_ flags: Flags, _ keywords: [String]) -> [String] {
        let system: [(Flags, String)] = [
            (.seen, "\\Seen"), (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"),
            (.draft, "\\Draft"),
        ]
        return system.filter { flags.contains($0.0) }.map(\.1)
            + flags.keywordIndices.compactMap { $0 < keywords.count ? keywords[$0] : nil }
    }

    private func undelete(_ address: String, mailbox: String?, uids: [UInt32]?) async throws(AdministrationFailure)
        -> Int
    {
        let account = try existingAccount(address)
        let expunged = try await stored { () throws(StoreError) in
            try await mailboxes.expunged(of: account.id, limit: AdministrationRequest.maximumList)
        }
        let chosen = expunged.filter { message in
            (mailbox.map { message.mailboxName == $0 } ?? true) && (uids.map { $0.contains(message.uid) } ?? true)
        }
        guard !chosen.isEmpty else {
            throw AdministrationFailure(
                .notFound, "no expunged message of \(account.address) fits",
                remedy: "“martlet message undelete \(account.address) --list” lists what can be brought back")
        }
        return try await stored { () throws(StoreError) in try await mailboxes.undelete(chosen, of: account.id) }
    }

    // MARK: Explaining

    /// Finds records by what the text is: a lookup code, a Message-ID, an address; the first of these that finds something.
    func explain(_ text: String, limit: Int) async throws(AdministrationFailure) -> ExplanationView {
        let subject = text.trimmingCharacters(in: .whitespaces)
        let limit = min(max(1, limit), AdministrationRequest.maximumList)
        var queries: [RecordQuery] = []
        if let code = LookupCode(subject) { queries.append(RecordQuery(code: code, limit: limit)) }
        if subject.contains("@") { queries.append(RecordQuery(messageID: subject, limit: limit)) }
        let bare = subject.hasPrefix("<") && subject.hasSuffix(">") ? String(subject.dropFirst().dropLast()) : subject
        let address = EmailAddress(bare)
        if let address {
            queries.append(RecordQuery(address: address.description, limit: limit))
            if bare != address.description { queries.append(RecordQuery(address: bare, limit: limit)) }
        }
        guard !queries.isEmpty else {
            throw AdministrationFailure(
                .invalid, "“\(escapedForTerminal(subject))” is no lookup code, Message-ID or address",
                remedy:
                    "take the code of 13 characters from the server's reply, the Message-ID from the message, or an address"
            )
        }
        var resolution: String?
        if let address, let domain = address.domain, directory.domain(domain) != nil { resolution = told(address) }
        for query in queries {
            let found = try await stored { () throws(StoreError) in try await records.records(query) }
            if !found.isEmpty { return ExplanationView(resolution: resolution, records: found.map(RecordView.init)) }
        }
        return ExplanationView(resolution: resolution, records: [])
    }

    /// Whom the address reaches as things stand now.
    private func told(_ address: EmailAddress) -> String {
        let resolution = RecipientResolver().resolve(address, in: DirectoryLookup(directory))
        let steps = resolution.decision.evidence.filter { $0.name == "by" }.map(\.value)
        let how = steps.isEmpty ? "" : " (\(steps.joined(separator: "; ")))"
        switch resolution.outcome {
        case .found:
            let targets = resolution.targets.map(\.address.description) + resolution.outside.map(\.description)
            return "\(address) now reaches \(targets.joined(separator: ", "))\(how)."
        case .unknownUser, .notLocal:
            return "\(address) now reaches nobody: there is no account, alias or catch-all for it."
        case .brokenAlias(let reason): return "\(address) is an alias that cannot be expanded: \(reason)\(how)."
        }
    }
}
