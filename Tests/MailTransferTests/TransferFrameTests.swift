import MailStore
import MailTransfer
import MartletCore
import MessageFormat
import Testing

@Suite struct TransferFrameTests {
    static let frames: [TransferFrame] = [
        .select(TransferMailbox(name: "Entwürfe/2024", use: .drafts)), .select(TransferMailbox(name: "x")),
        .content([]),
        .content([0, 1, 255]), .discard, .endMessage, .endBatch, .unreadable("why"), .failure("why"),
        .message(MessageHead()),
        .message(
            MessageHead(
                flags: MailboxFlags(system: [.seen, .draft], keywords: ["a", String(repeating: "k", count: 255)]),
                date: Instant(microseconds: -5), uid: .max, size: .max)),
    ]

    @Test func `frames read as they were written, however they come`() throws {
        let wire = Self.frames.flatMap(\.encoded)
        for size in [1, 2, 3, 7, 100, 10_000] {
            var decoder = TransferFrameDecoder()
            var read: [TransferFrame] = []
            var rest = wire[...]
            while !rest.isEmpty {
                decoder.append(rest.prefix(size))
                rest = rest.dropFirst(size)
                while let frame = try decoder.next() { read.append(frame) }
            }
            #expect(read == Self.frames)
            #expect(decoder.heldBytes == 0)
        }
    }

    @Test(
        arguments: [
            [0, 0, 0, 0, 0], [9, 0, 0, 0, 0], [2, 0xFF, 0, 0, 0], [1, 0, 0, 0, 1, 65], [1, 0, 0, 0, 2, 0, 0xFF],
            [3, 0, 0, 0, 1, 0],
            [3, 0, 0, 0, 22] + Array(repeating: 0, count: 21) + [9],
        ] as [[UInt8]]) func `what is no frame is refused`(_ wire: [UInt8])
    {
        var decoder = TransferFrameDecoder()
        decoder.append(wire)
        #expect(throws: TransferFrameDecoder.Malformed.self) { try decoder.next() }
    }
}
