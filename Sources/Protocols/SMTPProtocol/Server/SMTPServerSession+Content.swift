public import MartletCore

/// A message on its way in: the octets behind DATA up to the dot (RFC 5321 §4.1.1.4), or those of BDAT's chunks (RFC 3030 §2).
extension SMTPServerSession {
    mutating func data() -> SMTPAction {
        guard let transaction else { return refuse(503, EnhancedStatus(5, 5, 1), "MAIL comes first") }
        guard transaction.acceptedRecipients > 0 else {
            // RFC 2033 §4.2: 503 in LMTP.
            return refuse(role == .lmtp ? 503 : 554, EnhancedStatus(5, 5, 1), "No valid recipients")
        }
        guard transaction.parameters.body != .binaryMIME else {
            return refuse(503, EnhancedStatus(5, 5, 1), "BODY=BINARYMIME goes with BDAT (RFC 3030 3)")
        }
        self.transaction?.decoder = ContentDecoder(usesDots: true, maximumLine: limits.maximumTextLine)
        phase = .data
        return .beginMessage
    }

    /// The reply to DATA, after `.beginMessage`; BDAT has none here.
    public var dataReply: SMTPReply? {
        phase == .data ? SMTPReply(354, nil, "End the message with CR LF . CR LF") : nil
    }

    mutating func nextContent() -> SMTPAction {
        guard position < input.count, var decoder = transaction?.decoder else { return .needMore }
        var output: [UInt8] = []
        output.reserveCapacity(input.count - position)
        let start = position
        let (end, isComplete) = input.withUnsafeBytes { decoder.decode($0, from: start, into: &output) }
        position = end
        transaction?.decoder = decoder
        if isComplete {
            if !output.isEmpty {
                // The content first. What follows it is as after the last octet of a chunk.
                phase = .chunk(remaining: 0, isLast: true, refusal: nil)
                return account(output)
            }
            return messageComplete()
        }
        return output.isEmpty ? .needMore : account(output)
    }

    /// Counts content; what is beyond the limit is thrown away.
    private mutating func account(_ output: [UInt8]) -> SMTPAction {
        let size = (transaction?.contentSize ?? 0) + output.count
        transaction?.contentSize = size
        guard size > limits.maximumMessageSize else { return .content(output) }
        return size - limits.maximumMessageSize > limits.maximumDiscardedBytes ? closeEndless() : next()
    }

    private mutating func closeEndless() -> SMTPAction {
        close(
            SMTPReply(
                552, EnhancedStatus(5, 3, 4),
                "Message far too large: \(limits.maximumMessageSize) octets are the limit"))
    }

    private mutating func messageComplete() -> SMTPAction {
        phase = .waiting(.message)
        if (transaction?.contentSize ?? 0) > limits.maximumMessageSize {
            return .refuseMessage(
                SMTPReply(
                    552, EnhancedStatus(5, 3, 4), "Message too large: \(limits.maximumMessageSize) octets are the limit"
                ),
                reason: .tooLarge(limit: limits.maximumMessageSize))
        }
        switch transaction?.decoder?.violation {
        case nil: return .endMessage
        case .bareCarriageReturn:
            return .refuseMessage(
                SMTPReply(
                    550, EnhancedStatus(5, 6, 0), "The message has a bare CR; lines end in CR LF (RFC 5321 2.3.8)"),
                reason: .bareCarriageReturn)
        case .bareLineFeed:
            return .refuseMessage(
                SMTPReply(
                    550, EnhancedStatus(5, 6, 0), "The message has a bare LF; lines end in CR LF (RFC 5321 2.3.8)"),
                reason: .bareLineFeed)
        case .nul:
            return .refuseMessage(
                SMTPReply(550, EnhancedStatus(5, 6, 0), "The message has a NUL; only BODY=BINARYMIME may (RFC 5322 4)"),
                reason: .nul)
        case .lineTooLong(let limit):
            return .refuseMessage(
                SMTPReply(554, EnhancedStatus(5, 6, 0), "The message has a line longer than \(limit) octets"),
                reason: .lineTooLong(limit: limit))
        }
    }

    mutating func beginChunk(_ size: Int, isLast: Bool) -> SMTPAction {
        // The octets follow whatever we say: they are read and thrown away when the command is refused (RFC 3030 §2).
        guard let transaction else {
            return discardChunk(size, SMTPReply(503, EnhancedStatus(5, 5, 1), "MAIL comes first"))
        }
        guard transaction.acceptedRecipients > 0 else {
            return discardChunk(
                size, SMTPReply(role == .lmtp ? 503 : 554, EnhancedStatus(5, 5, 1), "No valid recipients"))
        }
        let isFirst = !transaction.hasChunks
        self.transaction?.hasChunks = true
        if isFirst, transaction.parameters.body != .binaryMIME {
            self.transaction?.decoder = ContentDecoder(usesDots: false, maximumLine: limits.maximumTextLine)
        }
        phase = .chunk(remaining: size, isLast: isLast, refusal: nil)
        return isFirst ? .beginMessage : next()
    }

    private mutating func discardChunk(_ size: Int, _ reply: SMTPReply) -> SMTPAction {
        errors += 1
        guard size <= limits.maximumDiscardedBytes else { return closeEndless() }
        phase = .chunk(remaining: size, isLast: false, refusal: reply)
        return next()
    }

    mutating func nextChunk(_ remaining: Int, isLast: Bool, refusal: SMTPReply?) -> SMTPAction {
        let available = min(remaining, input.count - position)
        if remaining > 0, available == 0 { return .needMore }
        let start = position
        position += available
        if remaining > 0 {
            phase = .chunk(remaining: remaining - available, isLast: isLast, refusal: refusal)
            guard refusal == nil else { return next() }
            return account(decoded(start..<position))
        }
        // All octets of the chunk are here.
        if let refusal {
            phase = .command
            return .refuse(refusal)
        }
        guard isLast else {
            phase = .command
            return .reply(SMTPReply(250, EnhancedStatus(2, 0, 0), "\(transaction?.contentSize ?? 0) octets so far"))
        }
        if transaction?.hasChunks == true { transaction?.decoder?.finish() }
        return messageComplete()
    }

    private mutating func decoded(_ range: Range<Int>) -> [UInt8] {
        guard var decoder = transaction?.decoder else { return Array(input[range]) }
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        input.withUnsafeBytes {
            _ = decoder.decode(UnsafeRawBufferPointer(rebasing: $0[range]), from: 0, into: &output)
        }
        transaction?.decoder = decoder
        return output
    }
}
