/// What the framer has found in the bytes that arrived.
public enum FramerEvent: Sendable, Equatable {
    /// Nothing more to do until bytes arrive, or until `acceptMessage`/`refuseMessage` after `.message`.
    case needMore
    /// A complete command with its literals in place (`{n}` CRLF and the octets), without its last CRLF. For `CommandParser.parse`.
    case command([UInt8])
    /// The client waits: send a continuation request (`ResponseWriter.continuation`) and flush.
    case continuation
    /// APPEND announces a message. `head` is the command up to and with `{n}`, for `CommandParser.parse` (the first message)
    /// or, when `isFirst` is false, ` (flags) "date" {n}` for `CommandParser.parseNextMessage`.
    /// Nothing of the message has been read; call `acceptMessage` or `refuseMessage` and go on with `next`.
    case message(head: [UInt8], isFirst: Bool)
    /// Octets of the accepted message, in order.
    case messageBytes([UInt8])
    /// All of the message's octets have been given.
    case messageEnd
    /// The APPEND is complete. Not well formed means that something else than another message followed: answer BAD, append nothing.
    case appendEnd(isWellFormed: Bool)
    /// A line in continuation mode (AUTHENTICATE's response, IDLE's DONE), without CRLF.
    case line([UInt8])
    /// A literal of a command (not APPEND's message) is over a limit. Refused before an octet of it is read: answer
    /// `tag NO [TOOBIG]`, or `* BAD` without a tag. What the client sends of it all the same is read past.
    case literalTooLarge(tag: String?)
    /// No way to go on: answer `* BYE` with the reason and close. Everything that comes later is ignored.
    case failed(FramerFailure)
}

public enum FramerFailure: Error, Sendable, Equatable {
    /// Longer than `IMAPLimits.lineBytes` (or `continuationBytes`).
    case lineTooLong
    /// LF without CR. RFC 9051 §2.2: lines end with CRLF. What follows it is never taken for a command.
    case bareLineFeed
    /// A refused non-synchronising literal is longer than `IMAPLimits.skippedBytes` (RFC 7888 §4, second way).
    case literalTooLarge
}
