internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4).
extension IMAPConnection {
    func fetch(_ command: FetchCommand, tag: String) async {
        guard let key = selected?.key else { return }
        let name = command.uid ? "UID FETCH" : "FETCH"
        do throws(StoreError) {
            try await loadUIDs()
            guard let set = selected?.positions(of: command.set, areUIDs: command.uid) else {
                return reply(tag, .bad, "There is no message with this number")
            }
            let index = try await service.store.index(of: key)
            guard let view = selected, let uids = view.uids else { return }
            var targets = FetchTargets(set, viewUIDs: uids, index: index, isSame: view.isSame(as: index))
            if let since = command.changedSince { targets.filter { UInt64(clamping: index.modSeqs[$0]) > since } }

            let known: [UInt32: ModSeq]
            if let items = IndexFetch.items(FetchPlan.items(command), isUID: command.uid) {
                await fetchFromIndex(IndexFetch(items: items, targets: targets, index: index))
                known = [:]
            } else {
                guard let told = try await fetchMessages(FetchPlan(command), targets, index, view, tag: tag) else {
                    return
                }
                known = told
            }
            guard !isOver else { return }
            await synchronise(announcesExpunges: command.uid, known: known)
            if targets.missing > 0, !command.uid {
                reply(tag, .no, .expungeIssued, "Some messages are gone")
            } else {
                completed(tag, name)
            }
        } catch {
            fail(tag, error)
        }
    }

    private func fetchFromIndex(_ fetch: IndexFetch) async {
        var fetch = fetch
        while let piece = fetch.nextPiece(), !isOver {
            if out.isEmpty, piece.count > 16_384 {
                connection.write(piece)
            } else {
                out.bytes.append(contentsOf: piece)
            }
            if connection.pendingBytes + out.bytes.count > IMAPConnection.pieceBytes / 2 { await drain() }
        }
    }

    /// FETCH of items that need more than the index.
    /// - Returns: the modifications that the client has been told of; nil when the command is answered.
    private func fetchMessages(
        _ plan: FetchPlan, _ targets: FetchTargets, _ index: MailboxIndex, _ view: SelectedMailbox, tag: String
    ) async throws(StoreError) -> [UInt32: ModSeq]? {
        let seen = plan.setsSeen && !view.isReadOnly ? try await setSeen(targets, index, view) : nil
        var known: [UInt32: ModSeq] = [:]
        var refusesEncoding = false
        var number = 0
        while number < targets.count, !isOver {
            let end = min(number + (plan.needsSummary ? 128 : 1), targets.count)
            var summaries: [(uid: UInt32, summary: StoredSummary)] = []
            if plan.needsSummary {
                summaries = try await service.store.summaries(
                    in: view.key, uids: (number..<end).map { index.uids[targets[$0].place] })
            }
            var nextSummary = 0
            while number < end, !isOver {
                let (sequence, place) = targets[number]
                number += 1
                var entry = index[place]
                if let changed = seen?[entry.uid] {
                    entry = changed
                    known[entry.uid] = changed.modSeq
                }
                var summary: StoredSummary?
                if plan.needsSummary {
                    while nextSummary < summaries.count, summaries[nextSummary].uid < entry.uid { nextSummary += 1 }
                    // Gone since the index was read: as if it had gone before.
                    guard nextSummary < summaries.count, summaries[nextSummary].uid == entry.uid else { continue }
                    summary = summaries[nextSummary].summary
                }
                let response = FetchResponse(
                    sequence: sequence, entry: entry, summary: summary, keywords: index.keywords,
                    tellsFlags: seen?[entry.uid] != nil)
                switch try await write(response, plan, in: view.key) {
                case .done: break
                case .unknownEncoding: refusesEncoding = true
                case .brokenOff: return nil
                }
                if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
            }
        }
        guard refusesEncoding else { return known }
        await synchronise(announcesExpunges: false, known: known)
        reply(tag, .no, .unknownCTE, "The transfer encoding of a part is not known")
        return nil
    }

    /// Sets \Seen where it is not set, in one step for the whole command.
    /// - Returns: the messages that changed, by UID.
    private func setSeen(
        _ targets: FetchTargets, _ index: MailboxIndex, _ view: SelectedMailbox
    ) async throws(StoreError) -> [UInt32: MessageEntry]? {
        var unseen: [UInt32] = []
        for number in 0..<targets.count {
            let place = targets[number].place
            if index.flags[place] & Flags.seen.rawValue == 0 { unseen.append(index.uids[place]) }
        }
        guard !unseen.isEmpty else { return nil }
        let result = try await service.store.changeFlags(
            in: view.key, uids: unseen, .add(NamedFlags(system: .seen)), unchangedSince: nil)
        _ = selected?.skip(to: result.highestModSeq, keywords: result.keywords)
        var changed: [UInt32: MessageEntry] = [:]
        for entry in result.messages { changed[entry.uid] = entry }
        return changed
    }
}

/// What the items of a FETCH need.
struct FetchPlan {
    let items: [FetchItem]
    let needsSummary: Bool
    let needsMessage: Bool
    let setsSeen: Bool

    /// The items, with UID first for UID FETCH and MODSEQ added for CHANGEDSINCE (RFC 7162 §3.1.4.1).
    static func items(_ command: FetchCommand) -> [FetchItem] {
        var items = command.items
        if command.uid, !items.contains(.uid) { items.insert(.uid, at: 0) }
        if command.changedSince != nil, !items.contains(.modSeq) { items.append(.modSeq) }
        return items
    }

    init(_ command: FetchCommand) {
        items = FetchPlan.items(command)
        var needsSummary = false
        var needsMessage = false
        for item in items {
            switch item {
            case .envelope, .body, .bodyStructure: needsSummary = true
            case .section, .binary, .binarySize, .rfc822, .rfc822Header, .rfc822Text: needsMessage = true
            default: break
            }
        }
        self.needsSummary = needsSummary
        self.needsMessage = needsMessage
        setsSeen = items.contains { $0.setsSeen }
    }
}
