internal import DeliveryPolicy
public import MailStore
public import MartletCore
internal import MessageFormat
internal import QueueEngine
public import Records

/// Turns the notices that a settlement owes into messages, ready to be committed with it: into the sender's mailbox when that is
/// here, else into the queue (RFC 3461 §6).
public struct NoticeMaker: Sendable {
    /// Our name in the DNS.
    private let hostname: String
    private let domain: Domain
    private let lifetime: Duration
    private let nextCode: @Sendable (Instant) -> LookupCode
    private let clock: any WallClock

    /// - Parameters:
    ///   - hostname: this server's name.
    ///   - lifetime: how long a notice to somebody elsewhere is tried.
    ///   - nextCode: gives the codes of the notices' records.
    public init(
        hostname: String, lifetime: Duration, nextCode: @escaping @Sendable (Instant) -> LookupCode,
        clock: any WallClock
    ) {
        self.hostname = hostname
        // A host name that is none (a bare `localhost` is one) cannot be an address's.
        domain = Domain(hostname) ?? NoticeMaker.fallbackDomain
        self.lifetime = lifetime
        self.nextCode = nextCode
        self.clock = clock
    }

    private static let fallbackDomain: Domain = {
        guard let domain = Domain("localhost") else { preconditionFailure("localhost is a domain") }
        return domain
    }()

    func make(
        _ plan: SettlementPlan, of delivery: QueuedDelivery, attempt: DeliveryAttempt?,
        from store: any OutboundQueue.Store
    ) async throws(StoreError) -> [AcceptedMessage] {
        guard let sender = delivery.recipients.first?.sender, let from = address("MAILER-DAEMON"),
            let contact = address("postmaster")
        else { return [] }
        let original = try await original(delivery.message, from: store)
        var messages: [AcceptedMessage] = []
        for owed in plan.notices {
            let now = clock.now()
            let recipients = owed.recipients.compactMap { number in
                told(number, owed.kind, plan, delivery, attempt)
            }
            guard !recipients.isEmpty else { continue }
            let notice = DeliveryNotice(
                reportingHost: hostname, from: from, contact: contact, sender: sender,
                lookupCode: plan.code.description, envelopeID: delivery.message.envelopeID,
                arrival: delivery.message.queuedAt, original: original,
                returned: delivery.message.returnContent == .headers ? .headers : .full, recipients: recipients)
            let code = nextCode(now)
            let message = notice.build(messageID: "<\(code)@\(hostname)>", date: MailDate(instant: now))
            if let accepted = try accept(message, owed.kind, about: plan.code, to: sender, code, now, in: store) {
                messages.append(accepted)
            }
        }
        return messages
    }

    private func address(_ localPart: String) -> EmailAddress? { EmailAddress(localPart: localPart, domain: domain) }

    private func original(
        _ message: QueuedMessage, from store: any OutboundQueue.Store
    ) async throws(StoreError) -> DeliveryNotice.Original {
        do throws(StoreError) {
            let content = try await store.content(of: message.blob)
            let bytes = try await content.read(0..<(DeliveryNotice.maximumReturnedMessage + 1))
            return DeliveryNotice.Original(bytes: bytes, size: content.size)
        } catch {
            // A sender is told of a failure also when the message itself is damaged.
            switch error {
            case .corrupt, .noSuchMessage: return DeliveryNotice.Original(bytes: [], size: 0)
            default: throw error
            }
        }
    }

    private func told(
        _ number: Int, _ kind: SettlementPlan.Notice.Kind, _ plan: SettlementPlan, _ delivery: QueuedDelivery,
        _ attempt: DeliveryAttempt?
    ) -> DeliveryNotice.Recipient? {
        guard let recipient = delivery.recipients.first(where: { $0.number == number }),
            let planned = plan.recipients.first(where: { $0.number == number })
        else { return nil }
        var reply: String?
        switch planned.outcome {
        case .relayed(let text), .failed(let text), .discarded(let text, _), .retry(_, let text, _): reply = text
        case .returned: break
        }
        let outcome: DeliveryNotice.Outcome =
            switch kind {
            case .failure: .failed
            case .delay: .delayed(until: delivery.message.expiresAt)
            case .relayed: .relayed
            }
        return DeliveryNotice.Recipient(
            address: EmailAddress(recipient.original) ?? recipient.address,
            originalRecipient: recipient.originalRecipient, outcome: outcome,
            status: planned.isExpired ? EnhancedStatus(5, 4, 7) : nil, remoteHost: attempt?.host, reply: reply,
            lastAttempt: attempt?.at)
    }

    /// nil when there is nobody to tell: the sender's address is one of ours that does not exist.
    private func accept(
        _ message: DeliveryNotice.Message, _ kind: SettlementPlan.Notice.Kind, about original: LookupCode,
        to sender: EmailAddress, _ code: LookupCode, _ now: Instant, in store: any OutboundQueue.Store
    ) throws(StoreError) -> AcceptedMessage? {
        let resolution = RecipientResolver().resolve(sender, in: DirectoryLookup(store))
        let isOutside = resolution.outcome == .notLocal
        guard isOutside || resolution.outcome == .found else { return nil }
        let plan = DeliveryPlan(
            [
                DeliveryPlan.Recipient(
                    text: sender.description, targets: resolution.targets,
                    outside: isOutside ? [sender] : resolution.outside, forwarder: isOutside ? nil : sender, notify: [])
            ], sender: nil, deliveredTo: [], now: now, forward: { $0 })
        let writer = try store.makeSpool()
        let failure = message.bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try writer.append(bytes) } catch { return error }
            return nil
        }
        if let failure { throw failure }
        let content = try writer.finish()
        let summary = StoredSummary(MessageSummary.make(message.bytes))
        var outbound: QueuedDelivery?
        if !plan.outbound.isEmpty {
            outbound = QueuedDelivery(
                message: QueuedMessage(
                    code: code, blob: content.blob, size: content.size,
                    body: message.needs8BitMIME ? .eightBitMIME : .sevenBit, needsSMTPUTF8: message.needsSMTPUTF8,
                    lane: "<>", queuedAt: now, expiresAt: now + lifetime), recipients: plan.outbound)
        }
        let record = Record(
            code: code, kind: .message, at: now, service: "queue", peer: Record.Peer(address: "local"), sender: "",
            recipients: [sender.description], messageID: summary.messageID, size: content.size,
            decisions: [
                resolution.decision,
                Decision(
                    check: "notice", outcome: .accept, summary: NoticeMaker.summary(kind),
                    evidence: [.init("about", original.description)], reference: "RFC 3461 §6"),
            ])
        return AcceptedMessage(
            content: content, summary: summary, internalDate: now, recipients: plan.recipients, outbound: outbound,
            record: record, enforcesQuota: false)
    }

    private static func summary(_ kind: SettlementPlan.Notice.Kind) -> String {
        switch kind {
        case .failure: "The sender of a message is told that it could not be delivered."
        case .delay: "The sender of a message is told that it is late."
        case .relayed: "The sender of a message is told that it was handed to a server that does not report delivery."
        }
    }
}
