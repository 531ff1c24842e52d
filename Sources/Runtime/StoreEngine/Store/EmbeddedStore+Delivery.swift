public import MailStore
internal import MartletCore
internal import Records

extension EmbeddedStore: DeliveryStore {
    /// Nothing is committed, not even the record, when the message got nowhere: no recipient has it, none is queued, none was
    /// discarded by a rule. The caller then refuses it and writes a record that says so.
    public func deliver(_ message: AcceptedMessage) async throws(StoreError) -> [RecipientResult] {
        let content = [message.content]
        defer { removeSpoolFiles(content) }
        // What nobody has room for is not even stored.
        if message.enforcesQuota, message.outbound == nil, message.discarded == 0,
            let refusals = refusalsForAll(message)
        {
            return refusals
        }
        return try await committer.submit(content: content) { try $0.deliver(message) }
    }
}

extension EmbeddedStore {
    /// The results when it is plain already that no recipient gets the message; nil otherwise.
    private func refusalsForAll(_ message: AcceptedMessage) -> [RecipientResult]? {
        var results: [RecipientResult] = []
        for recipient in message.recipients {
            guard let account = directory.account(recipient.account) else {
                results.append(.noSuchAccount)
                continue
            }
            guard !account.hasRoom(for: Int64(message.content.size + recipient.prefix.count)) else { return nil }
            results.append(.overQuota)
        }
        return results
    }
}

extension WriteTransaction {
    func deliver(_ message: AcceptedMessage) throws -> [RecipientResult] {
        var record = message.record
        var results: [RecipientResult] = []
        results.reserveCapacity(message.recipients.count)
        // First where each copy goes, so that nothing is written for a message that reaches nobody.
        var targets: [MailboxKey?] = []
        var room: [AccountID: Int64] = [:]
        for recipient in message.recipients {
            let size = Int64(message.content.size + recipient.prefix.count)
            guard directory.account(recipient.account) != nil, let account = try knownAccount(recipient.account) else {
                results.append(.noSuchAccount)
                targets.append(nil)
                continue
            }
            let wanted = room[recipient.account, default: 0] + size
            if message.enforcesQuota, !(try hasRoom(for: wanted, in: recipient.account)) {
                results.append(.overQuota)
                targets.append(nil)
                continue
            }
            let name = MailboxName.canonical(recipient.mailbox)
            guard let mailbox = account.names[name] ?? account.names["INBOX"] else {
                results.append(.noSuchAccount)
                targets.append(nil)
                continue
            }
            room[recipient.account] = wanted
            results.append(.delivered(mailbox: name, uid: 0))
            targets.append(MailboxKey(account: recipient.account, mailbox: mailbox))
        }
        let delivered = targets.count { $0 != nil }
        let queued = message.outbound?.recipients.count ?? 0
        guard delivered + queued + message.discarded > 0 else { return results }
        let references = delivered + (queued > 0 ? 1 : 0)
        if references > 0 {
            try reference(message.content.blob, length: message.content.size, count: references)
        }
        for (index, recipient) in message.recipients.enumerated() {
            var delivery = Record.Delivery(
                recipient: recipient.original, finalAddress: recipient.final.description, outcome: .refuse)
            if let key = targets[index] {
                var row = try row(key)
                let size = message.content.size + recipient.prefix.count
                let new = NewMessage(
                    blob: message.content.blob, size: size, flags: 0, internalDate: message.internalDate,
                    prefix: recipient.prefix,
                    summary: message.summary)
                let uids = try add([new], to: &row)
                count(key.account, messages: 1, bytes: Int64(size))
                results[index] = .delivered(mailbox: row.name, uid: uids[0])
                delivery.mailbox = row.name
                delivery.uid = uids[0]
                delivery.outcome = .deliver
            } else if results[index] == .overQuota {
                delivery.outcome = .defer
            }
            record.deliveries.append(delivery)
        }
        // LMTP tells its client of each recipient: what was refused was never taken. SMTP has one answer for all: what was
        // taken and has no account any more is discarded, by this rule's name.
        var counts = RecordCounts(accepted: Int64(delivered), delivered: Int64(delivered), discarded: 0)
        if !message.enforcesQuota, delivered < targets.count {
            counts.discarded = Int64(targets.count - delivered)
            counts.accepted += counts.discarded
            record.decisions.append(
                Decision(
                    check: "recipient", outcome: .discard,
                    summary: "The account was removed between RCPT and the commit; the copy for it was discarded."))
        }
        if let outbound = message.outbound, queued > 0 {
            try queue(outbound, lease: message.outboundLease)
            counts.accepted += Int64(queued)
            pending.ledger[.queued, default: 0] += Int64(queued)
            record.deliveries += outbound.recipients.map {
                Record.Delivery(recipient: $0.original, finalAddress: $0.address.description, outcome: .queue)
            }
        }
        counts.accepted += Int64(message.discarded)
        counts.discarded += Int64(message.discarded)
        try insert(record, counts)
        pending.ledger[.accepted, default: 0] += counts.accepted
        pending.ledger[.delivered, default: 0] += counts.delivered
        pending.ledger[.discarded, default: 0] += counts.discarded
        return results
    }
}
