import IMAPProtocol
import Testing

@Test func `A FETCH with a range parses`() throws {
    let command = try CommandParser().parse(Array("a1 UID FETCH 1:* (FLAGS)".utf8))
    #expect(command == TaggedCommand(tag: "a1", command: .fetch(FetchCommand(set: .ranges([SequenceRange(1, SequenceRange.star)]), uid: true, items: [.flags]))))
}
