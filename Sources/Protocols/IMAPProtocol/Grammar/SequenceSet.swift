/// A set of sequence numbers or UIDs as written (RFC 9051 §9 `sequence-set`, RFC 5182 `$`).
public enum SequenceSet: Sendable, Equatable {
    /// `$`: the result that SEARCH RETURN (SAVE) kept.
    case savedResult
    /// At least one.
    case ranges([SequenceRange])
}

/// `n`, `n:m` or with `*`. The ends may stand in either order (RFC 9051 §9 `seq-range`).
public struct SequenceRange: Sendable, Hashable {
    /// `*`, the largest number in use. No number is 0, so it can stand for it.
    public static let star: UInt32 = 0
    public var first: UInt32
    public var last: UInt32
    public init(_ first: UInt32, _ last: UInt32) {
        self.first = first
        self.last = last
    }
    public init(_ single: UInt32) { self.init(single, single) }
}
