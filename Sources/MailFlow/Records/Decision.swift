/// One decision with what it rests on (Docs/architecture.md): the unit of every explanation. Plain values, content-free.
public struct Decision: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// The check has no objection; the next one is asked.
        case pass
        /// Taken, with responsibility for it.
        case accept
        /// Refused for good (5yz).
        case refuse
        /// Refused for now (4yz).
        case `defer`
        /// Put into a mailbox.
        case deliver
        /// Put into the queue for another server.
        case queue
        /// Changed on the way: a header added, an alias expanded.
        case rewrite
        /// Thrown away by a rule that has a name.
        case discard
    }

    /// One thing that was known: `("recipient", "anna@example.test")`.
    public struct Evidence: Sendable, Hashable {
        public var name: String
        public var value: String
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Which check decided: `recipient`, `quota`, `sender`, `size`, `loop`, `authentication`, `delivery` …
    public var check: String
    public var outcome: Outcome
    /// One sentence in plain words.
    public var summary: String
    public var evidence: [Evidence]
    /// Where the rule stands: `RFC 5321 §3.6.2`.
    public var reference: String?
    /// What would have changed the outcome, as an instruction.
    public var remedy: String?

    public init(
        check: String, outcome: Outcome, summary: String, evidence: [Evidence] = [], reference: String? = nil,
        remedy: String? = nil
    ) {
        self.check = check
        self.outcome = outcome
        self.summary = summary
        self.evidence = evidence
        self.reference = reference
        self.remedy = remedy
    }
}
