import Glibc

/// A blocking IMAP client that sends one command at a time and counts what comes back.
final class IMAPConnection {
    private let socket: LineSocket
    private var number = 0

    /// What a command's answer held.
    struct Answer {
        var fetches = 0
        var literals = 0
        /// Messages that an untagged SEARCH or ESEARCH named, by the spaces in the line.
        var searchLines = 0
        var searchHits = 0
        var exists: Int?
        var statusMessages: Int?
        /// The UID in APPENDUID (the first of a set).
        var appendedUID: Int?
    }

    init(port: UInt16) throws(LoadError) {
        socket = try LineSocket(port: port)
        let greeting = try socket.readLine()
        guard greeting.hasPrefix("* OK") else { throw LoadError("greeting: \(greeting.text)") }
    }

    func login(user: String, password: String) throws(LoadError) {
        _ = try command("LOGIN \(user) \(password)")
    }

    /// STATUS (MESSAGES) of a mailbox.
    func messages(in mailbox: String) throws(LoadError) -> Int {
        guard let count = try command("STATUS \(mailbox) (MESSAGES)").statusMessages else { throw LoadError("STATUS without MESSAGES") }
        return count
    }

    /// Sends `text` with a tag and reads up to its tagged OK; NO and BAD are errors.
    @discardableResult
    func command(_ text: String) throws(LoadError) -> Answer {
        try command(bytes: Array(text.utf8))
    }

    func command(bytes: [UInt8]) throws(LoadError) -> Answer {
        let tag = nextTag()
        try socket.write(tag + bytes + [13, 10])
        return try answer(to: tag)
    }

    /// IDLE, the continuation, DONE: one command.
    func idle() throws(LoadError) {
        let tag = nextTag()
        try socket.write(tag + Array("IDLE\r\n".utf8))
        while true {
            let line = try socket.readLine()
            if line.hasPrefix("+") { break }
            guard line.hasPrefix("* ") else { throw LoadError("IDLE: \(line.text)") }
        }
        try socket.write("DONE\r\n")
        _ = try answer(to: tag)
    }

    private func nextTag() -> [UInt8] {
        number += 1
        return Array("a\(number) ".utf8)
    }

    private func answer(to tag: [UInt8]) throws(LoadError) -> Answer {
        var answer = Answer()
        while true {
            let line = try socket.readLine()
            if line.hasPrefix("* ") {
                try untagged(line, &answer)
            } else if line.hasPrefix(tag) {
                let rest = UnsafeRawBufferPointer(rebasing: line[tag.count...])
                guard rest.hasPrefix("OK") else { throw LoadError("answer: \(line.text)") }
                if let code = rest.range(of: "[APPENDUID "), let space = rest[code.upperBound...].firstIndex(of: 32) {
                    answer.appendedUID = rest.number(at: space + 1)
                }
                return answer
            } else {
                throw LoadError("unexpected: \(line.text)")
            }
        }
    }

    private func untagged(_ first: UnsafeRawBufferPointer, _ answer: inout Answer) throws(LoadError) {
        if first.hasPrefix("* SEARCH") || first.hasPrefix("* ESEARCH") {
            answer.searchLines += 1
            for byte in first where byte == 32 { answer.searchHits += 1 }
            answer.searchHits -= 1
        } else if first.hasPrefix("* STATUS") {
            if let found = first.range(of: "MESSAGES ") { answer.statusMessages = first.number(at: found.upperBound) }
        } else if let count = first.number(at: 2) {
            if first.contains(" FETCH ") {
                answer.fetches += 1
            } else if first.contains(" EXISTS") {
                answer.exists = count
            }
        } else if first.hasPrefix("* BYE"), !first.contains("ogging out"), !first.contains("ogout") {
            // BYE after LOGOUT is said in other words by each server; the tagged OK that follows decides.
        }
        // A literal at the end of the line, and the rest of the response after it.
        var line = first
        while let last = line.last, last == UInt8(ascii: "}"), let brace = line.lastIndex(of: UInt8(ascii: "{")),
            let size = line.number(at: brace + 1)
        {
            answer.literals += 1
            try socket.skip(size)
            line = try socket.readLine()
        }
    }
}
