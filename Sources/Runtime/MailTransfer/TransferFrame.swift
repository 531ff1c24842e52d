internal import MailStore
internal import MartletCore
internal import MessageFormat

/// How messages travel over a control socket: a kind, a length in four octets, a payload.
///
/// An import sends `select`, then for each message `content` … `message`, and `endBatch`. An export sends for each message
/// `message`, `content` …, `endMessage`, and at last `endBatch`.
public enum TransferFrame: Sendable, Hashable {
    /// Messages that follow go to this mailbox.
    case select(TransferMailbox)
    case content([UInt8])
    case message(MessageHead)
    /// The content since the last message is for nothing.
    case discard
    case endMessage
    case endBatch
    /// A message could not be read; a sentence why.
    case unreadable(String)
    /// It ends here; a sentence why.
    case failure(String)

    /// Octets of the longest payload that is taken.
    public static let maximumPayload = 1 << 20
    /// Octets of content that senders put into one frame.
    public static let contentPiece = 256 << 10

    public var encoded: [UInt8] {
        switch self {
        case .select(let mailbox):
            Self.frame(1, Array((mailbox.use?.rawValue ?? "").utf8) + [0] + Array(mailbox.name.utf8))
        case .content(let bytes): Self.frame(2, bytes)
        case .message(let head): Self.frame(3, Self.encode(head))
        case .discard: Self.frame(4, [])
        case .endMessage: Self.frame(5, [])
        case .endBatch: Self.frame(6, [])
        case .unreadable(let text): Self.frame(7, Array(text.utf8.prefix(4_096)))
        case .failure(let text): Self.frame(8, Array(text.utf8.prefix(4_096)))
        }
    }

    private static func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
        precondition(payload.count <= maximumPayload, "senders cut content into pieces")
        var frame: [UInt8] = []
        frame.reserveCapacity(payload.count + 5)
        frame.append(kind)
        append(UInt32(payload.count), to: &frame)
        frame += payload
        return frame
    }

    init?(kind: UInt8, payload: ArraySlice<UInt8>) {
        switch kind {
        case 1:
            let parts = payload.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = String(validating: parts[1], as: UTF8.self) else { return nil }
            let use = String(decoding: parts[0], as: UTF8.self)
            self = .select(TransferMailbox(name: name, use: SpecialUse(rawValue: use)))
        case 2: self = .content(Array(payload))
        case 3:
            guard let head = Self.decodeHead(payload) else { return nil }
            self = .message(head)
        case 4: self = .discard
        case 5: self = .endMessage
        case 6: self = .endBatch
        case 7: self = .unreadable(String(decoding: payload, as: UTF8.self))
        case 8: self = .failure(String(decoding: payload, as: UTF8.self))
        default: return nil
        }
    }

    // MARK: Heads

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Flags, date (the smallest number for none), UID, size, then each keyword with its length.
    private static func encode(_ head: MessageHead) -> [UInt8] {
        var bytes: [UInt8] = [head.flags.system.rawValue]
        append(head.date?.microseconds ?? Int64.min, to: &bytes)
        append(head.uid, to: &bytes)
        append(head.size, to: &bytes)
        for keyword in head.flags.keywords {
            bytes.append(UInt8(keyword.utf8.count))
            bytes += keyword.utf8
        }
        return bytes
    }

    private static func decodeHead(_ payload: ArraySlice<UInt8>) -> MessageHead? {
        guard payload.count >= 21, let first = payload.first else { return nil }
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            payload.dropFirst(offset).prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
        }
        var flags = MailboxFlags(system: .init(rawValue: first))
        var rest = payload.dropFirst(21)
        while let length = rest.first {
            guard rest.count > Int(length) else { return nil }
            flags.add(keyword: String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(1 + Int(length))
        }
        let date = Int64(bitPattern: number(1, 8))
        return MessageHead(
            flags: flags, date: date == .min ? nil : Instant(microseconds: date),
            uid: UInt32(truncatingIfNeeded: number(9, 4)), size: max(0, Int64(bitPattern: number(13, 8))))
    }
}

/// Cuts octets into frames. Bounded by one frame and the largest piece given.
public struct TransferFrameDecoder: Sendable {
    /// The other side does not speak this protocol.
    public struct Malformed: Error, Sendable, Hashable {}

    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    public var heldBytes: Int { buffer.count - start }

    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next frame; nil when more octets are needed.
    public mutating func next() throws(Malformed) -> TransferFrame? {
        guard heldBytes >= 5 else { return nil }
        let length = buffer[(start + 1)..<(start + 5)].reduce(0) { $0 << 8 | Int($1) }
        guard length <= TransferFrame.maximumPayload else { throw Malformed() }
        guard heldBytes >= 5 + length else { return nil }
        let payload = buffer[(start + 5)..<(start + 5 + length)]
        guard let frame = TransferFrame(kind: buffer[start], payload: payload) else { throw Malformed() }
        start += 5 + length
        return frame
    }
}
