import FuzzSupport
import MartletCore
import SMTPProtocol

/// One client session with its driver and the rules that hold whatever comes:
/// - commands are lines of printable text that end in CRLF, and nothing else than commands and content is sent;
/// - nothing follows a close; what is awaited has a deadline;
/// - each transaction that is begun ends once, with a result for each recipient;
/// - nobody is accepted without a 2yz that came after all of the content was sent, and nobody is given up for good without
///   a 5yz or a reason of our own;
/// - a probe ends once, keeps the answers that came, and sends no content;
/// - transcripts and texts are printable and bounded.
final class SMTPClientRun {
    enum Event: Equatable {
        case handshake
        case ready
        case downgrade
        case ended(SMTPTransactionResult)
        case probed(SMTPProbeResult)
        case failed(SMTPSessionFailure)
        case closed
    }

    private(set) var events: [Event] = []
    private(set) var wire: [UInt8] = []
    /// Something was sent when a part of the server's turn was still to come.
    private(set) var spokeInsideTurn = false
    private var session: SMTPClientSession
    private let limits: SMTPClientLimits
    private let messages: UInt8
    /// Every second turn asks for a recipient and sends nothing.
    private let probes: Bool
    private var isProbing = false
    private var begun = 0
    private var request: SMTPClientTransaction?
    private var isClosed = false
    private var hasSentAll = false
    private var piecesLeft = 0
    private var isDowngraded = false
    private var isLastPiece = true
    /// Octets of content that go next to a command's line.
    private var isInContent = false

    init(_ modes: UInt8, _ messages: UInt8) {
        var limits = SMTPClientLimits()
        if modes & 8 != 0 {
            limits.maximumReply = 300
            limits.maximumKeptLine = 20
            limits.maximumKeptLines = 3
            limits.maximumTranscriptLines = 9
            limits.maximumEarlyContent = 10
        }
        self.limits = limits
        self.messages = messages
        probes = modes & 16 != 0
        session = SMTPClientSession(
            options: SMTPClientOptions(
                dialect: modes & 1 == 0 ? .smtp : .lmtp, localName: "out.example.net",
                tls: [.none, .whenOffered, .required, .whenOffered][Int(modes >> 1 & 3)], limits: limits))
    }

    /// A turn of the server, then what a client does of itself.
    func turn(_ pieces: [[UInt8]]) {
        for (index, piece) in pieces.enumerated() {
            isLastPiece = index == pieces.count - 1
            piece.withUnsafeBytes { session.receive($0) }
            run()
        }
        isLastPiece = true
        guard session.isReady, begun < 5 else { return }
        if probes, begun % 2 == 0 { probe() } else { begin() }
    }

    private func probe() {
        begun += 1
        let address = messages & 1 == 0 ? "a@example.com" : "ä@example.com"
        guard let recipient = EmailAddress(address) else { broken("it is an address") }
        isProbing = true
        session.probe(recipient)
        run()
    }

    func end() {
        session.connectionClosed()
        run()
        require(isClosed, "a lost connection ends the session")
        let results = events.count {
            switch $0 {
            case .ended, .probed: true
            default: false
            }
        }
        require(results == begun, "each transaction and each probe ends once")
        session.deadlinePassed()
        session.quit()
        run()
    }

    private func begin() {
        begun += 1
        hasSentAll = false
        let shape = messages &+ UInt8(truncatingIfNeeded: begun)
        let addresses = ["a@example.com", "ä@example.com", "c@example.com"].compactMap { EmailAddress($0) }
        var request = SMTPClientTransaction(
            reversePath: .null,
            recipients: addresses.prefix(1 + Int(shape & 3) % 3).map {
                .init($0, notify: shape & 4 == 0 ? nil : [.delay], originalRecipient: "utf-8;ä\\\r\n+@example.com")
            },
            size: 25, body: [.sevenBit, .eightBitMIME, .binaryMIME, .sevenBit][Int(shape >> 3 & 3)],
            needsSMTPUTF8: shape & 32 != 0, envelopeID: "a \r\n=+", returnContent: .full)
        if isDowngraded { request.body = .sevenBit }
        isDowngraded = false
        self.request = request
        piecesLeft = 1 + Int(shape >> 6)
        session.begin(request, allowsEarlyContent: shape & 4 == 0)
        run()
    }

