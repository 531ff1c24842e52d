internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
internal import MessageFormat
internal import MessageSpool
internal import Records
internal import SMTPProtocol

/// The end of a message: checks that need its header, the commit, and only then 250.
extension SMTPConnection {
    func endMessage() async {
        guard let envelope, let code = envelope.code else {
            send(SMTPReply(451, EnhancedStatus(4, 3, 0), "The transaction is lost; try again"))
            return messageEnded()
        }
        guard let intake, envelope.failure == nil else { return fail(envelope.failure ?? .closed, envelope, code) }
        intake.endHeader()
        if let excess = intake.headerExcess {
            intake.discard()
            return refuseHeader(excess, envelope, code)
        }
        let plan = plan(envelope, deliveredTo: intake.scan.deliveredTo)
        let transport = intake.transport(declared: envelope.parameters)
        let isLoginValid = await loginHolds()
        let content: SpooledMessage
        let summary: StoredSummary
        do throws(StoreError) {
            // Before the spool is finished: a finished one is a file that nobody but the store removes.
            if let (decision, reply) = isLoginValid ? refusal(of: intake, plan) : Self.loginEnded {
                let size = intake.size
                intake.discard()
                return refuse(decision, reply, envelope, code, size: size, messageID: intake.scan.messageID)
            }
            content = try intake.finish()
        } catch {
            intake.discard()
            return fail(error, envelope, code)
        }
        do throws(StoreError) {
            // Of a message that stays in no mailbox here nobody asks more than its name.
            summary =
                plan.recipients.isEmpty
                ? StoredSummary(envelope: [], bodyStructure: [], messageID: messageID(of: intake.scan, code))
                : try await content.summary()
        } catch {
            content.removeFile()
            return fail(error, envelope, code)
        }
        await deliver(content, summary, plan, transport, envelope, code)
    }

    /// The one that it came with, or that submission has added.
    private func messageID(of scan: HeaderScan, _ code: LookupCode) -> String? {
        guard service.role == .submission, !scan.hasMessageID else { return scan.messageID }
        return "<\(code)@\(service.configuration.hostname)>"
    }

    private func plan(_ envelope: Envelope, deliveredTo: [String]) -> DeliveryPlan {
        let now = service.clock.now()
        let rewriting = service.configuration.outbound?.senderRewriting
        return DeliveryPlan(envelope.recipients, sender: envelope.sender, deliveredTo: deliveredTo, now: now) {
            sender in
            guard let rewriting else { return sender }
            return rewriting.forward(sender, at: now) { service.store.domain($0) != nil }.reversePath
        }
    }

    /// The part of the message that goes to other servers.
    private func outbound(
        _ plan: DeliveryPlan, _ content: SpooledMessage, _ transport: MessageIntake.Transport, _ envelope: Envelope,
        _ code: LookupCode, now: Instant
    ) -> QueuedDelivery? {
        guard !plan.outbound.isEmpty, let settings = service.configuration.outbound else { return nil }
        let addresses = plan.outbound.map(\.address) + [envelope.sender].compactMap { $0 }
        return QueuedDelivery(
            message: QueuedMessage(
                code: code, blob: content.blob, size: content.size, body: transport.body,
                needsSMTPUTF8: transport.hasEightBitHeader || addresses.contains { $0.needsSMTPUTF8 },
                envelopeID: envelope.parameters.envelopeID, returnContent: envelope.parameters.returnContent,
                lane: account?.address.description ?? envelope.sender?.description ?? "<>", queuedAt: now,
                expiresAt: now + settings.lifetime),
            recipients: plan.outbound)
    }

    private func refuseHeader(_ excess: MessageIntake.HeaderExcess, _ envelope: Envelope, _ code: LookupCode) {
        let limit =
            switch excess {
            case .octets(let limit): "\(limit) octets"
            case .lines(let limit): "\(limit) lines"
            }
        refuse(
            Decision(
                check: "size", outcome: .refuse, summary: "The header is larger than \(limit).",
                reference: "RFC 5321 §4.5.3.1", remedy: "send fewer header fields"),
            SMTPReply(552, EnhancedStatus(5, 3, 4), "Header too large: \(limit) are the limit"), envelope, code)
    }

