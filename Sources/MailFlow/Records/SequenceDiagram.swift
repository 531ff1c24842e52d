/// The journey of a record as a picture of text: who said what to whom, top to bottom.
///
/// ```
/// 192.0.2.7            martlet              mailboxes
///     │  MAIL, RCPT, DATA  │                    │
///     │───────────────────▶│                    │
///     │                    │  commit: 2 copies  │
///     │                    │───────────────────▶│
/// ```
struct SequenceDiagram {
    private static let gap = 34
    private(set) var lines: [String] = []

    init(_ record: Record) {
        let peer = record.peer.login ?? record.peer.address
        let delivered = record.deliveries.filter { $0.outcome == .deliver }
        let hasMailboxes = !delivered.isEmpty
        header([peer, "martlet"] + (hasMailboxes ? ["mailboxes"] : []))
        let columns = hasMailboxes ? 3 : 2

        if let helo = record.peer.helo { arrow(from: 0, to: 1, "\(record.service): hello from \(helo)", columns) }
        if let tls = record.peer.tls { arrow(from: 0, to: 1, "TLS: \(tls.version)", columns) }
        if let login = record.peer.login, record.kind != .login { arrow(from: 0, to: 1, "AUTH as \(login)", columns) }
        if let sender = record.sender { arrow(from: 0, to: 1, "MAIL FROM:<\(sender)>", columns) }
        for recipient in record.recipients.prefix(4) { arrow(from: 0, to: 1, "RCPT TO:<\(recipient)>", columns) }
        if record.recipients.count > 4 { arrow(from: 0, to: 1, "… and \(record.recipients.count - 4) more", columns) }
        if record.kind == .message, let size = record.size { arrow(from: 0, to: 1, "message, \(size) octets", columns) }
        for decision in record.decisions where decision.outcome != .pass && decision.outcome != .deliver {
            note("\(decision.check): \(decision.outcome.rawValue)", columns)
        }
        for delivery in delivered.prefix(4) {
            arrow(from: 1, to: 2, "\(delivery.mailbox ?? "INBOX")\(delivery.uid.map { ", UID \($0)" } ?? "")", columns)
        }
        if delivered.count > 4 { arrow(from: 1, to: 2, "… and \(delivered.count - 4) more", columns) }
        if hasMailboxes { arrow(from: 2, to: 1, "durable: one commit", columns) }
        if let reply = record.reply { arrow(from: 1, to: 0, reply, columns) }
    }

    private mutating func header(_ names: [String]) {
        var line = ""
        for (index, name) in names.enumerated() {
            let target = index * (SequenceDiagram.gap + 1)
            line += String(repeating: " ", count: max(index == 0 ? 0 : 1, target - line.count))
            line += clipped(name, to: SequenceDiagram.gap - 2)
        }
        lines.append(line)
        lines.append(lifelines(names.count))
    }

    private func lifelines(_ columns: Int) -> String {
        (0..<columns).map { $0 == 0 ? "│" : String(repeating: " ", count: SequenceDiagram.gap) + "│" }.joined()
    }

    private mutating func arrow(from: Int, to: Int, _ label: String, _ columns: Int) {
        let left = min(from, to)
        lines.append(row(columns) { $0 == left ? padded(" " + clipped(label, to: SequenceDiagram.gap - 2)) : nil })
        let shaft = String(repeating: "─", count: SequenceDiagram.gap - 1)
        lines.append(row(columns) { $0 == left ? (from < to ? shaft + "▶" : "◀" + shaft) : nil })
    }

    /// A note at the server's own line.
    private mutating func note(_ text: String, _ columns: Int) {
        if columns > 2 {
            lines.append(row(columns) { $0 == 1 ? padded(" ■ " + clipped(text, to: SequenceDiagram.gap - 4)) : nil })
        } else {
            lines.append(lifelines(columns) + " ■ " + text)
        }
    }

    /// A line with the lifelines and, in the gaps, what `fill` gives.
    private func row(_ columns: Int, _ fill: (Int) -> String?) -> String {
        var line = "│"
        for gap in 0..<(columns - 1) {
            line += fill(gap) ?? String(repeating: " ", count: SequenceDiagram.gap)
            line += "│"
        }
        return line
    }

    private func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, SequenceDiagram.gap - text.count))
    }

    private func clipped(_ text: String, to width: Int) -> String {
        text.count <= width ? text : text.prefix(width - 1) + "…"
    }
}