    private func run() {
        var actions = 0
        while let action = session.next() {
            actions += 1
            require(actions < 1_000, "actions end")
            require(!isClosed, "nothing follows a close")
            perform(action)
        }
        if isClosed {
            require(session.deadline == nil && !session.isReady, "nothing is awaited behind a close")
        } else if !session.isReady {
            require(session.deadline != nil, "what is awaited has a deadline")
        }
    }

    private func perform(_ action: SMTPClientAction) {
        switch action {
        case .send(let bytes):
            require(!bytes.isEmpty, "what is sent is something")
            checkCommands(bytes)
            wire += bytes
            if !isLastPiece { spokeInsideTurn = true }
        case .startTLS:
            events.append(.handshake)
            if !isLastPiece { spokeInsideTurn = true }
            session.tlsEstablished(TLSParameters(version: "TLSv1.3", cipher: "x"))
            require(session.capabilities == ServerCapabilities(), "a handshake begins a new session (RFC 3207 §4.2)")
        case .ready:
            require(request == nil && !isProbing, "ready is between transactions")
            events.append(.ready)
        case .wantContent:
            if !isLastPiece { spokeInsideTurn = true }
            require(request != nil && !hasSentAll, "content is asked for while there is some")
            piecesLeft -= 1
            hasSentAll = piecesLeft <= 0
            isInContent = true
            session.content(Array("Subject: x\r\n\n.\r.\r\n".utf8), isLast: hasSentAll)
        case .needsDowngrade:
            require(request?.body != .sevenBit, "7-bit is always taken")
            events.append(.downgrade)
            isDowngraded = true
            begun -= 1
            begin()
        case .transactionEnded(let result):
            check(result)
            events.append(.ended(result))
            request = nil
            isInContent = false
        case .probeEnded(let result):
            require(isProbing, "a probe ends once")
            isProbing = false
            check(result)
            events.append(.probed(result))
        case .failed(let failure):
            require(request == nil && !isProbing, "a failure within a transaction is its result")
            require(isText(failure.cause.text), "texts are printable")
            events.append(.failed(failure))
        case .close:
            events.append(.closed)
            isClosed = true
        }
    }

    private func checkCommands(_ bytes: [UInt8]) {
        // Content stands behind commands; what it may be is for ContentEncoder's tests.
        guard !isInContent else { return }
        require(bytes.ends(with: "\r\n"), "commands end with CRLF")
        for line in bytes.split(separator: 0x0A) {
            require(line.last == 0x0D && !line.dropLast().contains { $0 < 0x20 || $0 == 0x7F }, "commands are lines")
        }
    }

    private func check(_ result: SMTPProbeResult) {
        require(result.transcript.count <= limits.maximumTranscriptLines + 1, "transcripts are bounded")
        require(result.transcript.allSatisfy(isText), "transcripts are printable")
        require(result.recipientReply == nil || result.senderReply?.isPositive == true, "RCPT comes behind MAIL")
        let isDone = result.needsSMTPUTF8 || result.senderReply?.isPositive == false || result.recipientReply != nil
        require(isDone || result.failure != nil, "what came to nothing says why")
    }

    private func check(_ result: SMTPTransactionResult) {
        guard let request else { broken("a result belongs to a transaction") }
        require(result.recipients.count == request.recipients.count, "each recipient has a result")
        require(result.transcript.count <= limits.maximumTranscriptLines + 1, "transcripts are bounded")
        require(
            result.transcript.allSatisfy { isText($0) && ["> ", "< ", "* "].contains($0.prefix(2)) },
            "transcripts are printable")
        for recipient in result.recipients {
            require(isText(recipient.text), "texts are printable")
            require(!(recipient.isAccepted && recipient.isPermanent), "an end is one or the other")
            let category = recipient.isAccepted ? 2 : recipient.isPermanent ? 5 : 4
            require(recipient.status.category == category, "the status says what became of it")
            switch recipient.outcome {
            case .accepted(let reply):
                require(hasSentAll && (200..<300).contains(reply.code), "accepted is what was sent and answered")
            case .refused(let reply):
                require(reply.code >= 400, "a refusal has its reply")
                require(!recipient.isPermanent || reply.code >= 500, "final is what the server said so")
            case .unknown: require(hasSentAll, "unknown is what was sent")
            case .tooLarge(let limit): require(request.size > limit, "too large is larger")
            case .needsSMTPUTF8: require(!session.capabilities.smtpUTF8, "SMTPUTF8 is not offered")
            case .failed, .cannotBeConverted: break
            }
        }
    }

    private func isText(_ text: String) -> Bool {
        text.utf8.count <= 140_000 && !text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }
}
