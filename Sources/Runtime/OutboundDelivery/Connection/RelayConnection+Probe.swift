public import MartletCore
internal import NIOCore
public import SMTPProtocol

extension RelayConnection {
    /// Asks the server whether it takes a recipient; nothing is sent (`SMTPClientSession.probe`).
    public func probe(_ recipient: EmailAddress) async -> SMTPProbeResult {
        await withTaskCancellationHandler {
            await ask(recipient)
        } onCancel: {
            Task { await self.abandon() }
        }
    }

    private func ask(_ recipient: EmailAddress) async -> SMTPProbeResult {
        precondition(!isDelivering, "a connection does one thing at a time")
        guard session.isReady, isOpen else {
            var result = SMTPProbeResult()
            result.failure = SMTPSessionFailure(stage: .idle, cause: .connectionClosed)
            return result
        }
        isDelivering = true
        setTransactionEnd(.after(services.timeouts.transaction))
        defer {
            isDelivering = false
            setTransactionEnd(nil)
        }
        session.probe(recipient)
        advance()
        // Ends: the session's deadlines end it.
        while true {
            if case .probed(let result) = await nextStep() { return result }
        }
    }
}
