import FuzzSupport
import MartletCore
import POP3Protocol

/// One session with its driver: one answer a line, each of RFC 1939's form, nothing behind the end.
final class POP3Run {
    enum Answer: Equatable {
        case status([UInt8])
        case several([UInt8])
        case challenge([UInt8])
        case handshake
        case removed([UInt32])
        case closed
    }

    private(set) var answers: [Answer] = []
    private(set) var refusedPipelining = false
    private var reader = POP3LineReader()
    private var session: POP3ServerSession
    private let modes: UInt8
    private let seed: UInt8
    private let messages: [[UInt8]]
    private var logins = 0
    private var isClosed = false
    private var options: POP3ServerSession.Options {
        POP3ServerSession.Options(
            allowsPlaintext: modes & 1 == 0, mechanisms: ["PLAIN", "LOGIN"], canStartTLS: modes & 2 == 0)
    }

    init(_ modes: UInt8, message: [UInt8], seed: UInt8) {
        self.modes = modes
        self.seed = seed
        messages = [
            Array("Subject: one\r\n\r\n.\r\n..x\r\ny\r\n".utf8), message, Array("Subject: \u{E4}\r\n\r\n\u{E4}".utf8),
        ]
        session = POP3ServerSession(
            POP3ServerSession.Options(
                allowsPlaintext: modes & 1 == 0, mechanisms: ["PLAIN", "LOGIN"], canStartTLS: modes & 2 == 0))
        status(session.greeting())
    }

    func feed(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        reader.append(bytes)
        while !isClosed, let line = reader.next() {
            let before = answers.count
            switch line {
            case .line(let bytes):
                require(!bytes.contains(0x0A) && bytes.count <= POP3Limits.line, "a line is a line")
                perform(session.received(bytes))
            case .tooLong: perform(session.receivedTooLongLine())
            }
            require(answers.count > before, "each line has an answer")
        }
        require(reader.count <= POP3Limits.line + 2, "a line that does not end is not kept")
    }

    private func perform(_ action: POP3Action) {
        switch action {
        case .reply(let bytes): reply(bytes)
        case .listing(let head):
            status(head)
            var all: [UInt8] = []
            while let piece = session.nextListingPiece() {
                require(!piece.isEmpty && piece.count <= POP3Limits.listingPiece + 64, "pieces are bounded")
                all += piece
            }
            answers.append(.several(all))
            guard let text = unstuffed(all) else { broken("a listing ends with a line of a dot") }
            require(text.count { $0 == 0x0A } <= messages.count, "a line a message")
        case .close(let bytes):
            status(bytes)
            close()
        case .startTLS(let bytes):
            guard reader.count == 0 else {
                refusedPipelining = true
                return close()
            }
            answers.append(.handshake)
            require(bytes.starts(with: "+OK".utf8), "STLS is answered before the handshake")
            session.tlsEstablished(
                POP3ServerSession.Options(allowsPlaintext: true, mechanisms: ["PLAIN"], canStartTLS: false))
            require(!session.isInTransaction, "a handshake begins a new session (RFC 2595 §4)")
        case .login(let user, let password):
            require(!user.isEmpty && !user.utf8.contains { $0 < 0x20 }, "a name has no control characters")
            login(isRight: password.exposed.count.isMultiple(of: 2))
        case .startExchange(let mechanism, let response):
            require(mechanism.utf8.count <= 20, "RFC 4422 §3.1")
            if let response {
                login(isRight: response.count.isMultiple(of: 2))
            } else {
                perform(session.challenged([]))
            }
        case .continueExchange(let response):
            if response.count == 3 { return perform(session.challenged(response)) }
            login(isRight: response.count.isMultiple(of: 2))
        case .cancelExchange: perform(session.loginFailed(.other("cancelled")))
        case .sendMessage(let uid, let size, let lines, let isUTF8):
            require(session.isInTransaction, "messages are for those who are logged in")
            send(Int(uid) / 10 - 1, size, lines, isUTF8)
        case .update(let uids):
            require(!uids.isEmpty && uids == uids.sorted(), "QUIT removes what was deleted")
            answers.append(.removed(uids))
            perform(session.updated(succeeded: uids.count != 2))
        }
    }

    private func login(isRight: Bool) {
        logins += 1
        guard isRight else { return perform(session.loginFailed(.credentials("no"))) }
        perform(
            session.loginSucceeded(
                POP3Maildrop(uidValidity: 7, uids: [10, 20, 30], sizes: messages.map { UInt32($0.count) })))
    }

    private func send(_ index: Int, _ size: Int, _ lines: Int?, _ isUTF8: Bool) {
        guard messages.indices.contains(index) else { broken("a UID of the maildrop") }
        let message = messages[index]
        require(size == message.count, "the size of the message")
        if index == 2, logins.isMultiple(of: 3) { return status(session.messageFailed(.gone)) }
        status(Array("+OK\r\n".utf8))
        let text = isUTF8 ? message : POP3HeaderDowngrade.apply(message)
        answers.append(.several(written(seed == 255 ? [text] : pieces(of: text, seed: seed), lines: lines)))
    }

    private func close() {
        answers.append(.closed)
        isClosed = true
    }

    private func reply(_ bytes: [UInt8]) {
        if bytes.starts(with: "+ ".utf8) {
            require(bytes.ends(with: "\r\n") && bytes.count { $0 == 0x0A } == 1, "a challenge is one line")
            answers.append(.challenge(bytes))
        } else if bytes.count(where: { $0 == 0x0A }) == 1 {
            status(bytes)
        } else {
            guard let lineFeed = bytes.firstIndex(of: 0x0A) else { broken("an answer has a line") }
            status(Array(bytes[...lineFeed]))
            require(unstuffed(Array(bytes[(lineFeed + 1)...])) != nil, "several lines end with a line of a dot")
            answers.append(.several(bytes))
        }
    }

    private func status(_ bytes: [UInt8]) {
        require(bytes.starts(with: "+OK".utf8) || bytes.starts(with: "-ERR".utf8), "an answer begins with its status")
        require(bytes.ends(with: "\r\n") && bytes.count <= 512, "RFC 2449 §4: 512 octets")
        require(bytes.dropLast(2).allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a status is one line")
        answers.append(.status(bytes))
    }
}
