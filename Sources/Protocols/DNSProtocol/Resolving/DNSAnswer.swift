/// What the DNS says to one question, with what is needed to judge it later: TTL and DNSSEC status (DESIGN.md §5).
///
/// `description` is its form as evidence of a decision: one printable line of bounded length.
public struct DNSAnswer: Sendable, Hashable, CustomStringConvertible {
    public enum Outcome: Sendable, Hashable {
        /// In the order in which they came; at least one.
        case records([DNSRecordData])
        /// NXDOMAIN: there is neither this name nor one below it (RFC 8020 §2).
        case noSuchName
        /// NODATA: the name exists, but has no record of the type (RFC 2308 §2.2).
        case noSuchRecords
        case failure(Failure)
    }

    /// Why there is no answer. All of them may pass.
    public enum Failure: Sendable, Hashable {
        case timeout
        /// SERVFAIL, or another code that says nothing of the name (RFC 1035 §4.1.1).
        case serverFailure
        case refused
        /// DNSSEC validation failed (RFC 4035 §4.3): somebody forges, or the zone is signed wrongly. With the validator's
        /// reason, which may quote the network.
        case bogus(String)
        /// More CNAMEs one behind the other than are followed, or a circle of them.
        case aliasChain
        /// Records came, and none of them can be read.
        case malformed
        /// Who asked no longer wants to know, or the resolver is closed.
        case cancelled

        /// Continues "the look-up".
        public var summary: String {
            switch self {
            case .timeout: "got no answer in time"
            case .serverFailure: "failed: SERVFAIL"
            case .refused: "was refused"
            case .bogus(let reason):
                reason.isEmpty ? "failed DNSSEC validation" : "failed DNSSEC validation: \(DNSAnswer.printable(reason))"
            case .aliasChain: "came to too many CNAMEs, one behind the other"
            case .malformed: "got records that cannot be read"
            case .cancelled: "was given up"
            }
        }
    }

    /// What DNSSEC says of the answer (RFC 4033 §5).
    public enum Security: String, Sendable, Hashable, CaseIterable {
        /// Signed, and each signature up to a trust anchor is right.
        case secure
        /// Proven to be unsigned, or answered without signatures.
        case insecure
        /// Signed, and wrong. Never used as an answer.
        case bogus
        /// Nothing is known: there is no trust anchor to judge by, or no answer.
        case indeterminate

        /// What can be said of something that rests on both.
        public func combined(with other: Security) -> Security {
            let order: [Security] = [.bogus, .indeterminate, .insecure, .secure]
            return order.first { $0 == self || $0 == other } ?? .indeterminate
        }
    }

    public var question: DNSQuestion
    public var outcome: Outcome
    /// Seconds for which it may be used again, also of `noSuchName` and `noSuchRecords`; 0 of a failure.
    public var ttl: UInt32
    public var security: Security
    /// Where the chain of CNAMEs ends; the name of the question where there is none.
    public var finalName: DNSName
    /// Records that came and cannot be read.
    public var unreadable: Int

    public init(
        question: DNSQuestion, outcome: Outcome, ttl: UInt32 = 0, security: Security = .indeterminate,
        finalName: DNSName? = nil, unreadable: Int = 0
    ) {
        self.question = question
        self.outcome = outcome
        self.ttl = ttl
        self.security = if case .failure(.bogus) = outcome { .bogus } else { security }
        self.finalName = finalName ?? question.name
        self.unreadable = unreadable
    }

    /// Those that came; none of the other outcomes.
    public var records: [DNSRecordData] {
        if case .records(let records) = outcome { return records }
        return []
    }

    public var failure: Failure? {
        if case .failure(let failure) = outcome { return failure }
        return nil
    }

    public var isAlias: Bool { finalName != question.name }

    /// Records, and characters of each, that `description` has.
    static let describedRecords = 20
    static let describedLength = 300

    /// `10 mx1.test., 20 mx2.test. (TTL 300, secure)`; `NXDOMAIN (TTL 60, insecure)`; `the look-up got no answer in time`.
    public var description: String {
        let told: String
        switch outcome {
        case .records(let records):
            let shown = records.prefix(DNSAnswer.describedRecords).map {
                let text = $0.description
                return text.utf8.count <= DNSAnswer.describedLength
                    ? text : String(text.prefix(DNSAnswer.describedLength)) + "..."
            }
            let more = records.count - shown.count
            told = shown.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
        case .noSuchName: told = "NXDOMAIN"
        case .noSuchRecords: told = "no \(question.type.name) record"
        case .failure(let failure): return "the look-up \(failure.summary)"
        }
        var notes = ["TTL \(ttl)", security.rawValue]
        if isAlias { notes.insert("by CNAME \(finalName)", at: 0) }
        if unreadable > 0 { notes.append("\(unreadable) unreadable") }
        return "\(told) (\(notes.joined(separator: ", ")))"
    }

    /// Text from a library or the network in one line of bounded length.
    static func printable(_ text: String) -> String {
        String(
            decoding: text.utf8.prefix(describedLength).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self)
    }
}
