public import MartletCore

/// A server's response as a client reads it (RFC 9051 §7, RFC 3501 §7): what copying mail needs, all else as `other`.
public enum ServerResponse: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable {
        case ok = "OK"
        case no = "NO"
        case bad = "BAD"
        case preauth = "PREAUTH"
        case bye = "BYE"
    }

    /// `* LIST (\Sent) "/" Name`
    public struct Listed: Sendable, Hashable {
        /// As written: `\Noselect`, `\Sent` …
        public var attributes: [String]
        /// nil: the name has no levels.
        public var delimiter: UInt8?
        /// As on the wire.
        public var name: [UInt8]
        public init(attributes: [String], delimiter: UInt8?, name: [UInt8]) {
            self.attributes = attributes
            self.delimiter = delimiter
            self.name = name
        }
    }

    /// `* 3 FETCH (…)`
    public struct Fetched: Sendable, Hashable {
        public enum Body: Sendable, Hashable {
            /// Not in this response.
            case absent
            /// NIL: the message is gone.
            case none
            /// It came as a string.
            case text([UInt8])
            /// It came in `body` events before.
            case streamed
        }
        public var sequenceNumber: UInt32
        public var uid: UInt32?
        /// System flags and keywords as written; nil when they are not told.
        public var flags: [String]?
        public var internalDate: Instant?
        public var body = Body.absent
        public init(sequenceNumber: UInt32) { self.sequenceNumber = sequenceNumber }
    }

    /// The end of the command with this tag.
    case tagged(tag: String, Status, code: [String], text: String)
    /// An untagged status: greeting, BYE, `* OK [UIDVALIDITY 1]`. The code's words, the first in capitals; empty for none.
    case status(Status, code: [String], text: String)
    /// `+ …`: the server waits.
    case continuation(text: String)
    /// In capitals.
    case capability([String])
    case list(Listed)
    case exists(UInt32)
    case expunge(UInt32)
    case fetch(Fetched)
    /// Well-formed or not, and of no interest.
    case other
}
