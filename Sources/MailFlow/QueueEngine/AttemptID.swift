/// Names a piece of leased work within this process.
public struct AttemptID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (left: AttemptID, right: AttemptID) -> Bool { left.value < right.value }
    public var description: String { "\(value)" }
}
