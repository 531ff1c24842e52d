/// Where an export comes from: an account, reached through the store or through a running server. Used by one task.
public protocol ExportSource: AnyObject {
    func mailboxes() async throws(TransferError) -> [TransferMailbox]
    /// Begins to read a mailbox: messages in the order of their UIDs.
    ///
    /// - Parameter position: decides, knowing UIDVALIDITY, above which UID messages are wanted; 0 for all.
    func open(_ mailbox: String, above position: (_ uidValidity: UInt32) throws(TransferError) -> UInt32)
        async throws(TransferError)
    func next() async throws(TransferError) -> ExportEvent
}

/// What an export reads, in order.
public enum ExportEvent: Sendable, Hashable {
    case message(MessageHead)
    case content([UInt8])
    case endMessage
    /// A message that cannot be read, or the rest of one; a sentence.
    case unreadable(String)
    /// The mailbox is over.
    case end
}

/// Where an export goes. Used by one task.
public protocol ExportSink: AnyObject {
    /// What it is: a path.
    var name: String { get }
    /// Begins a mailbox; nil when it is complete from an earlier run.
    ///
    /// - Returns: the highest UID that is there already from a run that was interrupted; 0 for none.
    func open(_ mailbox: String, uidValidity: UInt32) throws(TransferError) -> UInt32
    /// Where the open mailbox goes: a path.
    var target: String { get }
    func begin(_ head: MessageHead) throws(TransferError)
    func append(_ bytes: [UInt8]) throws(TransferError)
    func endMessage() throws(TransferError)
    /// The message that was begun is not to be.
    func discardMessage() throws(TransferError)
    /// The mailbox is whole: now it is durable.
    func endMailbox() throws(TransferError)
    /// Whether the mailbox was written by the run that is gone on with.
    func isDone(_ mailbox: String) -> Bool
    /// All is written.
    func finish() throws(TransferError)
    /// What could not be kept as it was, since the last call.
    func takeNotes() -> [String]
}
