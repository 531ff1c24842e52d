internal import MartletCore

/// How far a transaction has come.
struct ClientTransactionState: Sendable {
    enum Phase: Sendable, Hashable {
        /// MAIL and RCPT are being sent; how many of them are done with.
        case envelope(sent: Int)
        /// All of them were sent.
        case body
        /// DATA was sent, 354 is awaited.
        case data
        /// Content is asked for and sent.
        case content
        /// All of it was sent.
        case sent
        /// No content is to be sent, or no more of it: what is still awaited comes in and changes nothing.
        case draining
    }

    let request: SMTPClientTransaction
    let saysSMTPUTF8: Bool
    let usesChunks: Bool
    /// Content may go before the recipients are answered.
    let isEarly: Bool
    var phase = Phase.envelope(sent: 0)
    var results: [SMTPTransactionResult.Recipient?]
    /// Recipients that RCPT's answer took, by index; the order in which LMTP answers (RFC 2033 §4.2).
    var taken: [Int] = []
    /// Of these, those that LMTP's answers have come for.
    var answersTaken = 0
    var encoder: ContentEncoder
    var sentOctets = 0
    var hasReply = false
    /// The server has begun it: RSET or the content's end takes it off.
    var isMailTaken = false
    private var undecided: Int

    init(_ request: SMTPClientTransaction, offered: ServerCapabilities, limits: SMTPClientLimits, allowsEarly: Bool) {
        self.request = request
        saysSMTPUTF8 = request.usesSMTPUTF8 && offered.smtpUTF8
        let isBinary = request.body == .binaryMIME
        let isSmall = request.size <= limits.maximumEarlyContent
        usesChunks = offered.chunking && (isBinary || isSmall)
        isEarly = usesChunks && isSmall && offered.pipelining && allowsEarly
        encoder = ContentEncoder(form: isBinary ? .binary : usesChunks ? .lines : .stuffed)
        results = Array(repeating: nil, count: request.recipients.count)
        undecided = results.count
    }

    mutating func decide(_ index: Int, _ outcome: SMTPTransactionResult.Outcome, at stage: SMTPClientStage) {
        guard results.indices.contains(index), results[index] == nil else { return }
        results[index] = SMTPTransactionResult.Recipient(outcome: outcome, stage: stage)
        undecided -= 1
    }

    /// Decides on all who are not decided on.
    mutating func decideAll(_ outcome: SMTPTransactionResult.Outcome, at stage: SMTPClientStage) {
        for index in results.indices { decide(index, outcome, at: stage) }
    }

    /// Everybody is decided on: there is nobody left to send content for.
    var isDecided: Bool { undecided == 0 }

    func recipients(otherwise outcome: SMTPTransactionResult.Outcome) -> [SMTPTransactionResult.Recipient] {
        results.map { $0 ?? SMTPTransactionResult.Recipient(outcome: outcome, stage: .idle) }
    }
}
