internal import MartletBytes
public import MartletCore

extension DeliveryNotice {
    /// The machine's part.
    public var report: DeliveryStatusReport {
        DeliveryStatusReport(
            originalEnvelopeID: envelopeID.flatMap { $0.isEmpty ? nil : $0 },
            reportingMTA: .init(type: "dns", value: PeerText.oneLine(reportingHost)),
            // RFC 3464 §2.2.4: the name as given, and the address as a comment.
            receivedFromMTA: receivedFrom.map { from in
                let comment = from.address.map { " (\(PeerText.oneLine($0)))" } ?? ""
                return .init(type: "dns", value: PeerText.oneLine(from.name) + comment)
            },
            arrivalDate: Self.date(arrival),
            extensionFields: [.init(name: "X-Martlet-Record", value: PeerText.oneLine(lookupCode))],
            recipients: recipients.map(Self.report))
    }

    private static func report(_ recipient: Recipient) -> DeliveryStatusReport.Recipient {
        var report = DeliveryStatusReport.Recipient(
            originalRecipient: recipient.originalRecipient.flatMap { typed($0) },
            finalRecipient: .init(
                type: recipient.address.needsSMTPUTF8 ? "utf-8" : "rfc822", value: recipient.address.description),
            action: recipient.action, status: recipient.reportedStatus,
            remoteMTA: recipient.remoteHost.map { .init(type: "dns", value: PeerText.oneLine($0)) },
            lastAttemptDate: recipient.lastAttempt.map { date($0) })
        if let reply = recipient.reply.map({ PeerText.oneLine($0) }), !reply.isEmpty {
            // RFC 3461 §9.2: `smtp` is for replies; what kept a server from answering is none.
            report.diagnosticCode = .init(type: ReplyCode(reply) == nil ? "x-martlet" : "smtp", value: reply)
        }
        if case .delayed(let until) = recipient.outcome { report.willRetryUntil = date(until) }
        if let forwardedTo = recipient.forwardedTo {
            // RFC 3461 §6.3 (j).
            report.extensionFields.append(.init(name: "SMTP-Remote-Recipient", value: forwardedTo.description))
        }
        return report
    }

    /// `type;address`; nil when it has not both.
    private static func typed(_ text: String) -> DeliveryStatusReport.TypedValue? {
        guard let semicolon = text.utf8.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let type = text[..<semicolon].lowercased()
        let value = PeerText.oneLine(String(text[text.utf8.index(after: semicolon)...]), limit: 800)
        return type.isEmpty || value.isEmpty ? nil : .init(type: type, value: value)
    }

    /// Whole seconds, UTC.
    static func date(_ instant: Instant) -> MailDate { MailDate(instant: Instant(seconds: instant.seconds)) }
}

extension DeliveryNotice.Recipient {
    var action: DeliveryStatusReport.Action {
        switch outcome {
        case .failed: .failed
        case .delayed: .delayed
        case .relayed: .relayed
        case .delivered: .delivered
        case .expanded: .expanded
        }
    }

    /// The given code, else the reply's, else the one that says nothing; of a class that fits the outcome (RFC 3464
    /// §2.3.3: a failure may carry a code of class 4, whose time is over).
    var reportedStatus: EnhancedStatus {
        let code = reply.flatMap { ReplyCode(PeerText.oneLine($0)) }
        // What we found ourselves begins with its enhanced code: no server said a basic one.
        let known = status ?? code?.enhanced ?? reply.flatMap { ReplyCode.enhanced(in: Array($0.utf8)[...]) }
        switch outcome {
        case .failed:
            if let known, known.category != 2 { return known }
            return EnhancedStatus(code.map { $0.basic / 100 } == 4 ? 4 : 5, 0, 0)
        case .delayed:
            if let known, known.category != 2 { return EnhancedStatus(4, known.subject, known.detail) }
            return EnhancedStatus(4, 0, 0)
        case .relayed, .delivered, .expanded:
            if let known, known.category == 2 { return known }
            return EnhancedStatus(2, 0, 0)
        }
    }
}
