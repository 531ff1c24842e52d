internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
internal import MessageFormat
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
        if intake.isHeaderTooLarge {
            intake.discard()
            let limit = service.configuration.maximumHeaderSize
            return refuse(
                Decision(
                    check: "size", outcome: .refuse,
                    summary:
                        "The header is larger than \(limit) octets, or has more than \(MessageIntake.maximumHeaderLines) lines.",
                    reference: "RFC 5321 §4.5.3.1",
                    remedy: "send fewer header fields"),
                SMTPReply(552, EnhancedStatus(5, 3, 4), "Header too large: \(limit) octets are the limit"),
                envelope, code)
        }
        let content: SpooledMessage
        let summary: StoredSummary
        do throws(StoreError) {
            // Before the spool is finished: a finished one is a file that nobody but the store removes.
            if let (decision, reply) = refusal(of: intake.scan, envelope) {
                let size = intake.size
                intake.discard()
                return refuse(decision, reply, envelope, code, size: size, messageID: intake.scan.messageID)
            }
            content = try intake.finish()
        } catch {
            intake.discard()
            return fail(error, envelope, code)
        }
        do throws(StoreError) { summary = try await content.summary() } catch {
            content.removeFile()
            return fail(error, envelope, code)
        }
        await deliver(content, summary, envelope, code)
    }

    private func deliver(_ content: SpooledMessage, _ summary: StoredSummary, _ envelope: Envelope, _ code: LookupCode)
        async
    {
        let now = service.clock.now()
        let isLMTP = service.role == .lmtp
        var recipients: [AcceptedMessage.Recipient] = []
        // Which results answer which RCPT: an account that several of them reach gets one copy.
        var places: [AccountID: Int] = [:]
        var answers: [[Int]] = []
        for recipient in envelope.recipients {
            var indices: [Int] = []
            for target in recipient.targets {
                if let place = places[target.account] {
                    indices.append(place)
                    continue
                }
                places[target.account] = recipients.count
                indices.append(recipients.count)
                recipients.append(
                    AcceptedMessage.Recipient(
                        account: target.account, mailbox: "INBOX",
                        prefix: TraceFields.deliveryPrefix(reversePath: envelope.reversePath, final: target.address),
                        original: recipient.text, final: target.address))
            }
            answers.append(indices)
        }
        let record = Record(
            code: code, kind: .message, at: now, service: connection.service, peer: peer(),
            sender: envelope.reversePath.text,
            recipients: envelope.recipients.map(\.text), messageID: summary.messageID, size: content.size,
            decisions: envelope.decisions + [Self.acceptance], reply: "250 2.0.0 Ok: accepted as \(code)")
        let results: [RecipientResult]
        do throws(StoreError) {
            results = try await service.store.deliver(
                AcceptedMessage(
                    content: content, summary: summary, internalDate: now, recipients: recipients, record: record,
                    // A list with one full mailbox was taken for all its members at RCPT: no copy is left out after that.
                    enforcesQuota: isLMTP && answers.allSatisfy { $0.count == 1 }))
        } catch {
            return fail(error, envelope, code)
        }
        if service.logger.logLevel <= .info {
            service.logger.info(
                "accepted",
                metadata: [
                    "code": "\(code)", "peer": "\(connection.peerAddress)", "size": "\(content.size)",
                    "recipients": "\(recipients.count)",
                ])
        }
        if isLMTP {
            for (recipient, indices) in zip(envelope.recipients, answers) {
                send(lmtpReply(recipient.text, indices.map { results[$0] }, code))
            }
        } else {
            send(SMTPReply(250, EnhancedStatus(2, 0, 0), "Ok: accepted as \(code)"))
        }
        messageEnded(isAccepted: true)
    }

    private static let acceptance = Decision(
        check: "delivery", outcome: .accept,
        summary: "The message was made durable together with this record, and then acknowledged.",
        reference: "RFC 5321 §4.2.5")

    /// RFC 2033 §4.2: a reply for each recipient that was taken.
    private func lmtpReply(_ recipient: String, _ results: [RecipientResult], _ code: LookupCode) -> SMTPReply {
        for result in results {
            if case .delivered = result {
                return SMTPReply(250, EnhancedStatus(2, 1, 5), "<\(recipient)> delivered as \(code)")
            }
        }
        return results.contains(.overQuota)
            ? SMTPReply(452, EnhancedStatus(4, 2, 2), "<\(recipient)>: mailbox full (record \(code))")
            : SMTPReply(550, EnhancedStatus(5, 1, 1), "<\(recipient)>: no such user here (record \(code))")
    }

    /// What the header makes impossible: loops (RFC 5321 §6.3), and on submission a From that is not the user's.
    private func refusal(of scan: HeaderScan, _ envelope: Envelope) -> (Decision, SMTPReply)? {
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
        if !scan.deliveredTo.isEmpty {
            let before = Set(scan.deliveredTo.map { $0.lowercased() })
            for target in envelope.recipients.flatMap(\.targets)
            where before.contains(target.address.description.lowercased()) {
                return (
                    Decision(
                        check: "loop", outcome: .refuse,
                        summary: "The message was delivered to \(target.address) once already and came back.",
                        evidence: [.init("delivered-to", target.address.description)], reference: "RFC 5321 §6.3",
                        remedy: "find the alias or forward that sends it back"),
                    SMTPReply(554, EnhancedStatus(5, 4, 6), "Mail loop: delivered to \(target.address) before")
                )
            }
        }
        if service.role == .submission, let account {
            let decision = SubmissionPolicy.decideFrom(
                scan.fromAddresses, login: account.login, own: service.store.addresses(of: account.id),
                in: service.lookup)
            if decision.outcome != .pass {
                return (decision, SMTPReply(550, EnhancedStatus(5, 7, 1), "From: \(decision.summary)"))
            }
        }
        return nil
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
        reply.lines[reply.lines.count - 1] += " (record \(code))"
        service.write(
            Record(
                code: code, kind: .message, at: service.clock.now(), service: connection.service, peer: peer(),
                sender: envelope.reversePath.text,
                recipients: envelope.recipients.map(\.text), messageID: messageID, size: size,
                decisions: envelope.decisions + [decision],
                reply: reply.description))
        service.logger.info(
            "message refused",
            metadata: ["code": "\(code)", "peer": "\(connection.peerAddress)", "check": "\(decision.check)"])
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
