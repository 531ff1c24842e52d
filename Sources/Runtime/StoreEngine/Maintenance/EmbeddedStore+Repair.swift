internal import MailStore
internal import MartletCore
internal import MessageFormat
internal import Records

// What can be worked out anew is put right: counters from rows, references from those who name blobs, summaries and sizes from
// messages. What cannot is told and left: octets that are lost, the ledger, a database that SQLite itself finds damaged.
extension EmbeddedStore {
    /// Compares as `verify` does, puts right what it finds, and compares again. Online: each repair is a small commit.
    ///
    /// - Parameter removingDamaged: messages whose octets are gone or damaged are expunged, and listed. Otherwise they stay where
    ///   they are and are told: reading them fails.
    public func repair(removingDamaged: Bool) async -> RepairReport {
        var report = RepairReport()
        do throws(StoreError) { try gate.enter("a repair") } catch {
            report.verification.add("\(error)")
            return report
        }
        defer { gate.leave() }
        do {
            try await repairIndexes(&report)
            try await repairReferences(&report)
            try await repairSizes(&report)
            try await repairCounters(&report)
            try await repairQueue(&report)
            let damaged = await inspect().damaged
            try await repairDamaged(damaged, removing: removingDamaged, &report)
            try await repairSummaries(&report)
        } catch {
            report.verification.add("the repair ended early: \(error)")
        }
        let early = report.verification.faults
        report.verification = await verify()
        for fault in early { report.verification.add(fault) }
        return report
    }

    // MARK: Indexes of the database

    private func repairIndexes(_ report: inout RepairReport) async throws {
        let faults = try await maintenance.read { try $0.integrityFaults() }
        guard faults.contains(where: { $0.contains("index") }) else { return }
        try await committer.submit(isExclusive: true) { try $0.connection.execute("REINDEX") }
        report.add("the database's indexes were made anew")
    }

    // MARK: References

    private func repairReferences(_ report: inout RepairReport) async throws {
        let differences = try await maintenance.read { connection in
            try connection.reading { try ReferenceCheck(on: connection).differences }
        }
        for difference in differences {
            guard let counted = difference.counted else { continue }
            // As a difference, which stays right whatever is delivered or removed meanwhile.
            let (change, isTooLarge) = difference.found.subtractingReportingOverflow(counted)
            guard !isTooLarge else { continue }
            try await committer.submit { transaction in
                let statement = try transaction.writing(.addBlobReferences).add(change)
                try statement.add(Schema.shard).add(difference.blob.bytes).run()
            }
            report.add(
                "blob \(difference.blob.hexadecimal): \(difference.found) references instead of \(counted)")
        }
    }

    // MARK: Sizes and counters

    private func repairSizes(_ report: inout RepairReport) async throws {
        let places = try await maintenance.read { connection in
            try connection.places(try connection(.messagesOfOtherSize).add(Schema.shard))
        }
        for (key, uid) in places {
            let size = try await committer.submit { try $0.correctSize(of: uid, in: key) }
            guard let size else { continue }
            indexes.forget(key)
            report.add("message \(key)/\(uid): its size is \(size) octets")
        }
    }

    private func repairCounters(_ report: inout RepairReport) async throws {
        let keys = try await maintenance.read { try $0.mailboxesWithWrongCounters() }
        for key in keys {
            guard let told = try await committer.submit({ try $0.recount(key) }) else { continue }
            indexes.forget(key)
            report.add("mailbox \(key): \(told)")
        }
    }

    // MARK: Queue

    private func repairQueue(_ report: inout RepairReport) async throws {
        let (strays, empty) = try await maintenance.read { connection in
            var strays: [(code: Int64, number: Int64)] = []
            let rows = try connection(.recipientsOutOfPlace).add(Schema.shard)
            while try rows.step() { strays.append((rows.int(0), rows.int(1))) }
            var empty: [Int64] = []
            let messages = try connection(.messagesWithoutRecipient).add(Schema.shard)
            while try messages.step() { empty.append(messages.int(0)) }
            return (strays, empty)
        }
        for (code, number) in strays {
            guard let lane = try await committer.submit({ try $0.putInPlace(code, number) }) else { continue }
            report.add("recipient \(number) of queued message \(code): it waits with those for \(lane.destination)")
        }
        for code in empty {
            guard try await committer.submit({ try $0.removeQueuedIfEmpty(code) }) else { continue }
            report.add("queued message \(code): it had no recipient left and is gone")
        }
        let lanes = try await maintenance.read { connection in
            var lanes: [QueueLane] = []
            let rows = try connection(.recountLanes).add(Schema.shard)
            while try rows.step() { lanes.append(QueueLane(destination: rows.text(0), lane: rows.text(1))) }
            return lanes
        }
        for lane in lanes {
            let count = try await committer.submit { try $0.recount(lane) }
            report.add(
                "queue for \(lane.destination) from \(lane.lane): \(count) recipients, due with the first of them")
        }
    }

