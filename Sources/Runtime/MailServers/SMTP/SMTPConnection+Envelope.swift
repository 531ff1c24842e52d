internal import Authentication
internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
internal import MessageFormat
internal import Records
internal import SMTPProtocol

/// MAIL and RCPT: who may send, and whom it reaches. Every refusal is a decision with a record, whose code the reply carries.
extension SMTPConnection {
    /// Whether whoever logged in may still; true where nobody has.
    func loginHolds() async -> Bool {
        guard var account else { return true }
        guard await service.authenticator.stillHolds(&account) else { return false }
        self.account = account
        return true
    }

    static let loginEnded = (
        Decision(
            check: "authentication", outcome: .refuse,
            summary: "The account was suspended or removed, or the password that was used was changed or revoked.",
            reference: "RFC 4954 §4", remedy: "log in again"),
        SMTPReply(550, EnhancedStatus(5, 7, 1), "Your login is no longer valid")
    )

    func decideSender(_ path: ReversePath, _ parameters: MailParameters) -> SMTPReply {
        var envelope = Envelope(reversePath: path, parameters: parameters)
        if service.role == .submission, let account {
            var sender: EmailAddress?
            if case .address(let address) = path { sender = address }
            let decision = SubmissionPolicy.decideSender(
                sender, of: SubmissionPolicy.Sender(account), in: service.lookup)
            if decision.outcome != .pass {
                return refuse(
                    decision, SMTPReply(553, EnhancedStatus(5, 7, 1), "<\(path.text)>: not an address of yours"),
                    sender: path, recipients: [])
            }
            envelope.decisions.append(decision)
        }
        self.envelope = envelope
        return Self.senderOK
    }

    func decideRecipient(_ path: ForwardPath, _ parameters: RecipientParameters) -> SMTPReply {
        guard var envelope else { return SMTPReply(503, EnhancedStatus(5, 5, 1), "MAIL comes first") }
        let address: EmailAddress
        switch path {
        case .address(let given):
            // RFC 1123 §5.2.17: our own address in brackets is a name of ours.
            guard case .literal(let literal) = given.host, connection.isLocal(Self.numeric(literal)) else {
                address = given
                break
            }
            guard let own = ownAddress(given.localPart) else { return noDomain(path, envelope) }
            address = own
        case .postmaster:
            // RFC 5321 §4.1.1.3: without a domain it is the server's own.
            guard let own = ownAddress("postmaster") else { return noDomain(path, envelope) }
            address = own
        }
        let text = address.description
        let lookup = service.lookup
        var resolution = RecipientResolver().resolve(address, in: lookup)
        let sender = envelope.reversePath
        if let rewriting = service.configuration.outbound?.senderRewriting, SenderRewriting.isRewritten(address),
            resolution.outcome == .unknownUser || address.domain == rewriting.domain
        {
            return decideReturn(address, rewriting, envelope)
        }
        switch resolution.outcome {
        case .notLocal:
            guard service.role == .submission, account != nil, service.configuration.outbound != nil else {
                return refuseOutside(address, resolution.decision, sender: sender)
            }
            resolution.outside = [address]
            resolution.decision.summary = "The address is another server's; the message goes there for a user of ours."
            resolution.decision.outcome = .pass
        case .unknownUser:
            return refuse(
                resolution.decision, SMTPReply(550, EnhancedStatus(5, 1, 1), "<\(text)>: no such user here"),
                sender: sender, recipients: [text])
        case .brokenAlias:
            return refuse(
                resolution.decision, SMTPReply(451, EnhancedStatus(4, 2, 4), "<\(text)>: the list cannot be expanded"),
                sender: sender,
                recipients: [text])
        case .found: break
        }
        guard resolution.outside.isEmpty || service.configuration.outbound != nil else {
            let decision = Decision(
                check: "recipient", outcome: .refuse,
                summary: "The alias leads to another server, and this server sends nothing out.",
                evidence: resolution.outside.prefix(5).map { .init("target", $0.description) },
                remedy: "let the alias name local addresses only, or set queue.enabled")
            return refuse(
                decision, SMTPReply(550, EnhancedStatus(5, 7, 1), "<\(text)>: nothing is sent to other servers here"),
                sender: sender, recipients: [text])
        }
        guard !resolution.targets.isEmpty || !resolution.outside.isEmpty else {
            return refuse(
                Decision(
                    check: "recipient", outcome: .refuse,
                    summary: "The alias reaches nobody: its members point at each other.",
                    evidence: [.init("recipient", text)], remedy: "mend it with `martlet alias add`"),
                SMTPReply(550, EnhancedStatus(5, 1, 1), "<\(text)>: the list has no members"), sender: sender,
                recipients: [text])
        }
        let size = envelope.parameters.size ?? 1
        if resolution.outside.isEmpty,
            let decision = quotaDecision(resolution.targets.map { ($0.account, $0.address, size) })
        {
            return refuse(
                decision, SMTPReply(452, EnhancedStatus(4, 2, 2), "<\(text)>: mailbox full"), sender: sender,
                recipients: [text])
        }
        envelope.recipients.append(
            DeliveryPlan.Recipient(
                text: text, targets: resolution.targets, outside: resolution.outside,
                forwarder: resolution.outcome == .notLocal ? nil : address, notify: parameters.notify,
                originalRecipient: parameters.originalRecipient))
        envelope.decisions.append(resolution.decision)
        self.envelope = envelope
        return Self.recipientOK
    }

