import FuzzSupport
import MartletCore
import SMTPProtocol

/// One session with its driver and the rules that hold whatever comes:
/// - a command is one line that ends in CR LF and holds no other CR or LF (RFC 5321 §2.3.8);
/// - DATA ends at the first CRLF.CRLF and nowhere else, and what was taken is what stands before it, dots undone (§4.5.2);
/// - BDAT gives exactly the octets that were announced (RFC 3030 §2);
/// - nothing that came before a handshake is there after it, and nothing is done behind a close;
/// - replies have their form and length (§4.2, §4.5.3.1.5), and what is held is bounded.
final class SMTPRun {
    enum Event: Equatable {
        case reply(String)
        case sender(ReversePath, MailParameters)
        case recipient(ForwardPath)
        case began
        case message([UInt8])
        case refused(MessageRefusal)
        case abandoned
        case login([UInt8]?)
        case handshake
        case closed
    }

    /// Where in the protocol the wire is, as told by the actions alone.
    private enum Place: Equatable {
        case command
        case login
        case data(from: Int)
        /// Octets that are still to come, where the chunk began, and whether it is the last.
        case chunk(left: Int, from: Int, isLast: Bool)
    }

    private(set) var transcript: [Event] = []
    private(set) var refusedPipelining = false
    private var session: SMTPServerSession
    private let parser: SMTPCommandParser
    private let limits: SMTPLimits
    private var wire: [UInt8] = []
    private var consumed = 0
    private var place = Place.command
    private var content: [UInt8] = []
    private var isMessageOpen = false
    /// Octets of the chunks that were taken.
    private var chunks: [UInt8] = []
    private var isBinary = false
    private var challenges = 0
    private var isClosed = false

    init(_ modes: UInt8) {
        var limits = SMTPLimits()
        if modes & 4 != 0 {
            limits.maximumCommandLine = 80
            limits.maximumAuthenticationLine = 120
            limits.maximumMessageSize = 100
            limits.maximumRecipients = 3
            limits.maximumTransactions = 3
            limits.maximumErrors = 4
            limits.maximumParameters = 3
            limits.maximumRefusedRecipients = 3
            limits.maximumExcessRecipients = 2
            limits.maximumIdleCommands = 6
            limits.maximumTextLine = 30
            limits.maximumDiscardedBytes = 300
        }
        self.limits = limits
        parser = SMTPCommandParser(limits: limits)
        let role: SMTPServerSession.Role = [.relay, .submission, .lmtp, .submission][Int(modes & 3)]
        session = SMTPServerSession(
            role: role, hostname: "mx.example.net", limits: limits, canStartTLS: modes & 8 == 0,
            mechanisms: ["PLAIN", "LOGIN"])
    }

    func feed(_ bytes: [UInt8]) {
        if !isClosed { wire += bytes }
        bytes.withUnsafeBytes { session.receive($0) }
        var actions = 0
        while true {
            let before = consumed
            let action = session.next()
            consumed = wire.count - session.heldBytes
            if isClosed {
                require(action == .needMore && session.heldBytes == 0, "nothing is done behind a close")
                return
            }
            account(action, took: before..<consumed)
            if action == .needMore { return checkHeld() }
            // A limit that was passed may close without taking anything; all else takes at least an octet, or ends a chunk.
            actions += 1
            require(actions <= 2 * bytes.count + 8, "each action uses up input")
            perform(action)
        }
    }

    // MARK: What the wire says

    private func checkHeld() {
        switch place {
        case .command, .login:
            require(
                session.heldBytes <= max(limits.maximumCommandLine, limits.maximumAuthenticationLine) + 1,
                "a line that does not end is not kept")
        case .data, .chunk: require(session.heldBytes == 0, "content is not kept")
        }
    }

    private func account(_ action: SMTPAction, took range: Range<Int>) {
        if case .replyAndClose = action { return }
        switch place {
        case .command, .login: checkLine(action, range)
        case .data(let from):
            guard action == .endMessage || isRefusal(action) else { return }
            checkData(wire[from..<consumed], accepted: action == .endMessage)
        case .chunk(let left, let from, let isLast):
            require(range.count <= left, "no more than the chunk is taken for it")
            place = .chunk(left: left - range.count, from: from, isLast: isLast)
        }
    }

    private func isRefusal(_ action: SMTPAction) -> Bool {
        if case .refuseMessage = action { return true }
        return false
    }

