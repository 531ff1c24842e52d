public import MartletCore

/// A SEARCH made ready for one mailbox at one moment: names are bits, sets are positions, texts are folded, cheap keys come first.
///
/// The shell evaluates with what it has. `.needs(tier)` asks for more: so a whole mailbox is first judged by its index, the
/// undecided messages by their summaries, and only what is left by reading them (RFC 9051 §6.4.4).
public struct SearchProgram: Sendable {
    /// What the program is made for.
    public struct Context: Sendable {
        /// The mailbox's UIDs, ascending.
        public var uids: [UInt32]
        public var keywords: [String]
        /// UIDs of `$`, ascending.
        public var saved: [UInt32]
        /// For OLDER and YOUNGER.
        public var now: Instant
        public init(uids: [UInt32], keywords: [String], saved: [UInt32] = [], now: Instant) {
            self.uids = uids
            self.keywords = keywords
            self.saved = saved
            self.now = now
        }
    }

    let root: Node
    /// The positions that can match at all: what sets at the top of the search leave. Others need not be looked at.
    public let candidates: PositionSet
    /// The dearest facts that messages need. One whose summary was cut can need its header where this is `.summary`.
    public let tier: SearchTier

    public init(_ key: SearchKey, in context: Context) {
        root = Node(key, context)
        tier = root.tier
        let everything = PositionSet([0..<context.uids.count])
        candidates = root.bounds.map { everything.intersection($0) } ?? everything
    }

    /// Whether every candidate matches without being looked at.
    public var matchesAllCandidates: Bool {
        switch root {
        case .constant(true), .positions: true
        default: false
        }
    }

    /// - Parameters: facts, as far as they are known. A tier that was given is never asked for again.
    public func evaluate(
        _ index: IndexFacts, summary: SummaryFacts? = nil, header: HeaderFacts? = nil, text: TextFacts? = nil
    ) -> SearchVerdict {
        root.evaluate(Facts(index: index, summary: summary, header: header, text: text))
    }

    struct Facts {
        let index: IndexFacts
        let summary: SummaryFacts?
        let header: HeaderFacts?
        let text: TextFacts?
    }
}