    /// An address in the first of the local domains, which stands for the server itself.
    private func ownAddress(_ localPart: String) -> EmailAddress? {
        service.store.domains().map(\.domain).min().flatMap { EmailAddress(localPart: localPart, domain: $0) }
    }

    /// The address in a literal (RFC 5321 §4.1.3), which `EmailAddress` keeps in lower case.
    private static func numeric(_ literal: String) -> String {
        literal.hasPrefix("ipv6:") ? String(literal.dropFirst(5)) : literal
    }

    private func noDomain(_ path: ForwardPath, _ envelope: Envelope) -> SMTPReply {
        refuse(
            Decision(
                check: "recipient", outcome: .refuse, summary: "No domain is served here yet.",
                reference: "RFC 5321 §4.1.1.3", remedy: "add one with `martlet domain add`"),
            SMTPReply(550, EnhancedStatus(5, 1, 1), "No domain is served here yet"), sender: envelope.reversePath,
            recipients: [path.text])
    }

    /// An address of another server: never relayed for strangers.
    private func refuseOutside(_ address: EmailAddress, _ found: Decision, sender: ReversePath) -> SMTPReply {
        let text = address.description
        guard service.role == .submission, account != nil else {
            return refuse(
                found, SMTPReply(550, EnhancedStatus(5, 7, 1), "<\(text)>: relaying denied"), sender: sender,
                recipients: [text])
        }
        let decision = Decision(
            check: "recipient", outcome: .refuse,
            summary: "The address is another server's, and this server sends nothing out.",
            evidence: [.init("recipient", text)], remedy: "set queue.enabled")
        return refuse(
            decision,
            SMTPReply(550, EnhancedStatus(5, 7, 1), "<\(text)>: nothing is sent to other servers here"),
            sender: sender,
            recipients: [text])
    }

    /// A notice to a sender whose address we rewrote when we forwarded its mail.
    private func decideReturn(
        _ address: EmailAddress, _ rewriting: SenderRewriting, _ envelope: Envelope
    ) -> SMTPReply {
        var envelope = envelope
        let text = address.description
        let (decision, sender) = rewriting.decideRecipient(address, from: envelope.sender, at: service.clock.now())
        guard let sender else {
            return refuse(
                decision, SMTPReply(550, EnhancedStatus(5, 1, 1), "<\(text)>: no such user here"),
                sender: envelope.reversePath, recipients: [text])
        }
        envelope.recipients.append(
            DeliveryPlan.Recipient(text: text, targets: [], outside: [sender], notify: []))
        envelope.decisions.append(decision)
        self.envelope = envelope
        return Self.recipientOK
    }

    /// Refuses when none of the accounts has room for its copy. One that is gone is for the store to find.
    func quotaDecision(_ targets: [(account: AccountID, address: EmailAddress, size: Int)]) -> Decision? {
        var evidence: [Decision.Evidence] = []
        for target in targets {
            guard let account = service.store.account(target.account), let quota = account.quota,
                account.usedBytes + Int64(target.size) > quota
            else { return nil }
            evidence.append(.init("quota of \(target.address)", "\(account.usedBytes) of \(quota) octets used"))
        }
        return Decision(
            check: "quota", outcome: .defer, summary: "The mailbox has no room for this message.", evidence: evidence,
            reference: "RFC 5321 §4.2.3", remedy: "delete mail, or raise the quota with `martlet account set --quota`")
    }