    /// A command was dealt with: it was one line.
    private func checkLine(_ action: SMTPAction, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        guard let lineFeed = wire[range].firstIndex(of: 0x0A) else {
            require(action == .needMore, "a command ends with LF")
            return
        }
        require(lineFeed > 0 && wire[lineFeed - 1] == 0x0D, "a command ends with CR LF")
        // Parts of a line that is too long are thrown away before its end is seen.
        let start = wire[..<lineFeed].lastIndex(of: 0x0A).map { max($0 + 1, range.lowerBound) } ?? range.lowerBound
        let line = wire[start..<(lineFeed - 1)]
        let isTooLong =
            if case .refuse(let reply) = action { reply.lines[0].hasPrefix("Line too long") } else { false }
        require(isTooLong || !line.contains(0x0D), "a bare CR is in no command")
        var isChunk = false
        if place == .command, !isTooLong, case .bdat(let size, let isLast)? = try? parser.parse(line) {
            isChunk = true
            let extra = range.upperBound - lineFeed - 1
            require(extra <= size, "no more than the chunk is taken for it")
            if !isAnswered(action) || extra < size {
                place = .chunk(left: size - extra, from: lineFeed + 1, isLast: isLast)
            }
            if isAnswered(action), extra == size { endChunk(action, from: lineFeed + 1) }
        }
        require(isChunk || lineFeed + 1 == range.upperBound, "a command is one line")
        require(isChunk || action != .needMore, "a command is answered")
    }

    /// Whether the action says that a chunk is over.
    private func isAnswered(_ action: SMTPAction) -> Bool {
        switch action {
        case .reply, .refuse, .endMessage, .refuseMessage: true
        default: false
        }
    }

    private func endChunk(_ action: SMTPAction, from: Int) {
        if case .refuse = action {} else { chunks += wire[from..<consumed] }
        place = .command
    }

    /// RFC 5321 §4.5.2, done again in the simplest way.
    private func checkData(_ raw: ArraySlice<UInt8>, accepted: Bool) {
        let framed = [0x0D, 0x0A] + Array(raw)
        let end = Array("\r\n.\r\n".utf8)
        let first = (0...(framed.count - end.count)).first { framed[$0..<($0 + end.count)].elementsEqual(end) }
        require(first == framed.count - end.count, "DATA ends at the first CRLF.CRLF")
        guard accepted else { return }
        var text: [UInt8] = []
        var index = 2
        while index < framed.count - 3 {
            let isLineStart = framed[index - 2] == 0x0D && framed[index - 1] == 0x0A
            if !(isLineStart && framed[index] == UInt8(ascii: ".")) { text.append(framed[index]) }
            index += 1
        }
        require(content == text, "what is taken is what was sent")
        checkText(text)
    }

    private func checkText(_ text: [UInt8]) {
        var length = 0
        for (index, byte) in text.enumerated() {
            if byte == 0x0A {
                require(index > 0 && text[index - 1] == 0x0D, "no message with a bare LF is taken")
                length = 0
                continue
            }
            length += 1
            require(length <= limits.maximumTextLine + 1, "no message with too long a line is taken")
            require(byte != 0, "no message with a NUL is taken")
            if byte == 0x0D {
                require(index + 1 < text.count && text[index + 1] == 0x0A, "no message with a bare CR is taken")
            }
        }
    }

    // MARK: What a server does

