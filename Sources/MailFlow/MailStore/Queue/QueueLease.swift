public import Records

/// Recipients of one message that a process has leased.
public struct QueueLease: Sendable, Hashable {
    public var code: LookupCode
    /// Recipient numbers.
    public var numbers: [Int]
    /// Of the process; never 0.
    public var owner: Int64
    public init(code: LookupCode, numbers: [Int], owner: Int64) {
        self.code = code
        self.numbers = numbers
        self.owner = owner
    }
}
