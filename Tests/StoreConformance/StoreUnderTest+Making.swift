public import MailStore
internal import MartletCore
internal import Records

// Accounts and messages for the cases and for the engines' own tests.
extension StoreUnderTest {
    public static let domain = "example.test"

    /// Makes an account `name@example.test`.
    public func makeAccount(_ name: String = "anna", quota: Int64? = nil) async throws -> AccountID {
        let domain = try require(Domain(StoreUnderTest.domain), "domain")
        if store.domain(domain) == nil { try await store.putDomain(LocalDomain(domain: domain)) }
        let address = try require(EmailAddress("\(name)@\(StoreUnderTest.domain)"), "address")
        return try require(
            try await store.createAccounts([NewAccount(address: address, quota: quota, credential: nil)]).first,
            "account")
    }

    public func inbox(of account: AccountID) async throws -> MailboxKey {
        try await store.mailbox(named: "INBOX", of: account).key
    }

    public func spool(_ bytes: [UInt8]) throws -> SpooledMessage {
        let spool = try store.makeSpool()
        // In pieces, as a network gives them.
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + 10_007)
            try bytes[offset..<end].withUnsafeBytes { try spool.append($0) }
            offset = end
        }
        return try spool.finish()
    }

    public func message(_ text: String, flags: NamedFlags = NamedFlags()) throws -> AppendedMessage {
        try message(bytes: Array(text.utf8), flags: flags)
    }

    public func message(bytes: [UInt8], flags: NamedFlags = NamedFlags()) throws -> AppendedMessage {
        AppendedMessage(
            content: try spool(bytes),
            summary: StoreUnderTest.summary(String(decoding: bytes.prefix(40), as: UTF8.self)), flags: flags,
            internalDate: clock.now())
    }

    /// Appends one message of each text. Returns the UIDs.
    @discardableResult
    public func append(_ texts: [String], to key: MailboxKey, flags: NamedFlags = NamedFlags()) async throws -> [UInt32]
    {
        var messages: [AppendedMessage] = []
        for text in texts { messages.append(try message(text, flags: flags)) }
        return try await store.append(messages, to: key).uids
    }

    public func text(of uid: UInt32, in key: MailboxKey) async throws -> String {
        String(decoding: try await store.message(in: key, uid: uid).readAll(), as: UTF8.self)
    }

    public static func summary(_ subject: String) -> StoredSummary {
        StoredSummary(
            envelope: Array("(NIL \"\(subject)\" NIL)".utf8), bodyStructure: Array("(\"TEXT\" \"PLAIN\")".utf8),
            subject: subject,
            from: "Anna <anna@example.org>", to: "bob@example.test", cc: "", bcc: "é", messageID: nil,
            sentDate: Instant(seconds: 77),
            sentZoneMinutes: -90, preview: "preview of \(subject)")
    }

    public func accepted(
        _ text: String, to recipients: [(account: AccountID, mailbox: String)], enforcesQuota: Bool = false,
        number: UInt32 = 0,
        messageID: String? = nil
    ) throws -> AcceptedMessage {
        let bytes = Array(text.utf8)
        let final = try require(EmailAddress("anna@example.test"), "address")
        let record = Record(
            code: LookupCode(at: clock.now(), counter: number), kind: .message, at: clock.now(), service: "smtp",
            peer: Record.Peer(address: "192.0.2.7"), sender: "sender@example.org", recipients: ["Anna@example.test"],
            messageID: messageID,
            size: bytes.count, decisions: [Decision(check: "recipient", outcome: .accept, summary: "Known.")])
        return AcceptedMessage(
            content: try spool(bytes), summary: StoreUnderTest.summary(text), internalDate: clock.now(),
            recipients: recipients.map {
                AcceptedMessage.Recipient(
                    account: $0.account, mailbox: $0.mailbox, prefix: Array("Delivered-To: \($0.account)\r\n".utf8),
                    original: "Anna@example.test",
                    final: final)
            }, record: record, enforcesQuota: enforcesQuota)
    }

    /// What must hold of a mailbox at any moment: counters as the index says, UIDs ascending, below UIDNEXT.
    public func checkInvariants(of key: MailboxKey) async throws {
        let info = try await store.mailbox(key)
        let index = try await store.index(of: key)
        try expectEqual(info.messages, index.count)
        try expectEqual(info.unseen, index.flags.count { $0 & Flags.seen.rawValue == 0 })
        try expectEqual(info.deleted, index.flags.count { $0 & Flags.deleted.rawValue != 0 })
        try expectEqual(info.size, index.sizes.reduce(0) { $0 + Int64($1) })
        try expectEqual(info.uidNext, index.uidNext)
        try expectEqual(info.highestModSeq, index.highestModSeq)
        try expectEqual(info.keywords, index.keywords)
        try expect(zip(index.uids, index.uids.dropFirst()).allSatisfy { $0 < $1 }, "UIDs do not ascend")
        try expect(index.uids.allSatisfy { $0 < index.uidNext }, "a UID is not below UIDNEXT")
        try expect(index.modSeqs.allSatisfy { $0 <= index.highestModSeq.value }, "a MODSEQ is above HIGHESTMODSEQ")
    }
}