    private func perform(_ action: SMTPAction) {
        if case .chunk(let left, let from, _) = place, isAnswered(action) {
            require(left == 0, "the answer to a chunk comes at its end")
            endChunk(action, from: from)
        }
        switch action {
        case .needMore: break
        case .reply(let reply), .refuse(let reply):
            if place == .login { place = .command }
            say(reply)
        case .refuseEnvelope(let reply, _): say(reply)
        case .replyAndClose(let reply):
            say(reply)
            transcript.append(.closed)
            isClosed = true
            refusedPipelining = reply.code == 503
            require(session.heldBytes == 0, "what is behind a close is dropped")
            wire = []
            consumed = 0
        case .startTLS:
            // The reply's place in the transcript is taken by the handshake, for the comparison of runs.
            require(session.heldBytes == 0, "nothing is kept over a handshake")
            transcript.append(.handshake)
            session.tlsEstablished(mechanisms: ["PLAIN"])
            require(
                session.clientName == nil && !session.isAuthenticated && !session.usesExtensions
                    && !session.canStartTLS, "a handshake begins a new session (RFC 3207 §4.2)")
        case .authenticate(_, let response): authenticate(response)
        case .authenticationResponse(let response): authenticate(response ?? Array("*".utf8))
        case .sender(let path, let parameters):
            require(session.clientName != nil, "MAIL comes behind EHLO")
            isBinary = parameters.body == .binaryMIME
            require(session.role != .submission || session.isAuthenticated, "submission wants a login (RFC 6409 §4.3)")
            if case .address(let address) = path { checkAddress(address) }
            transcript.append(.sender(path, parameters))
            let reply = decision(path.text.utf8.count.isMultiple(of: 7) && !path.text.isEmpty)
            session.senderDecided(reply)
            say(reply)
        case .recipient(let path, let parameters):
            if case .address(let address) = path { checkAddress(address) }
            transcript.append(.recipient(path))
            var isRefused = false
            if case .address(let address) = path { isRefused = address.localPart.utf8.count.isMultiple(of: 3) }
            let reply = decision(isRefused)
            session.recipientDecided(reply)
            say(reply)
        case .beginMessage:
            transcript.append(.began)
            content = []
            chunks = []
            isMessageOpen = true
            if let reply = session.dataReply {
                place = .data(from: consumed)
                say(reply)
            }
        case .content(let bytes):
            require(isMessageOpen, "content belongs to a message")
            content += bytes
            require(content.count <= limits.maximumMessageSize, "a message over the limit is not handed on")
        case .endMessage:
            require(isMessageOpen, "a message ends that began")
            if case .data = place {
            } else {
                require(content == chunks, "chunks are handed on as they came")
                if !isBinary { checkText(content) }
            }
            transcript.append(.message(content))
            messageEnded(isAccepted: !content.count.isMultiple(of: 5))
        case .refuseMessage(let reply, let reason):
            require(isMessageOpen, "a message ends that began")
            transcript.append(.refused(reason))
            say(reply)
            messageEnded(isAccepted: false)
        case .abandonMessage:
            require(isMessageOpen, "what is abandoned has begun")
            isMessageOpen = false
            transcript.append(.abandoned)
            say(SMTPServerSession.ok)
        }
    }

    private func messageEnded(isAccepted: Bool) {
        session.messageDecided(isAccepted: isAccepted)
        say(decision(!isAccepted))
        isMessageOpen = false
        place = .command
    }

    private func authenticate(_ response: [UInt8]?) {
        transcript.append(.login(response))
        challenges += 1
        if (response ?? []).count < 3, challenges.isMultiple(of: 3) == false {
            let reply = session.authenticationChallenged(response ?? [])
            place = .login
            return say(reply)
        }
        place = .command
        let reply =
            (response ?? []).count.isMultiple(of: 2)
            ? SMTPReply(535, EnhancedStatus(5, 7, 8), "no") : SMTPReply(235, EnhancedStatus(2, 7, 0), "welcome")
        session.authenticationEnded(reply)
        say(reply)
    }

    private func decision(_ isRefused: Bool) -> SMTPReply {
        isRefused
            ? SMTPReply(550, EnhancedStatus(5, 7, 1), "no") : SMTPReply(250, EnhancedStatus(2, 0, 0), "Ok")
    }

    private func checkAddress(_ address: EmailAddress) {
        require(EmailAddress(address.description) == address, "an address reads as it was written")
        require(!address.description.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "no control character")
    }

    private func say(_ reply: SMTPReply) {
        let bytes = reply.bytes
        require(bytes.ends(with: "\r\n"), "a reply ends with CRLF")
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        require(lines.removeLast().isEmpty, "a reply ends with CRLF")
        for (index, line) in lines.enumerated() {
            require(line.last == 0x0D && line.count <= 511, "a line of a reply has 512 octets (RFC 5321 §4.5.3.1.5)")
            let text = line.dropLast()
            require(text.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a reply has no control characters")
            require(text.count >= 4 && text.prefix(3).allSatisfy { $0 >= 0x30 && $0 <= 0x39 }, "three digits")
            let separator = text[text.startIndex + 3]
            require(separator == UInt8(ascii: index == lines.count - 1 ? " " : "-"), "the last line has a space")
        }
        transcript.append(.reply(String(decoding: bytes, as: UTF8.self)))
    }
}