    private func deliver(
        _ content: SpooledMessage, _ summary: StoredSummary, _ plan: DeliveryPlan,
        _ transport: MessageIntake.Transport, _ envelope: Envelope,
        _ code: LookupCode
    ) async {
        let now = service.clock.now()
        let isLMTP = service.role == .lmtp
        var record = Record(
            code: code, kind: .message, at: now, service: connection.service, peer: peer(),
            sender: envelope.reversePath.text,
            recipients: envelope.recipients.map(\.text), messageID: summary.messageID, size: content.size,
            decisions: envelope.decisions,
            reply: isLMTP ? "a reply for each recipient" : "250 2.0.0 Ok: accepted as \(code)")
        let outbound = outbound(plan, content, transport, envelope, code, now: now)
        record.decisions += plan.looping.map { Self.loopDiscarded($0) }
        let undelivered = record.decisions
        record.decisions.append(Self.acceptance)
        let results: [RecipientResult]
        do throws(StoreError) {
            results = try await service.store.deliver(
                AcceptedMessage(
                    content: content, summary: summary, internalDate: now, recipients: plan.recipients,
                    outbound: outbound, discarded: isLMTP ? 0 : plan.looping.count, record: record,
                    // A list with one full mailbox was taken for all its members at RCPT: no copy is left out after that. Where
                    // each copy has an answer of its own, the one that does not fit is refused.
                    enforcesQuota: isLMTP
                        ? plan.answers.allSatisfy { $0.count <= 1 }
                        : plan.recipients.count == 1 && plan.outbound.isEmpty))
        } catch {
            return fail(error, envelope, code)
        }
        let isDelivered = results.contains { if case .delivered = $0 { true } else { false } }
        // A copy that a loop left out is accounted for, and with it the message.
        guard isDelivered || outbound != nil || (!isLMTP && !plan.looping.isEmpty) else {
            // Nothing was committed, the record neither.
            let (decision, reply) = Self.undeliverable(results)
            guard isLMTP else {
                return refuse(decision, reply, envelope, code, size: content.size, messageID: summary.messageID)
            }
            record.decisions = undelivered + [decision]
            record.reply = reply.description
            service.write(record)
            service.metrics.messages.add(to: .init(code: reply.code))
            answer(plan, results, envelope, code)
            return messageEnded()
        }
        service.metrics.messages.add(to: .accepted)
        service.metrics.acceptedBytes.add(content.size)
        if service.logger.logLevel <= .info {
            service.logger.info(
                "accepted",
                metadata: [
                    "code": "\(code)", "peer": "\(connection.peerAddress)", "size": "\(content.size)",
                    "recipients": "\(plan.recipients.count)", "queued": "\(plan.outbound.count)",
                ])
        }
        if let outbound {
            service.configuration.outbound?.arrived(
                Set(outbound.recipients.map { QueueLane(destination: $0.destination, lane: outbound.message.lane) }))
        }
        if isLMTP {
            answer(plan, results, envelope, code)
        } else {
            send(SMTPReply(250, EnhancedStatus(2, 0, 0), "Ok: accepted as \(code)"))
        }
        messageEnded(isAccepted: true)
    }

    private static let acceptance = Decision(
        check: "delivery", outcome: .accept,
        summary: "The message was made durable together with this record, and then acknowledged.",
        reference: "RFC 5321 §4.2.5")

    private static func loopDiscarded(_ address: EmailAddress) -> Decision {
        Decision(
            check: "loop", outcome: .discard,
            summary: "The message was delivered to \(address) before and came back; no other copy was put there.",
            evidence: [.init("delivered-to", address.description)], reference: "RFC 5321 §6.3",
            remedy: "find the alias or forward that sends it back")
    }

    /// Why nobody got the message, whose recipients were all taken at RCPT.
    private static func undeliverable(_ results: [RecipientResult]) -> (Decision, SMTPReply) {
        guard results.contains(.overQuota) else {
            return (
                Decision(
                    check: "recipient", outcome: .refuse,
                    summary: "The account was removed between RCPT and the end of the message.",
                    reference: "RFC 5321 §4.2.3", remedy: "`martlet account add` makes it an address of ours again"),
                SMTPReply(550, EnhancedStatus(5, 1, 1), "No such user here any more")
            )
        }
        return (
            Decision(
                check: "quota", outcome: .defer, summary: "The mailbox has no room for this message.",
                reference: "RFC 5321 §4.2.3",
                remedy: "delete mail, or raise the quota with `martlet account set --quota`"),
            SMTPReply(452, EnhancedStatus(4, 2, 2), "Mailbox full")
        )
    }

