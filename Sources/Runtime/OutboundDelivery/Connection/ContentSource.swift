internal import MailStore

/// The content of a message in pieces, one at a time.
struct ContentSource {
    /// Octets of a piece: what is held of a message at once, besides what the socket has not taken. A message that is sent with its
    /// envelope is one piece (`SMTPClientLimits.maximumEarlyContent`).
    static let pieceSize = 65_536

    struct Piece {
        var bytes: [UInt8]
        var isLast: Bool
    }

    private let message: any MessageReading
    private var position = 0

    init(_ message: any MessageReading) { self.message = message }

    mutating func next() async throws(StoreError) -> Piece {
        let end = min(position + Self.pieceSize, message.size)
        let bytes = try await message.read(position..<end)
        guard bytes.count == end - position else { throw .corrupt(reason: "the message is shorter than its size") }
        position = end
        return Piece(bytes: bytes, isLast: position == message.size)
    }
}

/// A message that is in memory.
struct MessageInMemory: MessageReading {
    let bytes: [UInt8]
    var size: Int { bytes.count }
    func read(_ range: Range<Int>) async throws(StoreError) -> [UInt8] { Array(bytes[range.clamped(to: 0..<size)]) }
}
