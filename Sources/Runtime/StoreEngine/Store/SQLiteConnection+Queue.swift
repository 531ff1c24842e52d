internal import MailStore
internal import MartletCore
internal import Records

extension SQLiteConnection {
    func queuedMessage(_ code: Int64) throws -> QueuedMessage? {
        let row = try self(.queuedMessage).add(Schema.shard).add(code)
        defer { row.finish() }
        guard try row.step() else { return nil }
        guard let message = QueuedMessage(row: row) else {
            throw StoreError.corrupt(reason: "the queued message \(code) cannot be read")
        }
        return message
    }

    func queuedRecipients(of code: Int64) throws -> [QueuedRecipient] {
        let rows = try self(.queuedRecipients).add(Schema.shard).add(code)
        var recipients: [QueuedRecipient] = []
        while try rows.step() {
            guard let recipient = QueuedRecipient(row: rows) else {
                rows.finish()
                throw StoreError.corrupt(reason: "a recipient of the queued message \(code) cannot be read")
            }
            recipients.append(recipient)
        }
        return recipients
    }
}

extension QueuedMessage {
    /// From the present row of `SQL.queuedMessage` or `SQL.queuedMessagesFrom`; nil when it makes no sense.
    init?(row: Statement) {
        guard let code = LookupCode(value: row.int(0)), let blob = BlobID(row.bytes(1)),
            let body = BodyType(rawValue: row.text(3))
        else { return nil }
        self.init(
            code: code, blob: blob, size: Int(row.int(2)), body: body, needsSMTPUTF8: row.int(4) != 0,
            envelopeID: row.optionalText(5), returnContent: row.optionalText(6).flatMap { ReturnContent(rawValue: $0) },
            lane: row.text(7), queuedAt: Instant(microseconds: row.int(8)),
            expiresAt: Instant(microseconds: row.int(9)))
    }
}

extension QueuedRecipient {
    /// From the present row of `SQL.queuedRecipients` or `SQL.dueOfMessage`; nil when it makes no sense.
    init?(row: Statement) {
        guard let address = EmailAddress(row.text(1)) else { return nil }
        let next = row.int(9)
        self.init(
            number: Int(row.int(0)), address: address, original: row.text(2), originalRecipient: row.optionalText(3),
            notify: NotifyConditions(rawValue: UInt8(truncatingIfNeeded: row.int(4))),
            reversePath: row.optionalText(5).flatMap { EmailAddress($0) },
            sender: row.optionalText(6).flatMap { EmailAddress($0) },
            deliveredTo: row.optionalText(13).flatMap { EmailAddress($0) }, destination: row.text(7),
            state: row.int(8) != 0 ? .leased : next == .max ? .held : .waiting,
            nextAttempt: Instant(microseconds: next), attempts: Int(row.int(10)), lastReply: row.optionalText(11),
            hasDelayNotice: row.int(12) != 0)
    }
}