    /// RFC 2033 §4.2: a reply for each recipient that was taken.
    private func answer(_ plan: DeliveryPlan, _ results: [RecipientResult], _ envelope: Envelope, _ code: LookupCode) {
        for (recipient, places) in zip(envelope.recipients, plan.answers) {
            send(lmtpReply(recipient.text, places.map { results[$0] }, code))
        }
    }

    private func lmtpReply(_ recipient: String, _ results: [RecipientResult], _ code: LookupCode) -> SMTPReply {
        guard !results.isEmpty else {
            return SMTPReply(
                554, EnhancedStatus(5, 4, 6), "<\(recipient)>: mail loop, delivered before (record \(code))")
        }
        for result in results {
            if case .delivered = result {
                return SMTPReply(250, EnhancedStatus(2, 1, 5), "<\(recipient)> delivered as \(code)")
            }
        }
        return results.contains(.overQuota)
            ? SMTPReply(452, EnhancedStatus(4, 2, 2), "<\(recipient)>: mailbox full (record \(code))")
            : SMTPReply(550, EnhancedStatus(5, 1, 1), "<\(recipient)>: no such user here (record \(code))")
    }

    /// What stands against a message whose header is known: its form, a loop (RFC 5321 §6.3), mailboxes without room, and on
    /// submission originators that are not the user.
    private func refusal(of intake: MessageIntake, _ plan: DeliveryPlan) -> (Decision, SMTPReply)? {
        if let flaw = intake.headerFlaw {
            return (
                Decision(
                    check: "line ends", outcome: .refuse,
                    summary: "The header holds what only the body of BODY=BINARYMIME may.",
                    evidence: [.init("found", flaw.rawValue)], reference: "RFC 3030 §3",
                    remedy: "the sending program has to end the header's lines with CR LF"),
                SMTPReply(550, EnhancedStatus(5, 6, 0), "The header has a \(flaw.rawValue) (RFC 5322 2.2)")
            )
        }
        if let refusal = loop(intake.scan, plan) ?? fullMailboxes(intake, plan) { return refusal }
        guard service.role == .submission, let account else { return nil }
        let decision = SubmissionPolicy.decideOriginators(
            intake.originators, of: SubmissionPolicy.Sender(account), in: service.lookup)
        guard decision.outcome != .pass else { return nil }
        return (decision, SMTPReply(550, EnhancedStatus(5, 7, 1), decision.summary))
    }

    private func loop(_ scan: HeaderScan, _ plan: DeliveryPlan) -> (Decision, SMTPReply)? {
        if scan.receivedCount > service.configuration.maximumReceived {
            return (
                Decision(
                    check: "loop", outcome: .refuse,
                    summary: "The message has been through \(scan.receivedCount) servers: it goes in circles.",
                    evidence: [.init("received fields", "\(scan.receivedCount)")], reference: "RFC 5321 §6.3",
                    remedy: "find the alias or forward that sends it back"),
                SMTPReply(554, EnhancedStatus(5, 4, 6), "Too many hops: the message goes in circles")
            )
        }
        guard plan.recipients.isEmpty, plan.outbound.isEmpty, let address = plan.looping.first else { return nil }
        return (
            Decision(
                check: "loop", outcome: .refuse,
                summary: "The message was delivered to \(address) once already and came back.",
                evidence: plan.looping.prefix(5).map { .init("delivered-to", $0.description) },
                reference: "RFC 5321 §6.3", remedy: "find the alias or forward that sends it back"),
            SMTPReply(554, EnhancedStatus(5, 4, 6), "Mail loop: delivered to \(address) before")
        )
    }

    /// A message whose size MAIL did not tell, and which fits nowhere. LMTP answers for each recipient when it is stored.
    private func fullMailboxes(_ intake: MessageIntake, _ plan: DeliveryPlan) -> (Decision, SMTPReply)? {
        guard service.role != .lmtp, plan.outbound.isEmpty else { return nil }
        let targets = plan.recipients.map {
            (account: $0.account, address: $0.final, size: intake.size + $0.prefix.count)
        }
        guard let decision = quotaDecision(targets) else { return nil }
        return (decision, SMTPReply(452, EnhancedStatus(4, 2, 2), "Mailbox full"))
    }

