import MartletCore

import SMTPProtocol

/// Drives a client session as a connection would: answers what it wants and writes down what it does. No sockets.
final class ClientDriver {
    var session: SMTPClientSession
    /// All that was sent, with `<TLS>` where a handshake happens and `<closed>` at the end.
    var sent = ""
    /// What was sent since the last look.
    var fresh = ""
    var results: [SMTPTransactionResult] = []
    var probes: [SMTPProbeResult] = []
    var failures: [SMTPSessionFailure] = []
    var downgrades = 0
    var readies = 0
    var isClosed = false
    /// Pieces of the content of the present transaction. Asked for beyond their end, nothing is given.
    var pieces: [[UInt8]] = []
    var givesContent = true
    var wantedContent = 0
    private var nextPiece = 0

    init(
        _ dialect: SMTPClientOptions.Dialect = .smtp, tls: SMTPClientOptions.TLSUse = .whenOffered,
        limits: SMTPClientLimits = SMTPClientLimits()
    ) {
        session = SMTPClientSession(
            options: SMTPClientOptions(dialect: dialect, localName: "out.example.net", tls: tls, limits: limits))
        run()
    }

    /// A session that has said EHLO and is ready.
    static func ready(
        _ extensions: [String] = ["PIPELINING", "SIZE 1000000", "8BITMIME"],
        _ dialect: SMTPClientOptions.Dialect = .smtp
    ) -> ClientDriver {
        let driver = ClientDriver(dialect)
        driver.feed("220 mx.example.com ESMTP\r\n")
        let lines = ["mx.example.com"] + extensions
        for (index, line) in lines.enumerated() { driver.feed("250\(index == lines.count - 1 ? " " : "-")\(line)\r\n") }
        driver.fresh = ""
        return driver
    }

    func feed(_ text: String) { feed(Array(text.utf8)) }

    func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { session.receive($0) }
        run()
    }

    func begin(_ transaction: SMTPClientTransaction, content: [String] = ["Subject: x\r\n\r\nhello\r\n"]) {
        begin(transaction, pieces: content.map { Array($0.utf8) })
    }

    func begin(_ transaction: SMTPClientTransaction, pieces: [[UInt8]], early: Bool = true) {
        self.pieces = pieces
        nextPiece = 0
        session.begin(transaction, allowsEarlyContent: early)
        run()
    }

    func probe(_ recipient: EmailAddress) {
        session.probe(recipient)
        run()
    }

    func drop() {
        session.connectionClosed()
        run()
    }

    func wait() {
        session.deadlinePassed()
        run()
    }

    func quit() {
        session.quit()
        run()
    }

    /// What was sent since the last time that this was asked.
    func takeSent() -> String {
        defer { fresh = "" }
        return fresh
    }

    var result: SMTPTransactionResult? { results.last }
    // The session cannot be copied, which `#expect` would do.
    var isReady: Bool { session.isReady }
    var isEncrypted: Bool { session.isEncrypted }
    var capabilities: ServerCapabilities { session.capabilities }
    var deadline: Duration? { session.deadline }
    var waits: UInt64 { session.waits }
    var startTLSRefusal: SMTPReply? { session.startTLSRefusal }

    private func add(_ text: String) {
        sent += text
        fresh += text
    }

    private func run() {
        while let action = session.next() {
            precondition(!isClosed, "nothing follows .close")
            switch action {
            case .send(let bytes): add(String(decoding: bytes, as: UTF8.self))
            case .startTLS:
                add("<TLS>")
                session.tlsEstablished(TLSParameters(version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256"))
            case .ready: readies += 1
            case .wantContent:
                wantedContent += 1
                guard givesContent, nextPiece < pieces.count else { continue }
                nextPiece += 1
                session.content(pieces[nextPiece - 1], isLast: nextPiece == pieces.count)
            case .needsDowngrade: downgrades += 1
            case .transactionEnded(let result): results.append(result)
            case .probeEnded(let result): probes.append(result)
            case .failed(let failure): failures.append(failure)
            case .close:
                add("<closed>")
                isClosed = true
            }
        }
    }
}

extension SMTPClientTransaction {
    static func to(
        _ recipients: [String] = ["anna@example.com"], from: String? = "ben@example.net", size: Int = 21,
        body: BodyType = .sevenBit, needsSMTPUTF8: Bool = false
    ) -> SMTPClientTransaction {
        SMTPClientTransaction(
            reversePath: from.flatMap { EmailAddress($0) }.map { .address($0) } ?? .null,
            recipients: recipients.compactMap { EmailAddress($0) }.map { Recipient($0) }, size: size, body: body,
            needsSMTPUTF8: needsSMTPUTF8)
    }
}

extension SMTPTransactionResult {
    /// `accepted`, `refused 550`, `failed` … of each recipient, with the stage.
    var summary: [String] {
        recipients.map { recipient in
            let word =
                switch recipient.outcome {
                case .accepted: "accepted"
                case .refused(let reply): "refused \(reply.code)"
                case .failed: "failed"
                case .unknown: "unknown"
                case .needsSMTPUTF8: "needs SMTPUTF8"
                case .tooLarge: "too large"
                case .cannotBeConverted: "cannot be converted"
                }
            return "\(word) at \(recipient.stage.rawValue)"
        }
    }
}
