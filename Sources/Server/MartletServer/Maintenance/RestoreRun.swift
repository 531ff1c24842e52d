internal import MailTransfer
internal import MailStore
package import MartletCore
internal import MessageFormat
internal import StoreEngine

/// What `martlet restore` did.
package struct RestoreView: Codable, Sendable, Hashable {
    package var backup: String
    package var createdAt: String
    /// Messages that were put into mailboxes, and those that were there already. Of a whole restore: all.
    package var restored: Int
    package var duplicates: Int
    /// Mailboxes that messages went to.
    package var mailboxes: [String]
    /// What could not be restored, one sentence each.
    package var losses: [String]
    /// Recipients of the queue that are held.
    package var held: Int64
    /// Files that belong elsewhere: where they lie now, and where they were.
    package var elsewhere: [String]
}

/// Brings back what a backup has: all of it into an empty directory, or messages of an account into its mailboxes.
package struct RestoreRun: Sendable {
    private let set: BackupSet
    private let name: String
    private let isForced: Bool

    /// - Parameters:
    ///   - backup: a directory of backups, whose latest is meant, or one backup in it.
    ///   - isForced: restore what can be read, and list what cannot.
    package init(_ backup: String, isForced: Bool) throws(MaintenanceFailure) {
        do throws(BackupFailure) { (set, name) = try BackupSet.find(backup) } catch { throw MaintenanceFailure(error) }
        self.isForced = isForced
    }

    // MARK: All

    /// Makes a data directory of it. Blocks the calling thread.
    ///
    /// - Parameter isPresent: nothing has happened since the backup, as when a server moves: the queue goes on, and UIDVALIDITY
    ///   values stay.
    package func all(
        to target: String, isPresent: Bool, clock: any WallClock, _ progress: MaintenanceProgress
    ) throws(MaintenanceFailure) -> RestoreView {
        let restorer = BackupRestorer(set, name) { phase, done, total in
            progress.show(phase == .comparing ? "reading and comparing" : "copying", done, of: total)
        }
        defer { progress.end() }
        do throws(BackupFailure) {
            let result = try restorer.restore(
                to: DataDirectory(target).path, isPresent ? .isPresent : .isOlder, isForced: isForced, now: clock.now())
            return RestoreView(
                backup: name, createdAt: result.manifest.createdAt,
                restored: Int(clamping: result.manifest.counts["messages"] ?? 0), duplicates: 0, mailboxes: [],
                losses: isForced ? result.losses : result.verification?.faults ?? [], held: result.held,
                elsewhere: result.elsewhere)
        } catch {
            throw MaintenanceFailure(error)
        }
    }

    // MARK: Messages

    /// Which messages, and where they go.
    package struct Choice: Sendable {
        package var account: String
        /// nil: all.
        package var mailbox: String?
        /// Empty: all.
        package var uids: [UInt32]
        package var messageID: String?
        /// Where they go: nil: below `Restored/`.
        package var place: Place?

        package enum Place: Sendable {
            /// Where they were.
            case original
            case mailbox(String)
        }

        package init(account: String, mailbox: String?, uids: [UInt32], messageID: String?, place: Place?) {
            self.account = account
            self.mailbox = mailbox
            self.uids = uids
            self.messageID = messageID
            self.place = place
        }
    }

    /// The messages of one mailbox that are wanted.
    private struct Chosen {
        var mailbox: BackupReader.Mailbox
        var target: String
        var uids: [UInt32]
    }

    /// Puts messages into an account's mailboxes, with new UIDs; flags and dates stay, and what a mailbox has already is left out.
    package func messages(
        _ choice: Choice, into session: AdministrationSession, _ progress: MaintenanceProgress
    ) async throws(MaintenanceFailure) -> RestoreView {
        defer { progress.end() }
        let reader: BackupReader
        let chosen: [Chosen]
        var view: RestoreView
        do throws(BackupFailure) {
            reader = try BackupReader(set, name, isForced: isForced)
            chosen = try choose(choice, reader)
            view = RestoreView(
                backup: name, createdAt: reader.manifest.createdAt, restored: 0, duplicates: 0, mailboxes: [],
                losses: [],
                held: 0, elsewhere: [])
            if !isForced { try check(chosen, reader, progress) }
        } catch {
            throw MaintenanceFailure(error)
        }
        do throws(TransferError) {
            let target = try session.importTarget(address: choice.account, keepsDuplicates: false)
            for part in chosen { try await send(part, reader, to: target, &view, progress) }
        } catch {
            let done =
                view.restored > 0 ? "; \(view.restored) messages are restored, the same command goes on from there" : ""
            throw MaintenanceFailure(error.description + done, isUnreachable: error.kind == .unreachable)
        }
        return view
    }

    private func choose(_ choice: Choice, _ reader: BackupReader) throws(BackupFailure) -> [Chosen] {
        func folded(_ address: EmailAddress) -> String { "\(address.foldedLocalPart)@\(address.domain?.ascii ?? "")" }
        let wanted = EmailAddress(choice.account).map(folded)
        guard let account = try reader.accounts().first(where: { folded($0.address) == wanted }) else {
            throw BackupFailure(.notFound, "the backup \(name) has no account \(escapedForTerminal(choice.account))")
        }
        var mailboxes = try reader.mailboxes(of: account.id)
        if let mailbox = choice.mailbox {
            mailboxes.removeAll { $0.name != mailbox && !($0.name == "INBOX" && mailbox.uppercased() == "INBOX") }
            guard !mailboxes.isEmpty else {
                throw BackupFailure(
                    .notFound,
                    "\(account.address) has no mailbox “\(escapedForTerminal(mailbox))” in the backup \(name)")
            }
        }
        let bare = choice.messageID.map { $0.hasPrefix("<") ? $0 : "<\($0)>" }
        var chosen: [Chosen] = []
        for mailbox in mailboxes {
            var uids = try reader.uids(in: mailbox)
            if !choice.uids.isEmpty { uids = uids.filter { choice.uids.contains($0) } }
            if let bare {
                var found: [UInt32] = []
                for uid in uids where try reader.message(uid, in: mailbox)?.messageID == bare { found.append(uid) }
                uids = found
            }
            guard !uids.isEmpty else { continue }
            chosen.append(Chosen(mailbox: mailbox, target: mailbox.name, uids: uids))
        }
        let missing = Set(choice.uids).subtracting(chosen.flatMap(\.uids)).sorted()
        if !missing.isEmpty || (chosen.isEmpty && bare != nil) {
            let which = missing.isEmpty ? "" : " (UID \(missing.map { "\($0)" }.joined(separator: ", ")))"
            throw BackupFailure(.notFound, "the backup \(name) has no such message of \(account.address)\(which)")
        }
        for index in chosen.indices {
            let name = chosen[index].mailbox.name
            switch choice.place {
            case .original: break
            case .mailbox(let place): chosen[index].target = chosen.count == 1 ? place : "\(place)/\(name)"
            case nil: chosen[index].target = "Restored/\(name)"
            }
        }
        return chosen
    }

    /// Reads all that is wanted before anything is sent.
    private func check(
        _ chosen: [Chosen], _ reader: BackupReader, _ progress: MaintenanceProgress
    ) throws(BackupFailure) {
        let total = Int64(chosen.reduce(0) { $0 + $1.uids.count })
        var done: Int64 = 0
        var faults: [String] = []
        for part in chosen {
            for uid in part.uids {
                done += 1
                progress.show("checking", done, of: total)
                guard let message = try reader.message(uid, in: part.mailbox) else { continue }
                do throws(BackupFailure) { try reader.read(message) { _ in } } catch  where error.kind == .damaged {
                    faults.append("\(part.mailbox.name), UID \(uid): \(error)")
                }
            }
        }
        guard let first = faults.first else { return }
        let more = faults.count > 1 ? " and \(faults.count - 1) more messages" : ""
        throw BackupFailure(
            .damaged,
            "the backup \(name) is damaged: \(first)\(more); use an older one, or --force to restore all others")
    }

    /// What goes to one mailbox, batch by batch.
    private func send(
        _ part: Chosen, _ reader: BackupReader, to target: any ImportTarget, _ view: inout RestoreView,
        _ progress: MaintenanceProgress
    ) async throws(TransferError) {
        let use = part.target == part.mailbox.name ? part.mailbox.specialUse : nil
        try await target.select(TransferMailbox(name: part.target, use: use))
        view.mailboxes.append(part.target)
        var messages = 0
        var octets: Int64 = 0
        for (index, uid) in part.uids.enumerated() {
            progress.show("restoring \(part.target)", Int64(index), of: Int64(part.uids.count))
            let message: BackupReader.Message
            // The whole message first: what cannot be read has not begun.
            var pieces: [[UInt8]] = []
            do throws(BackupFailure) {
                guard let found = try reader.message(uid, in: part.mailbox) else { continue }
                message = found
                try reader.read(found) { pieces.append($0) }
            } catch {
                view.losses.append("\(part.mailbox.name), UID \(uid): \(error)")
                continue
            }
            for piece in pieces { try await target.append(piece) }
            let flags = MailboxFlags(
                system: MailboxFlags.System(rawValue: UInt8(truncatingIfNeeded: message.flags.system.rawValue)),
                keywords: message.flags.keywords)
            try await target.endMessage(MessageHead(flags: flags, date: message.internalDate))
            messages += 1
            octets += Int64(message.size)
            if messages >= BatchLimits.messages || octets >= BatchLimits.octets {
                try await end(target, &view)
                messages = 0
                octets = 0
            }
        }
        if messages > 0 { try await end(target, &view) }
    }

    private func end(_ target: any ImportTarget, _ view: inout RestoreView) async throws(TransferError) {
        try await target.endBatch()
        let outcome = try await target.outcome()
        view.restored += outcome.stored
        view.duplicates += outcome.duplicates
    }
}