    func refuseMessage(_ reply: SMTPReply, _ reason: MessageRefusal) {
        let scan = intake?.scan
        intake?.discard()
        guard let envelope, let code = envelope.code else {
            send(reply)
            return messageEnded()
        }
        let decision =
            switch reason {
            case .tooLarge(let limit):
                Decision(
                    check: "size", outcome: .refuse, summary: "The message is larger than \(limit) octets.",
                    reference: "RFC 1870 §6.3",
                    remedy: "send a smaller one, or raise smtp.max-message-size")
            case .bareCarriageReturn, .bareLineFeed:
                Decision(
                    check: "line ends", outcome: .refuse,
                    summary:
                        "A line ends with CR or LF alone, which servers read differently: a way to smuggle a second message.",
                    evidence: [.init("found", reason == .bareLineFeed ? "LF without CR" : "CR without LF")],
                    reference: "RFC 5321 §2.3.8",
                    remedy: "the sending program has to end lines with CR LF")
            case .lineTooLong(let limit):
                Decision(
                    check: "content", outcome: .refuse,
                    summary: "A line of the message is longer than \(limit) octets.",
                    reference: "RFC 5321 §4.5.3.1.6", remedy: "encode the content as quoted-printable or base 64")
            case .nul:
                Decision(
                    check: "content", outcome: .refuse, summary: "The message has a NUL octet.",
                    reference: "RFC 5322 §4",
                    remedy: "encode the content as base 64")
            }
        refuse(decision, reply, envelope, code, messageID: scan?.messageID)
    }

    /// Records the refused message, answers for each recipient where LMTP asks for that, and ends the transaction.
    private func refuse(
        _ decision: Decision, _ reply: SMTPReply, _ envelope: Envelope, _ code: LookupCode, size: Int? = nil,
        messageID: String? = nil
    ) {
        var reply = reply
        service.metrics.messages.add(to: .init(code: reply.code))
        let written = service.writeRefusal(
            Record(
                code: code, kind: .message, at: service.clock.now(), service: connection.service, peer: peer(),
                sender: envelope.reversePath.text,
                recipients: envelope.recipients.map(\.text), messageID: messageID, size: size,
                decisions: envelope.decisions + [decision],
                reply: reply.description), of: network)
        reply.lines[reply.lines.count - 1] += SMTPService.mention(written)
        service.logger.info(
            "message refused",
            metadata: [
                "code": "\(written?.description ?? "none")", "peer": "\(connection.peerAddress)",
                "check": "\(decision.check)",
            ])
        answer(reply, envelope)
    }

    private func fail(_ error: StoreError, _ envelope: Envelope, _ code: LookupCode) {
        let (reply, summary): (SMTPReply, String) =
            switch error {
            case .unavailable(let reason):
                (
                    SMTPReply(452, EnhancedStatus(4, 3, 1), "The mail system has no storage now, try again later"),
                    "The store is not available: \(reason)."
                )
            case .overQuota: (SMTPReply(452, EnhancedStatus(4, 2, 2), "Mailbox full"), "The mailbox has no room.")
            case .closed:
                (
                    SMTPReply(421, EnhancedStatus(4, 3, 2), "The server is shutting down"),
                    "The server was shutting down."
                )
            case .noSuchAccount, .noSuchMailbox, .mailboxExists, .invalidName, .notAllowed, .noSuchMessage, .limit,
                .corrupt:
                (
                    SMTPReply(451, EnhancedStatus(4, 3, 0), "Local error, try again later"),
                    "The store answered: \(error)."
                )
            }
        service.logger.error("message not stored", metadata: ["code": "\(code)", "reason": "\(error)"])
        refuse(
            Decision(
                check: "store", outcome: .defer, summary: summary, remedy: "mend the disk; the sender tries again"),
            reply, envelope, code)
    }

    private func answer(_ reply: SMTPReply, _ envelope: Envelope) {
        let count = service.role == .lmtp ? max(1, envelope.recipients.count) : 1
        for _ in 0..<count { send(reply) }
        messageEnded()
    }
}
