public import MailStore
internal import NIOCore
public import SMTPProtocol

extension RelayConnection {
    /// Hands a message to the server for all of the transaction's recipients. The connection can be used again afterwards while
    /// `isOpen` says so.
    ///
    /// At most two pieces of the content are in memory, whatever its size; a message that has to be made 7-bit is there as a whole.
    /// - Parameters:
    ///   - transaction: its `size` is taken from `content`.
    ///   - content: the message as it is to be sent.
    public func deliver(
        _ transaction: SMTPClientTransaction, content: any MessageReading
    ) async -> SMTPTransactionResult {
        await withTaskCancellationHandler {
            await run(transaction, content)
        } onCancel: {
            Task { await self.abandon() }
        }
    }

    /// `deliver`, what is known of the connection, and the rest that follows: one stay on its event loop.
    func turn(
        _ transaction: SMTPClientTransaction, content: any MessageReading, _ limits: RelayConnectionPool.Limits
    ) async -> RelayTurn {
        let info = info
        let result = await deliver(transaction, content: content)
        return RelayTurn(
            result: result, info: info,
            isOfUse: rest(for: limits.idle, maximumTransactions: limits.transactions))
    }

    /// `turn` of one that has rested; nil when it has ended meanwhile.
    func turnAgain(
        _ transaction: SMTPClientTransaction, content: any MessageReading, _ limits: RelayConnectionPool.Limits
    ) async -> RelayTurn? {
        claim() ? await turn(transaction, content: content, limits) : nil
    }

    private func run(_ transaction: SMTPClientTransaction, _ content: any MessageReading) async -> SMTPTransactionResult
    {
        precondition(!isDelivering, "a connection does one transaction at a time")
        isDelivering = true
        setTransactionEnd(.after(services.timeouts.transaction))
        defer {
            isDelivering = false
            firstPiece = nil
            setTransactionEnd(nil)
        }
        var transaction = transaction
        var source = ContentSource(content)
        if let result = await begin(&transaction, &source, content) { return result }
        // Ends: each round is a step of the session, whose deadlines end it.
        while true {
            switch await nextStep() {
            case .ended(let result): return result
            // Nobody has asked for one.
            case .probed: continue
            case .content: await giveContent(from: &source)
            case .downgrade:
                guard let converted = await sevenBit(content) else {
                    return .all(
                        transaction, .cannotBeConverted, at: .mail,
                        note: "the server takes 7-bit only, and the message could not be made so")
                }
                transaction.body = .sevenBit
                source = ContentSource(converted)
                if let result = await begin(&transaction, &source, converted) { return result }
            }
        }
    }

    /// A result when it did not come to a beginning.
    private func begin(
        _ transaction: inout SMTPClientTransaction, _ source: inout ContentSource, _ content: any MessageReading
    ) async -> SMTPTransactionResult? {
        transaction.size = content.size
        do { firstPiece = try await source.next() } catch {
            return .all(
                transaction, .failed(.contentUnavailable), at: .idle, note: "the message could not be read: \(error)")
        }
        guard session.isReady, isOpen else {
            var result = SMTPTransactionResult.all(
                transaction, .failed(.connectionClosed), at: .idle, note: "the connection has ended")
            result.isStaleConnection = true
            return result
        }
        // A server that was heard a moment ago is there; one that was not may have gone, and would not tell what it took.
        let isFresh = NIODeadline.now() - heard < .seconds(1)
        session.begin(transaction, allowsEarlyContent: isFresh)
        advance()
        return nil
    }

    private func giveContent(from source: inout ContentSource) async {
        await drained()
        do {
            let piece = try await source.next()
            session.content(piece.bytes, isLast: piece.isLast)
        } catch {
            session.contentUnavailable()
        }
        advance()
    }

    private func sevenBit(_ content: any MessageReading) async -> MessageInMemory? {
        guard content.size <= services.maximumConvertedMessage, let bytes = try? await content.readAll() else {
            return nil
        }
        // Not on the event loop: it may take a while.
        let convert = services.makeSevenBit
        let converted = await Task.detached { convert(bytes) }.value
        return converted.map { MessageInMemory(bytes: $0) }
    }
}

extension SMTPTransactionResult {
    /// The same for everybody, without a word to the server.
    static func all(
        _ transaction: SMTPClientTransaction, _ outcome: Outcome, at stage: SMTPClientStage, note: String
    ) -> SMTPTransactionResult {
        SMTPTransactionResult(
            recipients: transaction.recipients.map { _ in Recipient(outcome: outcome, stage: stage) },
            transcript: ["* " + note])
    }
}

/// One transaction of a connection that may do more.
struct RelayTurn: Sendable {
    var result: SMTPTransactionResult
    /// As it was before the transaction.
    var info: RelayConnectionInfo
    /// Whether it rests and can be taken into use again.
    var isOfUse: Bool
}
