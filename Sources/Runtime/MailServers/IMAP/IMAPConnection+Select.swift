internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// Choosing a mailbox, and telling the client what has changed in it (RFC 9051 §6.3.2, §7.5.1).
extension IMAPConnection {
    func select(_ name: MailboxName, isReadOnly: Bool, tag: String, account: AccountID) async {
        // The mailbox that was selected is left whatever happens (RFC 9051 §6.3.2).
        if session.isSelected {
            leaveMailbox()
            out.untagged(.ok, .closed, "The mailbox before is closed")
        }
        let info: MailboxInfo
        do throws(StoreError) { info = try await service.store.mailbox(named: name.name, of: account) } catch {
            return fail(tag, error)
        }
        let firstUnseen: UInt32?
        do throws(StoreError) { firstUnseen = try await sequenceNumberOfFirstUnseen(in: info) } catch {
            return fail(tag, error)
        }
        guard !isOver else { return }
        var view = SelectedMailbox(info, isReadOnly: isReadOnly)
        view.watch = service.store.watch(info.key) { [weak self] in self?.storeChanged() }
        selected = view
        session.selected(isReadOnly: isReadOnly)

        writeFlags(keywords: info.keywords, isReadOnly: isReadOnly)
        out.exists(info.messages)
        // RFC 3501 has RECENT here; Docs/decisions/0004-recent.md says why it is 0. rev2 has neither (RFC 9051 App. E).
        if session.announcesRecent { out.recent(0) } else { out.list([], name: info.name, oldName: name.supplied) }
        if let firstUnseen { out.untagged(.ok, .unseen(firstUnseen), "First unseen message") }
        out.untagged(.ok, .uidValidity(info.uidValidity), "UIDs are valid")
        out.untagged(.ok, .uidNext(info.uidNext), "Next UID")
        out.untagged(.ok, .highestModSeq(UInt64(clamping: info.highestModSeq.value)), "Highest")
        completed(tag, isReadOnly ? "EXAMINE" : "SELECT", isReadOnly ? .readOnly : .readWrite)
    }

    /// RFC 3501 §6.3.1 has it in the answer to SELECT; rev2 has it no more (RFC 9051 App. E).
    ///
    /// nil when all are seen, when the mailbox has changed since `info`, and when it is so large that SELECT would cost more for it:
    /// without it the client may assume nothing.
    private func sequenceNumberOfFirstUnseen(in info: MailboxInfo) async throws(StoreError) -> UInt32? {
        guard session.announcesRecent, info.unseen > 0, info.messages <= Self.largestLookedThrough else { return nil }
        let index = try await service.store.index(of: info.key)
        guard index.highestModSeq == info.highestModSeq,
            let place = index.flags.firstIndex(where: { $0 & Flags.seen.rawValue == 0 })
        else { return nil }
        return UInt32(clamping: place + 1)
    }

    /// Messages of a mailbox that SELECT looks through.
    private static var largestLookedThrough: Int { 1_000 }

    private func writeFlags(keywords: [String], isReadOnly: Bool) {
        out.flags(keywords: keywords)
        // `\*` even when all places are taken: one that no message uses is given to a new keyword.
        let permanent: ResponseCode =
            isReadOnly
            ? .permanentFlags([], keywords: [], allowsNewKeywords: false)
            : .permanentFlags(.all, keywords: keywords, allowsNewKeywords: true)
        out.untagged(.ok, permanent, "Flags that are kept")
    }

    func close(_ view: SelectedMailbox, tag: String) async {
        if !view.isReadOnly {
            do throws(StoreError) {
                _ = try await service.store.expunge(in: view.key, uids: nil)
            } catch {
                if error != .noSuchMailbox { return fail(tag, error) }
            }
        }
        leaveMailbox()
        completed(tag, "CLOSE")
    }

    /// CONDSTORE is in use from here on (RFC 7162 §3.1).
    func tellHighestModSeq() {
        guard let selected else { return }
        out.untagged(.ok, .highestModSeq(UInt64(clamping: selected.synced.value)), "CONDSTORE is on")
    }

    // MARK: The view

    /// Loads the UIDs of the view, which commands with sequence numbers or UIDs need.
    func loadUIDs() async throws(StoreError) {
        guard let view = selected, view.uids == nil else { return }
        let index = try await service.store.index(of: view.key)
        var changes: MailboxChanges?
        if index.highestModSeq != view.synced {
            changes = try await service.store.changes(in: view.key, since: view.synced, knownUIDNext: view.knownUIDNext)
        }
        selected?.load(from: index, changes: changes)
    }

    /// Tells what has changed since the client was last told, at the end of a command.
    /// - Parameters:
    ///   - announcesExpunges: false during FETCH, STORE and SEARCH with sequence numbers (RFC 9051 §7.5.1).
    ///   - known: modifications that the client has been told of in answer to its own command.
    func synchronise(announcesExpunges: Bool, known: [UInt32: ModSeq] = [:]) async {
        guard let view = selected, !isOver else { return }
        if service.store.currentModSeq(of: view.key) == view.synced {
            if announcesExpunges, !view.pendingExpunges.isEmpty { writeExpunges(selected?.takePendingExpunges() ?? []) }
            return
        }
        do throws(StoreError) {
            let changes = try await service.store.changes(
                in: view.key, since: view.synced, knownUIDNext: view.knownUIDNext)
            await announce(changes, announcesExpunges: announcesExpunges, known: known)
        } catch {
            lost(error)
        }
    }

    /// Takes `changes` into the view and tells them.
    func announce(_ changes: MailboxChanges, announcesExpunges: Bool, known: [UInt32: ModSeq] = [:]) async {
        do throws(StoreError) {
            if selected?.needsUIDs(for: changes) == true { try await loadUIDs() }
        } catch {
            return lost(error)
        }
        guard let announcement = selected?.apply(changes, announcesExpunges: announcesExpunges, known: known),
            let view = selected
        else { return }
        if announcement.isEmpty { return }
        if announcement.keywordsChanged { writeFlags(keywords: view.keywords, isReadOnly: view.isReadOnly) }
        writeExpunges(announcement.expunged)
        if let exists = announcement.exists { out.exists(exists) }
        for (number, entry) in announcement.flags {
            writeChange(number, entry, includesFlags: true, keywords: view.keywords)
            if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
        }
    }

    private func writeExpunges(_ numbers: [Int]) {
        for number in numbers { out.expunge(UInt32(clamping: number)) }
        if !numbers.isEmpty { lastStructure = nil }
    }

    /// A FETCH response that tells of a change of flags.
    func writeChange(_ number: Int, _ entry: MessageEntry, includesFlags: Bool, keywords: [String]) {
        out.beginFetch(UInt32(clamping: number))
        out.fetchUID(entry.uid)
        if includesFlags { out.fetchFlags(entry.flags.rawValue, keywords: keywords) }
        if session.announcesModSeq { out.fetchModSeq(UInt64(clamping: entry.modSeq.value)) }
        out.endFetch()
    }

    /// The selected mailbox cannot be followed any more: the client must not go on with a view that is wrong.
    func lost(_ error: StoreError) {
        switch error {
        case .noSuchMailbox: bye("The selected mailbox was deleted")
        case .noSuchAccount: bye("The account is gone")
        default: bye("The store does not answer", code: .unavailable)
        }
    }
}
