internal import MartletBytes
internal import MartletCore

/// The part for people: what happened, to whom, why, and what to do next.
extension DeliveryNotice {
    /// Columns of a line of words.
    private static let columns = 72
    /// Scalars of a reply that are quoted.
    private static let maximumQuote = 1_000
    /// Scalars of the subject that are quoted.
    private static let maximumSubject = 200

    var subject: String {
        let failed = recipients.filter { $0.outcome == .failed }
        if let first = failed.first {
            return failed.count == 1
                ? "Your message to \(Self.display(first.address)) was not delivered"
                : "Your message was not delivered to \(failed.count) recipients"
        }
        let delayed = recipients.filter { $0.action == .delayed }
        if let first = delayed.first {
            return delayed.count == 1
                ? "Your message to \(Self.display(first.address)) is delayed"
                : "Your message to \(delayed.count) recipients is delayed"
        }
        let verb = recipients.allSatisfy { $0.outcome == .delivered } ? "was delivered" : "was passed on"
        return recipients.count == 1
            ? "Your message to \(Self.display(recipients[0].address)) \(verb)"
            : "Your message to \(recipients.count) recipients \(verb)"
    }

    /// The whole text, lines ended by LF.
    func words(at now: Instant, returned: Part?) -> String {
        var page = Page()
        page.paragraph(
            "This is the mail server \(PeerText.oneLine(reportingHost)). It writes to you about a message of yours.")
        if let title = originalSubject { page.indented("Subject: \(title)") }
        page.indented("Received here: \(Self.date(arrival).description)")
        page.blank()
        var namesLeft = Self.maximumNamedRecipients
        for action in [DeliveryStatusReport.Action.failed, .delayed, .delivered, .expanded, .relayed] {
            let those = recipients.filter { $0.action == action }
            if !those.isEmpty { tell(those, action, at: now, &page, &namesLeft) }
        }
        page.paragraph(
            returned.map {
                $0.isWhole
                    ? "Your message is attached, and so are the details for programs."
                    : "The header of your message is attached, and so are the details for programs."
            } ?? "The details for programs are attached.")
        page.paragraph(
            "If you need help, write to \(Self.display(contact)) and give this code: \(PeerText.oneLine(lookupCode)). "
                + "With it the administrator finds everything that was done with your message.")
        return page.text
    }

    private var originalSubject: String? {
        original.bytes.withUnsafeBytes { bytes in
            let limited = bytes.clamped(0..<min(bytes.count, Self.maximumReturnedHeader))
            let fields = HeaderFields(limited, in: 0..<limited.count)
            for field in fields where fields.isNamed(field, "subject") {
                let text = PeerText.oneLine(EncodedWord.decode(fields.unfolded(field)), limit: Self.maximumSubject)
                return text.isEmpty ? nil : text
            }
            return nil
        }
    }

    // MARK: Recipients

    /// Recipients with one thing in common to tell.
    private struct Reason: Hashable {
        var host: String?
        var reply: String?
        var domain: String
        var status: EnhancedStatus
        var until: Instant?
    }

    private func tell(
        _ recipients: [Recipient], _ action: DeliveryStatusReport.Action, at now: Instant, _ page: inout Page,
        _ namesLeft: inout Int
    ) {
        let one = recipients.count == 1
        switch action {
        case .failed:
            page.paragraph(
                "It could not be delivered to \(one ? "this address" : "these addresses"), and will not be tried again:"
            )
        case .delayed:
            page.paragraph(
                "It has not reached \(one ? "this address" : "these addresses") yet. We go on trying, and you need not "
                    + "do anything: do not send it again.")
        case .delivered: page.paragraph("It was delivered into \(one ? "the mailbox" : "the mailboxes") of:")
        case .expanded:
            page.paragraph(
                "It has arrived at \(one ? "this address" : "these addresses"), behind which there are others. "
                    + "It was sent on to them:")
        case .relayed:
            page.paragraph(
                "It was passed on for \(one ? "this address" : "these addresses") to a server that took it over, but "
                    + "does not tell when it has arrived. You will hear more only if it fails:")
        }
        var order: [Reason] = []
        var groups: [Reason: [Recipient]] = [:]
        for recipient in recipients {
            let reason = reason(of: recipient, action)
            if groups[reason] == nil { order.append(reason) }
            groups[reason, default: []].append(recipient)
        }
        for (index, reason) in order.enumerated() {
            let members = groups[reason] ?? []
            guard index < Self.maximumExplanations, namesLeft > 0 else {
                let left = order[index...].reduce(0) { $0 + (groups[$1]?.count ?? 0) }
                page.paragraph("And \(left) more, which the attached report names.")
                return
            }
            for member in members.prefix(namesLeft) {
                let forwarded = member.forwardedTo.map { " (sent on to \(Self.display($0)))" } ?? ""
                page.indented(Self.display(member.address) + forwarded)
            }
            if members.count > namesLeft {
                page.indented("and \(members.count - namesLeft) more, which the report names")
            }
            namesLeft = max(0, namesLeft - members.count)
            page.blank()
            explain(reason, action, at: now, &page)
        }
    }

