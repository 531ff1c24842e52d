internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4).
extension IMAPConnection {
    func fetch(_ command: FetchCommand, tag: String) async {
        guard let key = selected?.key else { return }
        let name = command.uid ? "UID FETCH" : "FETCH"
        // Modifications that the client has been told of by the answer.
        var known: [UInt32: ModSeq] = [:]
        do throws(StoreError) {
            try await loadUIDs()
            guard let set = selected?.positions(of: command.set, areUIDs: command.uid) else {
                return reply(tag, .bad, "There is no message with this number")
            }
            let index = try await service.store.index(of: key)
            guard let view = selected, let uids = view.uids else { return }
            var targets = FetchTargets(set, viewUIDs: uids, index: index, isSame: view.isSame(as: index))
            if let since = command.changedSince { targets.filter { UInt64(clamping: index.modSeqs[$0]) > since } }

            let plan = FetchPlan(command)
            var leftOut = LeftOutMessages()
            if let items = IndexFetch.items(plan.items) {
                await fetchFromIndex(IndexFetch(items: items, targets: targets, index: index))
            } else {
                try await fetchMessages(plan, targets, index, view, &known, &leftOut)
            }
            guard !isOver else { return }
            await synchronise(announcesExpunges: command.uid, known: known)
            if !leftOut.damaged.isEmpty {
                fail(tag, leftOut.damaged)
            } else if leftOut.hasUnknownEncoding {
                reply(tag, .no, .unknownCTE, "The transfer encoding of a part is not known")
            } else if leftOut.hasNoLeaf {
                reply(tag, .no, .cannot, "BINARY is of parts that have no parts inside")
            } else if targets.missing > 0, !command.uid {
                reply(tag, .no, .expungeIssued, "Some messages are gone")
            } else {
                completed(tag, name)
            }
        } catch {
            // \Seen may be set where nothing was answered.
            await synchronise(announcesExpunges: command.uid, known: known)
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
    /// - Parameters:
    ///   - known: gets the modifications that the client has been told of.
    ///   - leftOut: gets the messages that are not served.
    private func fetchMessages(
        _ plan: FetchPlan, _ targets: FetchTargets, _ index: MailboxIndex, _ view: SelectedMailbox,
        _ known: inout [UInt32: ModSeq], _ leftOut: inout LeftOutMessages
    ) async throws(StoreError) {
        let seen = plan.setsSeen && !view.isReadOnly ? try await setSeen(targets, index, view) : nil
        var number = 0
        while number < targets.count, !isOver {
            let end = min(number + (plan.needsSummary ? 128 : 1), targets.count)
            var summaries: [(uid: UInt32, summary: StoredSummary)] = []
            if plan.needsSummary {
                summaries = try await service.store.readableSummaries(
                    in: view.key, uids: (number..<end).map { index.uids[targets[$0].place] }, &leftOut.damaged)
            }
            var nextSummary = 0
            while number < end, !isOver {
                let (sequence, place) = targets[number]
                number += 1
                let seenEntry = seen?.entries[index.uids[place]]
                let entry = seenEntry ?? index[place]
                var summary: StoredSummary?
                if plan.needsSummary {
                    while nextSummary < summaries.count, summaries[nextSummary].uid < entry.uid { nextSummary += 1 }
                    // Damaged, or gone since the index was read: as if it had gone before.
                    guard nextSummary < summaries.count, summaries[nextSummary].uid == entry.uid else { continue }
                    summary = summaries[nextSummary].summary
                }
                let response = FetchResponse(
                    sequence: sequence, entry: entry, summary: summary,
                    keywords: seenEntry == nil ? index.keywords : seen?.change.keywords ?? [],
                    tellsFlags: seenEntry != nil)
                switch try await write(response, plan, in: view.key) {
                case .done: if seenEntry != nil { known[entry.uid] = entry.modSeq }
                case .unknownEncoding: leftOut.hasUnknownEncoding = true
                case .noLeaf: leftOut.hasNoLeaf = true
                case .damaged(let reason): leftOut.damaged.add(entry.uid, reason: reason)
                case .brokenOff: return
                }
                if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
            }
        }
        // All that was changed has been told.
        if let seen, leftOut.isEmpty { _ = selected?.skip(seen.change) }
    }

    /// Why messages are not served by this FETCH while others are.
    private struct LeftOutMessages {
        var damaged = DamagedMessages()
        var hasUnknownEncoding = false
        var hasNoLeaf = false
        var isEmpty: Bool { damaged.isEmpty && !hasUnknownEncoding && !hasNoLeaf }
    }

    /// What got \Seen by this FETCH.
    private struct SeenMessages {
        let change: FlagChangeResult
        let entries: [UInt32: MessageEntry]

        init(_ change: FlagChangeResult) {
            self.change = change
            entries = Dictionary(change.messages.map { ($0.uid, $0) }, uniquingKeysWith: { $1 })
        }
    }

    /// Sets \Seen where it is not set, in one step for the whole command. Nil when it is set everywhere.
    private func setSeen(
        _ targets: FetchTargets, _ index: MailboxIndex, _ view: SelectedMailbox
    ) async throws(StoreError) -> SeenMessages? {
        var unseen: [UInt32] = []
        for number in 0..<targets.count {
            let place = targets[number].place
            if index.flags[place] & Flags.seen.rawValue == 0 { unseen.append(index.uids[place]) }
        }
        guard !unseen.isEmpty else { return nil }
        return SeenMessages(
            try await service.store.changeFlags(
                in: view.key, uids: unseen, .add(NamedFlags(system: .seen)), unchangedSince: nil))
    }
}

/// What the items of a FETCH need.
struct FetchPlan {
    /// Each once: what is asked for twice is answered once.
    let items: [FetchItem]
    let needsSummary: Bool
    let needsMessage: Bool
    let setsSeen: Bool

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
        setsSeen = command.items.contains { $0.setsSeen }
    }

    /// The items, with UID first for UID FETCH and MODSEQ added for CHANGEDSINCE (RFC 7162 §3.1.4.1). At most
    /// `IMAPLimits.fetchItems` and two, so that comparing all with all is cheap.
    private static func items(_ command: FetchCommand) -> [FetchItem] {
        var items: [FetchItem] = []
        if command.uid, !command.items.contains(.uid) { items.append(.uid) }
        for item in command.items where !items.contains(where: { $0.isAnswered(like: item) }) { items.append(item) }
        if command.changedSince != nil, !items.contains(.modSeq) { items.append(.modSeq) }
        return items
    }
}
