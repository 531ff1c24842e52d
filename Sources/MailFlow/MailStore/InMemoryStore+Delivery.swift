internal import MartletCore
internal import Records

extension InMemoryStore: DeliveryStore {
    public func deliver(_ message: AcceptedMessage) async throws(StoreError) -> [RecipientResult] {
        let (results, changed) = state.withLock { state in
            var changed: [MailboxKey] = []
            return (state.deliver(message, &changed), changed)
        }
        notify(changed)
        return results
    }
}

extension InMemoryStore.State {
    /// Nothing happens when the message got nowhere, as in the engines.
    mutating func deliver(_ message: AcceptedMessage, _ changed: inout [MailboxKey]) -> [RecipientResult] {
        var record = message.record
        var results: [RecipientResult] = []
        for recipient in message.recipients {
            let (result, key) = deliver(message, to: recipient)
            results.append(result)
            var delivery = Record.Delivery(
                recipient: recipient.original, finalAddress: recipient.final.description, outcome: .refuse)
            if case .delivered(let mailbox, let uid) = result {
                delivery.mailbox = mailbox
                delivery.uid = uid
                delivery.outcome = .deliver
            } else if result == .overQuota {
                delivery.outcome = .defer
            }
            record.deliveries.append(delivery)
            if let key { changed.append(key) }
        }
        let delivered = record.deliveries.count { $0.outcome == .deliver }
        let queued = message.outbound?.recipients.count ?? 0
        guard delivered + queued + message.discarded > 0 else { return results }
        var counts = Ledger(counts: [.delivered: Int64(delivered), .discarded: Int64(message.discarded)])
        if !message.enforcesQuota, delivered < results.count {
            counts[.discarded] += Int64(results.count - delivered)
            record.decisions.append(
                Decision(
                    check: "recipient", outcome: .discard,
                    summary: "The account was removed between RCPT and the commit; the copy for it was discarded."))
        }
        counts[.accepted] = counts[.delivered] + counts[.discarded] + Int64(queued)
        if let outbound = message.outbound, queued > 0 {
            queue.add(outbound, lease: message.outboundLease, bytes: message.content.memory)
            ledger[.queued] += Int64(queued)
            record.deliveries += outbound.recipients.map {
                Record.Delivery(recipient: $0.original, finalAddress: $0.address.description, outcome: .queue)
            }
        }
        add(record, counts)
        return results
    }

    private mutating func deliver(_ message: AcceptedMessage, to recipient: AcceptedMessage.Recipient) -> (
        RecipientResult, MailboxKey?
    ) {
        let size = Int64(message.content.size + recipient.prefix.count)
        guard let owner = accounts[recipient.account] else { return (.noSuchAccount, nil) }
        if message.enforcesQuota, let quota = owner.quota, owner.usedBytes + size > quota { return (.overQuota, nil) }
        let name = InMemoryStore.canonical(recipient.mailbox)
        guard let id = owner.id(of: name) ?? owner.id(of: "INBOX"), let mailboxName = owner.mailboxes[id]?.name else {
            return (.noSuchAccount, nil)
        }
        let key = MailboxKey(account: recipient.account, mailbox: id)
        let stored = InMemoryStore.StoredMessage(
            summary: message.summary, prefix: recipient.prefix, blob: message.content.memory)
        let added = try? withMailbox(key) { mailbox throws(StoreError) in
            mailbox.add(stored, bits: 0, modSeq: mailbox.nextModSeq(), internalDate: message.internalDate)
        }
        guard let uid = added else { return (.noSuchAccount, nil) }
        count(messages: 1, bytes: size, account: recipient.account)
        return (.delivered(mailbox: mailboxName, uid: uid), key)
    }
}
