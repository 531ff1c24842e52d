/// Where an import goes: an account, reached through the store or through a running server.
///
/// Used by one task. Messages gather in batches; a batch is durable when its outcome says so. Batches are committed in order, and
/// after one that failed none is.
public protocol ImportTarget: AnyObject {
    /// The account's mailboxes.
    func mailboxes() async throws(TransferError) -> [TransferMailbox]
    /// Messages that follow go to this mailbox, which is made when it does not exist. Not within a batch.
    func select(_ mailbox: TransferMailbox) async throws(TransferError)
    /// Octets of the message that is being sent.
    func append(_ bytes: [UInt8]) async throws(TransferError)
    /// The message is whole.
    func endMessage(_ head: MessageHead) async throws(TransferError)
    /// What was sent since the last message is for nothing.
    func discardMessage() async throws(TransferError)
    /// Sends the batch on its way.
    func endBatch() async throws(TransferError)
    /// Waits for the oldest batch whose outcome was not told yet.
    func outcome() async throws(TransferError) -> BatchOutcome
}

/// What became of the messages of a batch.
public struct BatchOutcome: Sendable, Hashable, Codable {
    public var stored: Int
    /// In the mailbox already.
    public var duplicates: Int
    /// Octets of the stored ones.
    public var octets: Int64

    public init(stored: Int = 0, duplicates: Int = 0, octets: Int64 = 0) {
        self.stored = stored
        self.duplicates = duplicates
        self.octets = octets
    }
}

/// How much goes in one batch, and how many are on their way.
public enum BatchLimits {
    public static let messages = 256
    /// Octets; a larger message goes alone.
    public static let octets: Int64 = 2 << 20
    /// Batches whose outcome is waited for.
    public static let onTheWay = 3
    /// Messages that a batch may have at the other end of a control socket.
    public static let maximumMessages = 4_096
}
