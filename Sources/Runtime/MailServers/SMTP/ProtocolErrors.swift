internal import MartletCore
internal import Records

/// Commands of one connection that were refused for their form or their order: one decision tells of all.
struct ProtocolErrors {
    /// Replies that the decision quotes.
    static let maximumQuoted = 5

    private var count = 0
    private var first: [String] = []

    mutating func note(_ reply: SMTPReply) {
        // Recipients beyond the limit are no error, and their first has its record.
        guard reply.code >= 500 else { return }
        count += 1
        if first.count < ProtocolErrors.maximumQuoted { first.append(reply.description) }
    }

    /// What there is to tell since the last time; nil for nearly every connection.
    mutating func take() -> Decision? {
        guard count > 0 else { return nil }
        defer { self = ProtocolErrors() }
        let summary =
            count == 1
            ? "A command was refused for its form or its order."
            : "\(count) commands were refused for their form or their order."
        return Decision(
            check: "protocol", outcome: .refuse, summary: summary, evidence: first.map { .init("reply", $0) },
            reference: "RFC 5321 §4.2.4", remedy: "mend the program that talks to this server")
    }
}
