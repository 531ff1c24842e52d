/// Reads the bytes of one command, as the framer gives them (RFC 9051 §9, RFC 3501 §9).
///
/// A value without state: the same bytes always give the same command. No Foundation, no allocation but for what the command
/// itself holds; time is linear in the bytes.
public struct CommandParser: Sendable {
    public var limits: IMAPLimits
    /// Mailbox names are UTF-8 and not modified UTF-7: after ENABLE IMAP4rev2 (RFC 9051 §5.1) or UTF8=ACCEPT (RFC 6855 §3).
    public var acceptsUTF8: Bool
    /// SEARCH may name a CHARSET: not after ENABLE UTF8=ACCEPT (RFC 6855 §3).
    public var allowsCharset = true
    /// Decodes SEARCH texts in charsets other than US-ASCII and UTF-8; nil for a charset that is not known.
    public var decodeCharset: (@Sendable (_ charset: String, _ bytes: [UInt8]) -> String?)?

    public init(
        limits: IMAPLimits = IMAPLimits(), acceptsUTF8: Bool = false,
        decodeCharset: (@Sendable (String, [UInt8]) -> String?)? = nil
    ) {
        self.limits = limits
        self.acceptsUTF8 = acceptsUTF8
        self.decodeCharset = decodeCharset
    }

    /// `bytes`: a command without its last CRLF, literals in place; or the head of an APPEND (`FramerEvent.message`).
    public func parse(_ bytes: UnsafeRawBufferPointer) throws(CommandParseError) -> TaggedCommand {
        var reader = CommandReader(bytes: bytes, parser: self)
        let tag = try reader.readTag()
        return TaggedCommand(tag: tag, command: try reader.readCommand())
    }

    public func parse(_ bytes: [UInt8]) throws(CommandParseError) -> TaggedCommand {
        let result: Result<TaggedCommand, CommandParseError> = bytes.withUnsafeBytes { buffer in
            do throws(CommandParseError) { return .success(try parse(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The head of the second and later messages of an APPEND (RFC 3502): ` (flags) "date" {n}`.
    public func parseNextMessage(_ bytes: [UInt8]) throws(CommandParseError) -> AppendMessage {
        let result: Result<AppendMessage, CommandParseError> = bytes.withUnsafeBytes { buffer in
            var reader = CommandReader(bytes: buffer, parser: self)
            do throws(CommandParseError) { return .success(try reader.readAppendMessage()) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
