public import MailStore
public import MartletCore
public import Records

// Queued messages for the cases and for the engines' own tests.
extension StoreUnderTest {
    /// The process that the cases lease for.
    public static let owner: Int64 = 77

    public var now: Instant { clock.now() }

    public func address(_ text: String) throws -> EmailAddress { try require(EmailAddress(text), "address \(text)") }

    /// A recipient that is due now; the reverse path is the sender.
    public func recipient(
        _ number: Int, _ address: String, due: Instant? = nil, from sender: String? = "anna@example.test"
    ) throws -> QueuedRecipient {
        let recipient = try self.address(address)
        let sender = try sender.map { try self.address($0) }
        return QueuedRecipient(
            number: number, address: recipient, original: address, reversePath: sender, sender: sender,
            destination: recipient.domain?.description ?? "", nextAttempt: due ?? now)
    }

    /// A message of the lane for `recipients`, and for local mailboxes too.
    public func outbound(
        _ code: UInt32, _ recipients: [QueuedRecipient], lane: String = "anna@example.test", text: String? = nil,
        local: [(account: AccountID, mailbox: String)] = [], expiresAfter: Duration = .seconds(432_000)
    ) throws -> AcceptedMessage {
        var accepted = try accepted(text ?? "message \(code)", to: local, number: code)
        let message = QueuedMessage(
            code: accepted.record.code, blob: accepted.content.blob, size: accepted.content.size, body: .eightBitMIME,
            needsSMTPUTF8: false, lane: lane, queuedAt: now, expiresAt: now + expiresAfter)
        accepted.outbound = QueuedDelivery(message: message, recipients: recipients)
        return accepted
    }

    /// Queues one message to each of `addresses` and returns its code.
    @discardableResult
    public func queue(
        _ code: UInt32, to addresses: String..., lane: String = "anna@example.test", due: Instant? = nil,
        expiresAfter: Duration = .seconds(432_000)
    ) async throws -> LookupCode {
        let recipients = try addresses.enumerated().map { try recipient($0.offset, $0.element, due: due) }
        let message = try outbound(code, recipients, lane: lane, expiresAfter: expiresAfter)
        _ = try await store.deliver(message)
        return message.record.code
    }

    public func request(
        _ destination: String, lane: String = "anna@example.test", messages: Int = 10, recipients: Int = 100,
        owner: Int64 = StoreUnderTest.owner, lease: Duration = .seconds(600), isForExpired: Bool = false
    ) -> QueueClaim {
        QueueClaim(
            lane: QueueLane(destination: destination, lane: lane), messages: messages, recipients: recipients,
            owner: owner, leaseUntil: now + lease, isForExpired: isForExpired)
    }

    public func claim(
        _ destination: String, lane: String = "anna@example.test", messages: Int = 10, recipients: Int = 100,
        owner: Int64 = StoreUnderTest.owner, lease: Duration = .seconds(600), isForExpired: Bool = false
    ) async throws -> [QueuedDelivery] {
        let request = request(
            destination, lane: lane, messages: messages, recipients: recipients, owner: owner, lease: lease,
            isForExpired: isForExpired)
        return try await store.claim([request], now: now)
    }

    public func settle(
        _ code: LookupCode, _ outcomes: [(number: Int, outcome: QueueSettlement.Outcome)],
        owner: Int64 = StoreUnderTest.owner, attempt: DeliveryAttempt? = nil, notices: [AcceptedMessage] = []
    ) async throws {
        let settlement = QueueSettlement(code: code, outcomes: outcomes, attempt: attempt, notices: notices)
        try await store.settle([settlement], owner: owner)
    }

    /// The lanes with something due, as `destination from lane`.
    func due(excluding excluded: QueueExclusion = QueueExclusion(), limit: Int = 100) async throws -> [String] {
        try await store.dueLanes(now: now, excluding: excluded, limit: limit).map {
            "\($0.destination) from \($0.lane)"
        }
    }

    /// The ledger's counts; it has to hold, recounted too.
    func ledger(file: StaticString = #fileID, line: UInt = #line) async throws -> [Ledger.Entry: Int64] {
        guard let records else { return [:] }
        let report = try await records.ledger()
        try expect(report.holds, "the ledger does not hold: \(report)", file: file, line: line)
        return report.ledger.counts.filter { $0.value != 0 }
    }
}

extension QueuedDelivery {
    /// The code's last part and recipient numbers, for short expectations: `[1, 0, 2]`.
    var brief: [Int] { [Int(message.code.value & 0x7F_FFFF)] + recipients.map(\.number) }
}