    private func reason(of recipient: Recipient, _ action: DeliveryStatusReport.Action) -> Reason {
        var reason = Reason(
            host: recipient.remoteHost.map { PeerText.oneLine($0, limit: 255) },
            reply: recipient.reply.map { PeerText.oneLine($0, limit: Self.maximumQuote) }.flatMap {
                $0.isEmpty ? nil : $0
            },
            domain: Self.displayHost((recipient.forwardedTo ?? recipient.address).host),
            status: recipient.reportedStatus)
        if case .delayed(let until) = recipient.outcome { reason.until = until }
        // A success needs no reasons: all of them together.
        if action == .delivered || action == .expanded { reason = Reason(domain: "", status: EnhancedStatus(2, 0, 0)) }
        if action == .relayed {
            reason.reply = nil
            reason.domain = ""
        }
        return reason
    }

    private func explain(_ reason: Reason, _ action: DeliveryStatusReport.Action, at now: Instant, _ page: inout Page) {
        switch action {
        case .delivered, .expanded: return
        case .relayed:
            if let host = reason.host { page.paragraph("The server that took it over is \(host).") }
        case .failed, .delayed:
            let why = DeliveryReason(status: reason.status, reply: reason.reply)
            page.paragraph(
                "Why: \(why.explanation(domain: reason.domain, host: reason.host)) \(waited(why, reason, now))")
            if let reply = reason.reply {
                let isReply = ReplyCode(reply) != nil
                page.paragraph(isReply ? "The answer\(reason.host.map { " of \($0)" } ?? "") was:" : "What was seen:")
                page.indented(reply)
                page.blank()
            }
            if let until = reason.until {
                let rest = Self.duration(until - now).map { ", for another \($0)" } ?? ""
                page.paragraph(
                    "We go on trying until \(Self.date(until).description)\(rest). If it fails then, you will be told.")
            } else {
                page.paragraph("What you can do: \(why.advice)")
            }
        }
    }

    /// For how long it was tried, where that is the point.
    private func waited(_ why: DeliveryReason, _ reason: Reason, _ now: Instant) -> String {
        guard reason.status.category == 4, let time = Self.duration(now - arrival) else { return "" }
        return reason.until == nil ? "It was tried for \(time)." : "It has been tried for \(time)."
    }

    // MARK: Forms for people

    /// An address with its domain in the letters that people know.
    static func display(_ address: EmailAddress) -> String {
        let text = address.description
        guard case .domain(let domain) = address.host, let at = text.lastIndex(of: "@") else {
            return PeerText.oneLine(text)
        }
        return PeerText.oneLine("\(text[..<at])@\(domain.unicode)")
    }

    private static func displayHost(_ host: EmailAddress.Host) -> String {
        switch host {
        case .domain(let domain): PeerText.oneLine(domain.unicode)
        case .literal(let literal): "[\(literal)]"
        }
    }

    /// `5 minutes`, `4 hours`, `3 days`; nil below a minute.
    static func duration(_ duration: Duration) -> String? {
        let minutes = duration.components.seconds / 60
        func count(_ number: Int64, _ unit: String) -> String { "\(number) \(unit)\(number == 1 ? "" : "s")" }
        if minutes < 1 { return nil }
        if minutes < 120 { return count(minutes, "minute") }
        if minutes < 48 * 60 { return count(minutes / 60, "hour") }
        return count(minutes / 1_440, "day")
    }

    /// Text in lines of `columns`; words are kept whole.
    private struct Page {
        private(set) var text = ""

        mutating func blank() { text += "\n" }

        mutating func paragraph(_ words: String) {
            wrap(words, indent: "")
            blank()
        }

        mutating func indented(_ words: String) { wrap(words, indent: "    ") }

        private mutating func wrap(_ words: String, indent: String) {
            var line = ""
            var width = 0
            for word in words.split(separator: " ") {
                let length = word.unicodeScalars.count
                if width > 0, indent.utf8.count + width + 1 + length > DeliveryNotice.columns {
                    text += "\(indent)\(line)\n"
                    line = ""
                    width = 0
                }
                line += width == 0 ? String(word) : " \(word)"
                width += length + (width == 0 ? 0 : 1)
            }
            if width > 0 { text += "\(indent)\(line)\n" }
        }
    }
}
