internal import MartletCore

extension InMemoryStore: DeliveryStore {
    /// Delivers without record or ledger: these belong to the engines.
    public func deliver(_ message: AcceptedMessage) async throws(StoreError) -> [RecipientResult] {
        var changed: [MailboxKey] = []
        var results: [RecipientResult] = []
        for recipient in message.recipients {
            let size = Int64(message.content.size + recipient.prefix.count)
            let outcome = state.withLock { state -> (RecipientResult, MailboxKey?) in
                guard let owner = state.accounts[recipient.account] else { return (.noSuchAccount, nil) }
                if message.enforcesQuota, let quota = owner.quota, owner.usedBytes + size > quota {
                    return (.overQuota, nil)
                }
                let name = InMemoryStore.canonical(recipient.mailbox)
                guard let id = owner.id(of: name) ?? owner.id(of: "INBOX"), let mailboxName = owner.mailboxes[id]?.name
                else {
                    return (.noSuchAccount, nil)
                }
                let key = MailboxKey(account: recipient.account, mailbox: id)
                let stored = StoredMessage(
                    summary: message.summary, prefix: recipient.prefix, blob: message.content.memory)
                let added = try? state.withMailbox(key) { mailbox throws(StoreError) in
                    mailbox.add(stored, bits: 0, modSeq: mailbox.nextModSeq(), internalDate: message.internalDate)
                }
                guard let uid = added else { return (.noSuchAccount, nil) }
                state.count(messages: 1, bytes: size, account: recipient.account)
                return (.delivered(mailbox: mailboxName, uid: uid), key)
            }
            results.append(outcome.0)
            if let key = outcome.1 { changed.append(key) }
        }
        notify(changed)
        return results
    }
}
