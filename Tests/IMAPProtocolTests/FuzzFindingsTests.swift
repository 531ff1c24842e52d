import IMAPProtocol
import Testing

/// What Fuzz/FuzzIMAPSession found, replayed.
@Suite struct FuzzFindingsTests {
    @Test(
        "an announcement without a number is no literal, for the parser as for the framer",
        arguments: ["a APPEND x {}", "a APPEND x {+}", "a APPEND x (\\Seen) ~{}", "a APPEND x UTF8 (~{}"])
    func emptyAnnouncement(command: String) throws {
        var framer = Framer()
        framer.receive(bytes(command + "\r\n"))
        #expect(framer.next() == .command(bytes(command)))
        let error = #expect(throws: CommandParseError.self) { try CommandParser().parse(bytes(command)) }
        #expect(error?.reason == .expected(.literal))
        #expect(error?.tag == "a")
    }
}
