public import MailStore

/// Where an import comes from. Used by one task.
public protocol ImportSource: AnyObject {
    /// What it is, for state files and messages: `mbox /home/anna/mail`.
    var name: String { get }
    /// The folders, in the order in which they are read.
    func folders() async throws(TransferError) -> [SourceFolder]
    /// Begins to read a folder.
    ///
    /// - Parameter position: where an earlier import was; nil for the beginning. One that no longer fits counts as nil.
    func open(_ folder: SourceFolder, at position: String?) async throws(TransferError)
    func next() async throws(TransferError) -> SourceEvent
    /// Octets of the open folder that are read.
    var octetsRead: Int64 { get }
    /// Lets go of what is open.
    func close() async
}

/// A folder of a source.
public struct SourceFolder: Sendable, Hashable {
    /// With `/` between levels; `INBOX` for the one at the root.
    public var name: String
    /// What the source says of its purpose.
    public var use: SpecialUse?
    /// Octets and messages as far as they are known before it is read.
    public var octets: Int64?
    public var messages: Int?
    /// How the source finds it: a path, a name on the wire.
    public var place: [UInt8]

    public init(
        name: String, use: SpecialUse? = nil, octets: Int64? = nil, messages: Int? = nil, place: [UInt8]
    ) {
        self.name = name
        self.use = use
        self.octets = octets
        self.messages = messages
        self.place = place
    }
}

/// What a source finds, in order.
public enum SourceEvent: Sendable, Hashable {
    /// Octets of a message with CRLF line ends.
    case content([UInt8])
    /// The message is whole; when it is stored, reading may go on at `position`.
    case message(MessageHead, position: String)
    /// The content since the last message is no message: it comes again, or cannot be had.
    case discard
    /// Something that is no message to the source or cannot be read; it is not imported. A sentence.
    case notImported(String)
    /// Something that is wrong with a message that is imported all the same, or is no mail. A sentence.
    case note(String)
    /// The folder is over.
    case end
}