    /// Records what the protocol itself refuses at MAIL and RCPT.
    func refuseEnvelope(_ reply: SMTPReply, _ refusal: EnvelopeRefusal) -> SMTPReply {
        let decision =
            switch refusal.reason {
            case .authenticationRequired:
                Decision(
                    check: "authentication", outcome: .refuse, summary: "This service takes mail after a login only.",
                    reference: "RFC 4954 §6", remedy: "log in with AUTH, after STARTTLS where it is offered")
            case .declaredTooLarge(let size, let limit):
                Decision(
                    check: "size", outcome: .refuse, summary: "The message is larger than \(limit) octets.",
                    evidence: [.init("declared size", "\(size)")], reference: "RFC 1870 §6.1",
                    remedy: "send a smaller one, or raise smtp.max-message-size")
            case .tooManyRecipients(let limit):
                Decision(
                    check: "recipients", outcome: .defer, summary: "The message has more than \(limit) recipients.",
                    reference: "RFC 5321 §4.5.3.1.10",
                    remedy: "send to the others in another message, or raise smtp.max-recipients")
            case .needsSMTPUTF8:
                Decision(
                    check: "envelope", outcome: .refuse,
                    summary: "An address is not ASCII, and MAIL did not say SMTPUTF8.", reference: "RFC 6531 §3.5",
                    remedy: "the sending program has to add SMTPUTF8 to MAIL")
            case .malformed:
                Decision(
                    check: "envelope", outcome: .refuse,
                    summary: "\(refusal.recipient == nil ? "MAIL" : "RCPT") was not to be understood.",
                    reference: "RFC 5321 §4.1.1", remedy: "mend the sending program")
            }
        return refuse(
            decision, reply, senderText: refusal.sender, recipients: refusal.recipient.map { [$0] } ?? [])
    }

    /// Whose budget of records a refusal is charged to.
    var network: PeerNetwork { PeerNetwork(connection.peerAddress) }

    /// Writes the refusal's record and gives the reply with its code.
    func refuse(_ decision: Decision, _ reply: SMTPReply, sender: ReversePath, recipients: [String]) -> SMTPReply {
        refuse(decision, reply, senderText: sender.text, recipients: recipients)
    }

    private func refuse(
        _ decision: Decision, _ reply: SMTPReply, senderText: String?, recipients: [String]
    ) -> SMTPReply {
        let now = service.clock.now()
        let code = service.authenticator.codes.next(at: now)
        var reply = reply
        var decision = decision
        // The resolver's word for an unknown user is the same for all; what the peer was told is the session's.
        decision.outcome = reply.code >= 500 ? .refuse : .defer
        service.metrics.envelopes.add(to: .init(code: reply.code))
        let written = service.writeRefusal(
            Record(
                code: code, kind: .refusal, at: now, service: connection.service, peer: peer(), sender: senderText,
                recipients: recipients,
                decisions: [decision], reply: reply.description), of: network)
        reply.lines[reply.lines.count - 1] += SMTPService.mention(written)
        service.logger.info(
            "refused",
            metadata: [
                "code": "\(written?.description ?? "none")", "peer": "\(connection.peerAddress)",
                "check": "\(decision.check)",
                "status": "\(reply.code)",
            ])
        return reply
    }

    private static let senderOK = SMTPReply(250, EnhancedStatus(2, 1, 0), "Sender ok")
    private static let recipientOK = SMTPReply(250, EnhancedStatus(2, 1, 5), "Recipient ok")

    func traceFields(_ envelope: Envelope, code: LookupCode, now: Instant) -> TraceFields {
        TraceFields(
            role: service.role, clientName: session.clientName ?? "unknown", usesExtensions: session.usesExtensions,
            peerAddress: connection.peerAddress, tls: connection.tls, isAuthenticated: account != nil,
            usesSMTPUTF8: envelope.parameters.usesSMTPUTF8, hostname: service.configuration.hostname, code: code,
            onlyRecipient: envelope.recipients.count == 1 ? envelope.recipients[0].text : nil, now: now)
    }
}

extension SubmissionPolicy.Sender {
    init(_ account: AuthenticatedAccount) {
        self.init(account: account.id, address: account.address, login: account.login)
    }
}

extension TraceFields {
    var date: String { MailDate(instant: now).description }
}
