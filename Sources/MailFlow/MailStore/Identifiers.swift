/// An account's number. Every key of the store begins with it.
public struct AccountID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: Int64
    public init(_ value: Int64) { self.value = value }
    public static func < (left: AccountID, right: AccountID) -> Bool { left.value < right.value }
    public var description: String { "\(value)" }
}

/// A mailbox's number within its account. Never used again after the mailbox is deleted.
public struct MailboxID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: Int64
    public init(_ value: Int64) { self.value = value }
    public static func < (left: MailboxID, right: MailboxID) -> Bool { left.value < right.value }
    public var description: String { "\(value)" }
}

/// A mailbox of an account.
public struct MailboxKey: Sendable, Hashable, CustomStringConvertible {
    public let account: AccountID
    public let mailbox: MailboxID
    public init(account: AccountID, mailbox: MailboxID) {
        self.account = account
        self.mailbox = mailbox
    }
    public var description: String { "\(account)/\(mailbox)" }
}

/// The modification sequence of a message or mailbox (RFC 7162 §3.1): 1 and up, 63 bits.
public struct ModSeq: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: Int64
    public init(_ value: Int64) { self.value = value }
    public static func < (left: ModSeq, right: ModSeq) -> Bool { left.value < right.value }
    public var description: String { "\(value)" }
}

/// The name of a message's bytes: SHA-256 of them. Equal bytes are kept once.
public struct BlobID: Sendable, Hashable {
    /// 32 octets.
    public let bytes: [UInt8]
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        self.bytes = Array(bytes)
    }
}
