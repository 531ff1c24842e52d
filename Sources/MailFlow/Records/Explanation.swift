internal import MartletCore

/// A record told in words: what happened, why, and what would have changed it.
public enum Explanation {
    /// The whole story of a record: heading, sequence diagram, decisions in order. Lines end in LF; text that came from
    /// outside is escaped, so that a terminal is safe.
    public static func text(for record: Record) -> String {
        var lines: [String] = [headline(record), ""]
        lines += facts(record)
        lines += ["", "The journey:", ""]
        lines += SequenceDiagram(record).lines.map { "  " + $0 }
        if !record.decisions.isEmpty {
            lines += ["", "Why, in the order of the checks:", ""]
            for (number, decision) in record.decisions.enumerated() { lines += told(decision, number: number + 1) }
        }
        if !record.deliveries.isEmpty {
            lines += ["", "Where it went:", ""]
            lines += record.deliveries.map { "  " + told($0) }
        }
        for (number, attempt) in record.attempts.enumerated() { lines += told(attempt, number: number + 1) }
        return lines.map(printable).joined(separator: "\n") + "\n"
    }

    /// One line for lists: time, code, outcome, who to whom.
    public static func line(for record: Record) -> String {
        let sender = record.sender.map { $0.isEmpty ? "<>" : $0 } ?? "-"
        let recipients = record.recipients.isEmpty ? "-" : record.recipients.prefix(3).joined(separator: ", ")
        let more = record.recipients.count > 3 ? " and \(record.recipients.count - 3) more" : ""
        return printable("\(record.at)  \(record.code)  \(word(record))  \(sender) → \(recipients)\(more)")
    }

    /// One sentence with the outcome.
    static func headline(_ record: Record) -> String {
        let from = record.sender.map { $0.isEmpty ? "with the empty return path" : "from \($0)" }
        switch record.kind {
        case .message:
            let what = "Message \(record.messageID.map { "\($0) " } ?? "")\(from ?? "")"
            switch record.outcome {
            case .refuse: return "\(what) was refused for good."
            case .defer: return "\(what) was refused for now; the sender may try again."
            case .discard: return "\(what) was taken and thrown away by a rule."
            case .accept, .deliver, .queue, .rewrite, .pass: return "\(what) was accepted\(fate(record))."
            }
        case .refusal:
            let whom = record.recipients.first.map { "Recipient \($0)" } ?? "The sender \(record.sender ?? "")"
            return "\(whom) was refused\(record.outcome == .defer ? " for now" : "")."
        case .connection: return "The connection from \(record.peer.address) was refused or ended badly."
        case .login: return "A login\(record.peer.login.map { " as \($0)" } ?? "") from \(record.peer.address) failed."
        }
    }

    /// ` and delivered to 2 mailboxes; of 3 recipients elsewhere 1 was handed on, 1 bounced, 1 is still tried`.
    private static func fate(_ record: Record) -> String {
        let delivered = record.deliveries.count { $0.outcome == .deliver }
        let outside = record.deliveries.count { $0.outcome == .queue }
        var text = ""
        if delivered > 0 || outside == 0 {
            text = " and delivered to \(delivered) \(delivered == 1 ? "mailbox" : "mailboxes")"
        }
        guard outside > 0 else { return text }
        var last: [String: DeliveryAttempt.Recipient.Outcome] = [:]
        for recipient in record.attempts.flatMap(\.recipients) { last[recipient.address] = recipient.outcome }
        let relayed = last.values.count { $0 == .relayed }
        let failed = last.values.count { $0 == .failed }
        text += "; of \(outside) \(outside == 1 ? "recipient" : "recipients") elsewhere \(relayed) handed on"
        text += ", \(failed) failed, \(max(0, outside - relayed - failed)) waiting"
        return text
    }

    static func facts(_ record: Record) -> [String] {
        var facts: [(String, String)] = [
            ("record", record.code.description), ("time", record.at.description), ("service", record.service),
        ]
        var peer = record.peer.address
        if let helo = record.peer.helo { peer += ", calling itself \(helo)" }
        facts.append(("peer", peer))
        facts.append(("encryption", record.peer.tls.map { "\($0.version), \($0.cipher)" } ?? "none"))
        if let login = record.peer.login { facts.append(("login", login)) }
        if let sender = record.sender {
            facts.append(("sender", sender.isEmpty ? "<> (no return path: a bounce or a notice)" : sender))
        }
        if !record.recipients.isEmpty { facts.append(("recipients", record.recipients.joined(separator: ", "))) }
        if let id = record.messageID { facts.append(("message-id", id)) }
        if let size = record.size { facts.append(("size", "\(size) octets")) }
        if let reply = record.reply { facts.append(("we answered", reply)) }
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }
    }

    private static func told(_ decision: Decision, number: Int) -> [String] {
        var lines = ["  \(number). \(decision.check): \(decision.outcome.rawValue). \(decision.summary)"]
        for evidence in decision.evidence { lines.append("       \(evidence.name): \(evidence.value)") }
        if let reference = decision.reference { lines.append("       rule: \(reference)") }
        if let remedy = decision.remedy { lines.append("       what would change it: \(remedy)") }
        return lines
    }

    private static func told(_ delivery: Record.Delivery) -> String {
        var text = delivery.recipient
        if let final = delivery.finalAddress, final != delivery.recipient { text += " → \(final)" }
        if let mailbox = delivery.mailbox { text += " → mailbox \(mailbox)" }
        if let uid = delivery.uid { text += ", UID \(uid)" }
        return "\(text) (\(delivery.outcome.rawValue))"
    }

    private static func told(_ attempt: DeliveryAttempt, number: Int) -> [String] {
        var place = attempt.destination
        if let host = attempt.host { place += " by \(host)" }
        if let address = attempt.address { place += " [\(address)]" }
        let encryption = attempt.tls.map { "\($0.version), \($0.cipher)" } ?? "no encryption"
        var lines = ["", "Attempt \(number), \(attempt.at), to \(place), \(encryption):", ""]
        for recipient in attempt.recipients {
            var line = "  \(recipient.address): \(recipient.outcome.rawValue). \(recipient.reply)"
            if let next = recipient.nextAttempt { line += " Tried again at \(next)." }
            lines.append(line)
        }
        for decision in attempt.decisions {
            lines.append("  \(decision.check): \(decision.outcome.rawValue). \(decision.summary)")
            for evidence in decision.evidence { lines.append("       \(evidence.name): \(evidence.value)") }
        }
        lines += attempt.transcript.map { "    " + $0 }
        return lines
    }

    private static func word(_ record: Record) -> String {
        let outcome =
            switch record.outcome {
            case .pass: "passed"
            case .accept: "accepted"
            case .refuse: "refused"
            case .defer: "deferred"
            case .deliver: "delivered"
            case .queue: "queued"
            case .rewrite: "rewritten"
            case .discard: "discarded"
            }
        return "\(record.kind.rawValue) \(outcome)"
    }

    /// Control characters, which could drive a terminal, as `\u{1B}`; tabs and line ends too, since lines are ours.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control || isBidirectional($0) })
        else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.properties.generalCategory == .control || isBidirectional(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Characters that turn the reading direction around can make one address look like another.
    private static func isBidirectional(_ scalar: Unicode.Scalar) -> Bool {
        (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }
}