    // MARK: Messages

    private func repairSummaries(_ report: inout RepairReport) async throws {
        let places = try await maintenance.read { connection in
            try connection.places(try connection(.messagesWithoutSummary))
        }
        for (key, uid) in places {
            guard let message = try? await message(in: key, uid: uid), let bytes = try? await message.readAll() else {
                continue
            }
            let summary = StoredSummary(MessageSummary.make(bytes))
            guard try await committer.submit({ try $0.insertMissing(summary, uid: uid, in: key) }) else { continue }
            report.add("message \(key)/\(uid): its summary was made anew")
        }
    }

    private func repairDamaged(_ damaged: Set<BlobID>, removing: Bool, _ report: inout RepairReport) async throws {
        let missing = try await maintenance.read { connection in
            try connection.reading { try ReferenceCheck(on: connection).differences }
        }.filter { $0.counted == nil }.map(\.blob)
        let blobs = damaged.union(missing)
        guard !blobs.isEmpty else { return }
        let places = try await maintenance.read { try BlobPlaces(of: blobs, on: $0) }
        for (blob, messages) in places.messages {
            for message in messages {
                let address =
                    directory.account(message.key.account)?.address.description ?? "account \(message.key.account)"
                let name = (try? await mailbox(message.key).name) ?? "mailbox \(message.key.mailbox)"
                let summary = try? await summaries(in: message.key, uids: [message.uid]).first?.summary
                var told = "\(address), \(name), UID \(message.uid)"
                if let summary { told += ", from \(summary.from), “\(summary.subject)”" }
                report.addDamaged(told)
                guard removing else { continue }
                try await committer.submit { try $0.removeDamaged(message.uid, in: message.key, blob) }
            }
        }
        for (blob, messages) in places.expunged where removing {
            for message in messages {
                try await committer.submit { try $0.forgetDamaged(message.uid, in: message.key, blob) }
            }
        }
        for blob in damaged {
            // Alone in its commit. Nobody is to be given these octets again because he delivers the same.
            let isForgotten = try await committer.submit(isExclusive: true) { transaction in
                try transaction.writing(.forgetBlob).add(Schema.shard).add(blob.bytes).run()
                return transaction.connection.changes == 1
            }
            if isForgotten {
                report.add("blob \(blob.hexadecimal): its octets are damaged and nobody names it: it is forgotten")
            }
        }
        for code in places.queued.values.joined() {
            report.addDamaged("queued message \(code): “martlet queue cancel \(code)” tells its sender")
        }
        report.isDamagedRemoved = removing
    }
}

extension SQLiteConnection {
    /// Messages from rows of account, mailbox and UID; those whose numbers make no sense are left out.
    fileprivate func places(_ rows: Statement) throws -> [(key: MailboxKey, uid: UInt32)] {
        var places: [(key: MailboxKey, uid: UInt32)] = []
        while try rows.step() {
            guard let uid = UInt32(exactly: rows.int(2)) else { continue }
            places.append((MailboxKey(account: AccountID(rows.int(0)), mailbox: MailboxID(rows.int(1))), uid))
        }
        return places
    }

    fileprivate func mailboxesWithWrongCounters() throws -> [MailboxKey] {
        var keys: [MailboxKey] = []
        let rows = try self(.recountMailboxes)
        while try rows.step() {
            let isRight =
                (3...6).allSatisfy { rows.int($0) == rows.int($0 + 6) } && rows.int(7) > rows.int(13)
                && rows.int(8) >= rows.int(14)
            if !isRight { keys.append(MailboxKey(account: AccountID(rows.int(0)), mailbox: MailboxID(rows.int(1)))) }
        }
        return keys
    }
}
