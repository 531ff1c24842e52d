/// Cuts a client's bytes into commands (RFC 9051 §2.2.1, §4.3, RFC 7888), bounded in memory whatever the client sends.
///
/// Pull-based: `receive` bytes, then call `next` until it says `.needMore`. Because the next event is only looked for when
/// asked, the shell can set a mode (`expectLine`) or begin TLS between two pipelined commands. APPEND's messages are handed
/// on as they arrive and never gathered.
public struct Framer: ~Copyable, Sendable {
    enum State: Equatable {
        case command
        /// `remaining` octets of a literal of the command that begins at `start`.
        case literal(remaining: Int)
        /// `.message` was given, the shell decides.
        case deciding(length: UInt64, isSynchronizing: Bool)
        case message(remaining: UInt64)
        /// Behind a message: `SP` begins the next one, `)` closes UTF8 (…), CRLF ends the command.
        case afterMessage
        /// A refused literal is read past, then the rest of its command.
        case skipping(remaining: UInt64)
        case skippingLine
        case failed
    }

    public let limits: IMAPLimits
    var state = State.command
    var expectsLine = false
    /// A continuation request is due before anything else.
    var continuationDue = false
    var endDue = false
    var failure: FramerFailure?
    var buffer: [UInt8] = []
    /// The current command begins here in `buffer`.
    var start = 0
    /// Up to here `buffer` has been looked at.
    var scanned = 0
    /// The line that is being read began here (behind the last literal).
    var lineStart = 0
    /// The message that is announced or read stands in `UTF8 (…)`: `)` must follow it.
    var isWrapped = false
    var literalOctets = 0
    var literalCount = 0

    public init(limits: IMAPLimits = IMAPLimits()) { self.limits = limits }

    /// Whether bytes wait that no event has used. After STARTTLS that is an error (RFC 9051 §6.2.1): they were not encrypted.
    public var hasUnusedBytes: Bool { buffer.count > start }

    /// Octets that are held, for a bound on what the shell reads ahead.
    public var heldBytes: Int { buffer.count - start }

    /// The next input is one line of an AUTHENTICATE exchange or of IDLE, not a command. Holds for one line.
    public mutating func expectLine() { expectsLine = true }

    /// Takes what the client sent, in pieces of any size. After a failure it is thrown away.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        guard state != .failed else { return }
        compact()
        buffer.append(contentsOf: bytes)
    }

    public mutating func receive(_ bytes: [UInt8]) { bytes.withUnsafeBytes { receive($0) } }

    /// After `.message`: its octets are wanted.
    public mutating func acceptMessage() {
        guard case .deciding(let length, let isSynchronizing) = state else { return }
        continuationDue = isSynchronizing
        if length == 0 { endDue = true }
        state = length == 0 ? .afterMessage : .message(remaining: length)
    }

    /// After `.message`, or at any moment until `.appendEnd`: the APPEND is given up. Answer the command at once; what the
    /// client sends of it all the same is read past.
    public mutating func refuseMessage() {
        continuationDue = false
        endDue = false
        switch state {
        case .deciding(let length, let isSynchronizing): refuse(length: length, isSynchronizing: isSynchronizing)
        case .message(let remaining): state = .skipping(remaining: remaining)
        case .afterMessage: state = .skippingLine
        case .command, .literal, .skipping, .skippingLine, .failed: break
        }
    }

    /// The next event; `.needMore` when the bytes are used up.
    public mutating func next() -> FramerEvent {
        if continuationDue {
            continuationDue = false
            return .continuation
        }
        if endDue {
            endDue = false
            return .messageEnd
        }
        while true {
            switch state {
            case .command:
                if let event = expectsLine ? nextLine() : nextCommandLine() { return event }
            case .literal(let remaining):
                let available = buffer.count - scanned
                if available < remaining {
                    scanned = buffer.count
                    state = .literal(remaining: remaining - available)
                    return .needMore
                }
                scanned += remaining
                lineStart = scanned
                state = .command
            case .deciding:
                return .needMore
            case .message(let remaining):
                guard buffer.count > start else { return .needMore }
                let bytes = take(atMost: remaining)
                let rest = remaining - UInt64(bytes.count)
                endDue = rest == 0
                state = rest == 0 ? .afterMessage : .message(remaining: rest)
                return .messageBytes(bytes)
            case .afterMessage:
                if let event = nextMessageHead() { return event }
            case .skipping(let remaining):
                let count = min(remaining, UInt64(buffer.count - start))
                drop(upTo: start + Int(count))
                guard count == remaining else {
                    state = .skipping(remaining: remaining - count)
                    return .needMore
                }
                state = .skippingLine
            case .skippingLine:
                if let event = skipLine() { return event }
            case .failed:
                guard let failure else { return .needMore }
                self.failure = nil
                return .failed(failure)
            }
        }
    }
}
