/// When its sender wants to hear of a recipient (RFC 3461 §4.1). Empty: NEVER.
public struct NotifyConditions: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let success = NotifyConditions(rawValue: 1)
    public static let failure = NotifyConditions(rawValue: 2)
    public static let delay = NotifyConditions(rawValue: 4)
    /// What holds when nothing is said (RFC 3461 §4.1).
    public static let standard: NotifyConditions = [.failure, .delay]
}

/// What a message's content demands of a transport (RFC 6152, RFC 3030).
public enum BodyType: String, Sendable, Hashable {
    case sevenBit = "7BIT"
    case eightBitMIME = "8BITMIME"
    case binaryMIME = "BINARYMIME"
}

/// How much of the message a failure notice brings back (RFC 3461 §4.3).
public enum ReturnContent: String, Sendable, Hashable {
    case full = "FULL"
    case headers = "HDRS"
}
