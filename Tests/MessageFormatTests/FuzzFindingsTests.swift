import MessageFormat
import Testing

/// What Fuzz/FuzzMessage and Fuzz/FuzzHeaderFields found, replayed.
@Suite("Fuzz findings") struct FuzzFindingsTests {
    @Test("a preview has 256 characters also when a space comes last", arguments: [254, 255, 256, 257])
    func preview(length: Int) {
        let text = String(repeating: "x", count: length) + " y"
        let message = Array("Subject: x\r\n\r\n\(text)\r\n".utf8)
        let preview = MessageSummary.make(message).preview
        #expect(preview == (length == 254 ? text : String(text.prefix(min(length, 256)))))
    }
}
