/// How a file tells its messages apart and quotes lines that begin with `From `.
public enum MboxVariant: String, Sendable, Hashable, CaseIterable {
    /// `Content-Length` counts where it is right, and then nothing is unquoted; elsewhere as in `mboxrd`.
    case automatic = "auto"
    /// `From ` in a body is written `>From `; what had one `>` before cannot be told.
    case mboxo
    /// Every `>…>From ` has got one more `>`: reversible.
    case mboxrd
    /// As `mboxo`, with `Content-Length`.
    case mboxcl
    /// `Content-Length` alone; nothing is quoted.
    case mboxcl2

    var usesContentLength: Bool { self == .automatic || self == .mboxcl || self == .mboxcl2 }
}

/// The beginning of a message in an mbox.
public struct MboxMessageHead: Sendable, Hashable {
    /// Where its From_ line begins in the file.
    public var offset: Int64
    public var line: FromLine
    public var flags: MailboxFlags
    public init(offset: Int64, line: FromLine, flags: MailboxFlags) {
        self.offset = offset
        self.line = line
        self.flags = flags
    }
}

/// What is wrong with a file, or was no mail in it. Reading goes on behind it.
public enum MboxDamage: Sendable, Hashable {
    /// Octets other than empty lines before the first From_ line; all of the file when it has none.
    case noFromLine(octets: Int64)
    /// A From_ line with nothing behind it.
    case emptyMessage
    /// `Content-Length` leads to no From_ line and not to the end of the file; From_ lines counted instead.
    case wrongContentLength(Int64)
    /// A From_ line that no empty line precedes: the message before it is probably cut off.
    case noEmptyLine
    /// NUL octets that were left out of the message.
    case nuls(Int64)
    /// The header is longer than `MboxDecoder.maximumHeader`; flags beyond that are not read.
    case longHeader
}

/// What an `MboxDecoder` finds, in the order of the file.
public enum MboxEvent: Sendable, Hashable {
    case began(MboxMessageHead)
    /// Octets of the message with CRLF line ends.
    case content([UInt8])
    /// The message is whole; the next one begins at `next` or later.
    case ended(next: Int64)
    /// Folder data of another program: no mail, left out.
    case folderData(next: Int64)
    case damage(MboxDamage, offset: Int64)
    /// The decoder wants to know what stands at `offset` of the file: answer with `probed`.
    case probe(offset: Int64)
}
