import MailStore
import MartletCore
import Testing

/// Messages whose bytes are damaged do not stand in the way of the others.
@Suite(.serialized) struct DamageTests {
    static let oneLeftOut = "T NO [CORRUPTION] Messages that are left out because they are damaged: 1\r\n"

    private func server(
        messages: Set<UInt32> = [], summaries: Set<UInt32> = [], count: Int = 4
    ) async throws -> TestServer {
        let server = try await TestServer {
            HookedStore(base: $0, damagedMessages: messages, damagedSummaries: summaries)
        }
        for number in 1...count { try await server.add("Subject: s\(number)\r\n\r\nwords\r\n") }
        return server
    }

    @Test("FETCH leaves a damaged message out, serves the others and ends with NO")
    func fetch() async throws {
        let server = try await server(messages: [3])
        let client = try server.select()
        func text(_ number: Int) -> String { "* \(number) FETCH (UID \(number) BODY[TEXT] {7}\r\nwords\r\n)\r\n" }
        #expect(
            client.command("FETCH 1:* (UID BODY.PEEK[TEXT])") == text(1) + text(2) + text(4) + DamageTests.oneLeftOut)
        // What is damaged is not asked for when the index is enough.
        #expect(client.command("FETCH 3 UID") == "* 3 FETCH (UID 3)\r\nT OK FETCH completed\r\n")
        await server.stop()
    }

    @Test("FETCH leaves a message with a damaged summary out")
    func fetchSummaries() async throws {
        let server = try await server(summaries: [3])
        let client = try server.select()
        let answer = client.command("FETCH 1:* (UID ENVELOPE)")
        for number in [1, 2, 4] { #expect(answer.contains("* \(number) FETCH (UID \(number) ENVELOPE (")) }
        #expect(!answer.contains("* 3 FETCH"))
        #expect(answer.hasSuffix(DamageTests.oneLeftOut))
        await server.stop()
    }

    @Test("SEARCH tells what it found, leaves the damaged message out and ends with NO; nothing stays behind `$`")
    func search() async throws {
        let server = try await server(messages: [3])
        let client = try server.select()
        #expect(client.command("SEARCH TEXT words") == "* SEARCH 1 2 4\r\n" + DamageTests.oneLeftOut)
        #expect(client.command("SEARCH 1:2 TEXT words") == "* SEARCH 1 2\r\nT OK SEARCH completed\r\n")
        #expect(client.command("SEARCH RETURN (SAVE) TEXT words") == DamageTests.oneLeftOut)
        #expect(client.command("SEARCH $") == "* SEARCH\r\nT OK SEARCH completed\r\n")
        await server.stop()
    }

    @Test("SEARCH by summaries leaves a damaged one out, few or many", arguments: [4, 600])
    func searchSummaries(_ count: Int) async throws {
        let server = try await server(summaries: [3], count: count)
        let client = try server.select()
        let expected = (1...count).filter { $0 != 3 }.map { " \($0)" }.joined()
        #expect(client.command("SEARCH SUBJECT s") == "* SEARCH\(expected)\r\n" + DamageTests.oneLeftOut)
        await server.stop()
    }
}
