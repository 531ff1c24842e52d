internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// STORE, COPY, MOVE and EXPUNGE (RFC 9051 §6.4.3, §6.4.6 to §6.4.9, RFC 7162 §3.1.3, RFC 6851).
extension IMAPConnection {
    func store(_ command: StoreCommand, tag: String) async {
        let name = command.uid ? "UID STORE" : "STORE"
        do throws(StoreError) {
            guard let (key, uids) = try await uids(of: command.set, areUIDs: command.uid, tag: tag) else { return }
            guard !uids.isEmpty else {
                await synchronise(announcesExpunges: command.uid)
                return completed(tag, name)
            }
            let flags = NamedFlags(
                system: Flags(rawValue: command.flags.system.rawValue), keywords: command.flags.keywords)
            let operation: FlagOperation =
                switch command.operation {
                case .replace: .replace(flags)
                case .add: .add(flags)
                case .remove: .remove(flags)
                }
            let result = try await service.store.changeFlags(
                in: key, uids: uids, operation,
                unchangedSince: command.unchangedSince.map { ModSeq(Int64(clamping: $0)) })
            let known = await tell(result, isSilent: command.silent)
            await synchronise(announcesExpunges: command.uid, known: known)
            guard !isOver else { return }
            guard result.modified.isEmpty else {
                let numbers =
                    command.uid
                    ? result.modified
                    : result.modified.compactMap { selected?.sequenceNumber(of: $0).map { UInt32(clamping: $0) } }
                return completed(tag, name, .modified(numbers))
            }
            if !command.uid, result.messages.count < uids.count {
                return reply(tag, .no, .expungeIssued, "Some messages are gone")
            }
            completed(tag, name)
        } catch {
            fail(tag, error)
        }
    }

    /// Tells what STORE has done.
    /// - Returns: the modifications that the client knows now and need not be told again; empty when nothing else has happened.
    private func tell(_ result: FlagChangeResult, isSilent: Bool) async -> [UInt32: ModSeq] {
        guard let before = selected else { return [:] }
        if result.keywords != before.keywords, let view = selected {
            // A new keyword is made known before a FETCH names it; nothing else is announced here.
            let changes = MailboxChanges(
                highestModSeq: view.synced, uidNext: view.knownUIDNext, messages: view.count, keywords: result.keywords)
            await announce(changes, announcesExpunges: false)
        }
        for (entry, previous) in zip(result.messages, result.previousModSeqs) {
            // Somebody else has changed flags that the client has not been told of: .SILENT is about its own change only
            // (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
            let isNews = previous > before.synced
            guard !isSilent || session.announcesModSeq || isNews else { continue }
            guard let number = selected?.sequenceNumber(of: entry.uid) else { continue }
            writeChange(number, entry, includesFlags: !isSilent || isNews, keywords: result.keywords)
            if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
        }
        if selected?.skip(result) == true { return [:] }
        var known: [UInt32: ModSeq] = [:]
        for entry in result.messages { known[entry.uid] = entry.modSeq }
        return known
    }

    func copy(_ set: SequenceSet, to name: MailboxName, isUID: Bool, moves: Bool, tag: String, account: AccountID) async
    {
        let command = (isUID ? "UID " : "") + (moves ? "MOVE" : "COPY")
        do throws(StoreError) {
            guard let (key, uids) = try await uids(of: set, areUIDs: isUID, tag: tag) else { return }
            let destination: MailboxInfo
            do throws(StoreError) {
                destination = try await service.store.mailbox(named: name.name, of: account)
            } catch {
                return fail(tag, error, createsDestination: true)
            }
            if !isUID {
                // A message that is gone makes COPY by number fail as a whole (RFC 2180 §4.4.1).
                let index = try await service.store.index(of: key)
                guard uids.allSatisfy({ index.position(of: $0) != nil }) else {
                    await synchronise(announcesExpunges: true)
                    return reply(tag, .no, .expungeIssued, "Some messages are gone")
                }
            }
            let result =
                moves
                ? try await service.store.move(from: key, uids: uids, to: destination.key)
                : try await service.store.copy(from: key, uids: uids, to: destination.key)
            let code: ResponseCode? =
                result.sourceUIDs.isEmpty
                ? nil
                : .copyUID(
                    uidValidity: result.uidValidity, source: result.sourceUIDs, destination: result.destinationUIDs)
            // MOVE tells COPYUID before the EXPUNGEs (RFC 6851 §4.3).
            if moves, let code { out.untagged(.ok, code, "Moved") }
            await synchronise(announcesExpunges: true)
            completed(tag, command, moves ? nil : code)
        } catch {
            fail(tag, error)
        }
    }

    func expunge(_ set: SequenceSet?, tag: String) async {
        guard let view = selected else { return }
        do throws(StoreError) {
            var wanted: [UInt32]?
            if let set {
                guard let (_, uids) = try await uids(of: set, areUIDs: true, tag: tag) else { return }
                wanted = uids
            }
            let result = try await service.store.expunge(in: view.key, uids: wanted)
            if let view = selected, !result.uids.isEmpty, result.highestModSeq.value == view.synced.value &+ 1 {
                // The next modification is our own, so nothing else has happened: the store need not be asked what.
                let changes = MailboxChanges(
                    highestModSeq: result.highestModSeq, uidNext: view.knownUIDNext,
                    messages: view.count - result.uids.count,
                    vanished: result.uids, keywords: view.keywords)
                await announce(changes, announcesExpunges: true)
            }
            await synchronise(announcesExpunges: true)
            let code: ResponseCode? =
                session.announcesModSeq && !result.uids.isEmpty
                ? .highestModSeq(UInt64(clamping: result.highestModSeq.value)) : nil
            completed(tag, set == nil ? "EXPUNGE" : "UID EXPUNGE", code)
        } catch {
            fail(tag, error)
        }
    }

    /// The UIDs that a command's set means, ascending. nil: the command is answered.
    func uids(of set: SequenceSet, areUIDs: Bool, tag: String) async throws(StoreError) -> (MailboxKey, [UInt32])? {
        try await loadUIDs()
        guard let view = selected, let uids = view.uids else { return nil }
        guard let positions = view.positions(of: set, areUIDs: areUIDs) else {
            reply(tag, .bad, "There is no message with this number")
            return nil
        }
        return (view.key, positions.uids(in: uids))
    }
}
