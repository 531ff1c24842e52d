/// The double-entry account of all mail: what was taken on one side, what became of it on the other.
///
/// The unit is one recipient of one message as accepted in RCPT, after expansion: a message to an alias of three people
/// that is accepted is three. Written in the transaction that makes the change.
public struct Ledger: Sendable, Hashable {
    public enum Entry: String, Sendable, Hashable, CaseIterable {
        case accepted
        case delivered
        case relayed
        case bounced
        case queued
        case discarded
    }

    public var counts: [Entry: Int64]

    public init(counts: [Entry: Int64] = [:]) { self.counts = counts }

    public subscript(entry: Entry) -> Int64 {
        get { counts[entry] ?? 0 }
        set { counts[entry] = newValue }
    }

    /// What was taken less what is accounted for. Zero when the ledger holds.
    public var drift: Int64 {
        self[.accepted] - self[.delivered] - self[.relayed] - self[.bounced] - self[.queued] - self[.discarded]
    }

    /// accepted = delivered + relayed + bounced + queued + discarded.
    public var holds: Bool { drift == 0 }
}
