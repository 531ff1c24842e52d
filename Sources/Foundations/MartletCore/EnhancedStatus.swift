/// An enhanced mail system status code, `class.subject.detail` (RFC 3463, registry RFC 5248).
public struct EnhancedStatus: Sendable, Hashable, CustomStringConvertible {
    public let category: UInt8
    public let subject: UInt16
    public let detail: UInt16

    /// - Parameter category: 2 success, 4 persistent transient failure, 5 permanent failure.
    public init(_ category: UInt8, _ subject: UInt16, _ detail: UInt16) {
        precondition(category == 2 || category == 4 || category == 5, "RFC 3463 §3 knows the classes 2, 4 and 5")
        self.category = category
        self.subject = subject
        self.detail = detail
    }

    public var description: String { "\(category).\(subject).\(detail)" }
}
